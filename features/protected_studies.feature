Feature: Studies that need more care than others
  A colleague as a patient, a famous one, a psychiatric record: an ordinary role does not reach them. Neither does it
  reach what is long past, or what its patient has had restricted. Whoever reaches them all the same is seen.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann

  @ACC-08
  Scenario Outline: A labelled study is hidden from everybody without an explicit tie
    Given the study is labelled "<label>"
    Then the study is hidden from <role>
    When <role> is said to treat Erika Mustermann
    Then <role> sees the study

    Examples:
      | label      | role                     |
      | vip        | a clinician of radiology |
      | staff      | a clinician of radiology |
      | psychiatry | a radiologist            |
      | genetics   | a radiologist            |
      | addiction  | a clinician of surgery   |
      | infection  | a clinician of surgery   |
      | violence   | a clinician of radiology |

  @ACC-08
  Scenario Outline: A label hides a study from those, too, whom no tie lets in
    Given the study is labelled "vip"
    Then the study is hidden from <role>

    Examples:
      | role                        |
      | a technologist of radiology |
      | a referrer of radiology     |
      | an officer                  |
      | an admin                    |
      | a dpo                       |

  @ACC-08
  Scenario: Each access to a labelled study is reported singly
    Given the study is labelled "staff" and "vip"
    And a clinician of surgery is said to treat Erika Mustermann
    When the clinician of surgery looks at the whole study, at its metadata and at one frame
    Then the officer has 3 notices, one of each look, and each says who, in which role, and "staff vip"
    And each notice stands with the entry of the ledger that it belongs to
    When the officer acknowledges the first of them
    Then the officer has 2 notices

  @ACC-08
  Scenario: A search reports nothing, and neither does a look at an ordinary study
    When a clinician of radiology looks at the study
    And a clinician of radiology searches for her
    Then the officer has 0 notices

  @ACC-08
  Scenario: What cannot be reported is not delivered
    Given the study is labelled "vip"
    And a clinician of surgery is said to treat Erika Mustermann
    When no notice can be written
    Then the clinician of surgery hears that it must try again later
    And no entry says that the study was read

  @ACC-07
  Scenario Outline: After the end of the treatment only those whom the policy names see the study
    Given the treatment ended <days> days ago
    Then <role> <sees> the study

    Examples:
      | days | role                        | sees          |
      | 89   | a clinician of radiology    | sees          |
      | 90   | a clinician of radiology    | does not see  |
      | 400  | a clinician of radiology    | does not see  |
      | 89   | a technologist of radiology | sees          |
      | 90   | a technologist of radiology | does not see  |
      | 400  | a radiologist               | sees          |

  @ACC-07
  Scenario: Whoever still treats the patient sees what is long past
    Given the treatment ended 400 days ago
    When a clinician of surgery is said to treat Erika Mustermann
    Then a clinician of surgery sees the study

  @ACC-07
  Scenario: A treatment that goes on again brings the study back
    Given the treatment ended 400 days ago
    And a clinician of radiology does not see the study
    When it turns out that the treatment goes on
    Then a clinician of radiology sees the study

  @DSR-06
  Scenario Outline: A restricted study is invisible, in searches and when asked for
    Given the study is restricted
    And a clinician of surgery is said to treat Erika Mustermann
    Then <role> does not see the study

    Examples:
      | role                        |
      | a clinician of radiology    |
      | a clinician of surgery      |
      | a radiologist               |
      | a technologist of radiology |

  @DSR-06
  Scenario: At the patient's own request a radiologist uses a restricted study, with its ground on record
    Given the study is restricted
    When a radiologist looks at the study at the patient's request
    Then the entry says that the ground was "the patient's own request"

  @DSR-06
  Scenario: What is no longer restricted is visible again
    Given the study is restricted
    When the restriction is lifted
    Then a radiologist sees the study
