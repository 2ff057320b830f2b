Feature: Giving pictures back
  The right person gets the picture at once. The wrong one learns nothing, not even that it exists.
  Whatever is delivered was on record before its first byte left.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann

  @ACC-01
  Scenario: Without a purpose there is no answer, only a record
    When a researcher without a purpose asks for that study
    Then the request is refused as not allowed
    And the ledger holds exactly 1 new entry, a refused "study:read"

  @ACC-02
  Scenario: A colleague of another department cannot tell a forbidden study from none
    When a clinician of dermatology asks for that study
    And a clinician of dermatology asks for a study that does not exist
    Then both hear the same answer
    And both requests are on record as refused

  @ACC-05
  Scenario Outline: Some roles never see a picture
    When a <role> of radiology asks for that study for the purpose <purpose>
    Then the request is refused
    And the ledger holds exactly 1 new entry, a refused "study:read"

    Examples:
      | role       | purpose   |
      | admin      | HSYSADMIN |
      | dpo        | HOPERAT   |
      | officer    | HOPERAT   |
      | researcher | HRESCH    |
      | modality   | TREAT     |

  @ACC-05
  Scenario Outline: Only those who watch over the ledger may read it
    When a <role> of radiology asks to verify the ledger
    Then the request is <answer>

    Examples:
      | role        | answer  |
      | dpo         | allowed |
      | operator    | allowed |
      | clinician   | refused |
      | radiologist | refused |
      | admin       | refused |

  @LOG-01
  Scenario: The record comes before the picture
    When a radiologist begins to receive that study
    Then a begun "study:read" is in the ledger before the first byte
    When the radiologist goes away in the middle
    Then the ledger says that the delivery was aborted

  @LOG-04
  Scenario: No ledger, no picture
    When the ledger cannot be written
    Then a radiologist hears that it must try again later
    And not one byte was opened
