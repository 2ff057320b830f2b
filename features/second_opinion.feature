Feature: Asking for a second opinion
  A clinician shows one examination to one person of their choice: for a purpose, until a day, and with a reason.
  That person sees this examination and nothing else of the patient, passes nothing on, and is seen looking.

  Background:
    Given an archive with the modality "CT1" of radiology
    And the modality "US1" of cardiology
    And the CT, the ultrasound and an older X-ray of Erika Mustermann
    And people who ask each other:
      | name       | what they are                                        |
      | Dr. Sommer | a clinician of radiology                             |
      | Dr. Herbst | a clinician of oncology                              |
      | Dr. Winter | a guest, who works for nobody here                   |
      | Dr. Lenz   | a radiologist of another hospital in the same archive |
      | Ms. Schutz | the data-protection officer                          |
      | Mr. Gier   | a clinician of surgery                               |

  @ACC-02
  Scenario Outline: Whoever is invited sees that examination and nothing else of the patient
    Given <whom> sees nothing of Erika Mustermann
    When Dr. Sommer shows the CT to <whom> for 7 days
    Then <whom> sees the CT and nothing else of Erika Mustermann
    And Mr. Gier still sees nothing of Erika Mustermann

    Examples:
      | whom       |
      | Dr. Winter |
      | Dr. Herbst |
      | Dr. Lenz   |

  @ACC-03
  Scenario: Asking for the patient's other examinations finds only what can be opened
    When Dr. Sommer shows the CT to Dr. Winter for 7 days
    Then of all examinations of the patient Dr. Winter finds exactly those that she can open

  Scenario: An invitation ends by itself on its day
    Given Dr. Sommer has shown the CT to Dr. Winter for 7 days
    When 7 days have passed
    Then Dr. Winter sees nothing of Erika Mustermann
    And the invitation says that it is "expired"

  Scenario: Nobody is invited for longer than 90 days
    When Dr. Sommer wants to show the CT to Dr. Winter for 91 days
    Then that is refused as malformed
    And Dr. Winter sees nothing of Erika Mustermann

  Scenario Outline: An invitation is taken back, and the very next request finds nothing
    Given Dr. Sommer has shown the CT to Dr. Winter for 7 days
    When <who> takes the invitation back
    Then Dr. Winter sees nothing of Erika Mustermann
    And to Dr. Winter the CT looks like an examination that does not exist
    And the invitation says that it is "revoked"

    Examples:
      | who        |
      | Dr. Sommer |
      | Ms. Schutz |

  @ACC-02
  Scenario Outline: Whoever was invited cannot invite others
    Given Dr. Sommer has shown the CT to <whom> for 7 days
    When <whom> wants to show the CT to Mr. Gier for 1 day
    Then that is refused as denied
    And Mr. Gier still sees nothing of Erika Mustermann

    Examples:
      | whom       |
      | Dr. Winter |
      | Dr. Herbst |
      | Dr. Lenz   |

  @ACC-02
  Scenario: Whoever may not see an examination cannot show it, and learns nothing by trying
    When Mr. Gier wants to show the CT to Dr. Winter for 7 days
    Then that is answered like an examination that does not exist
    And the ledger holds a refused "share:create"

  Scenario: With a one-time code nothing opens before the code was given
    Given Dr. Sommer has shown the CT to Dr. Winter for 7 days, with a one-time code
    Then Dr. Winter sees nothing of Erika Mustermann
    When Dr. Winter gives the code that she was told on the telephone
    Then Dr. Winter sees the CT and nothing else of Erika Mustermann

  Scenario: Guessing the code ends the invitation, and whoever made it sees why
    Given Dr. Sommer has shown the CT to Dr. Winter for 7 days, with a one-time code
    When Dr. Winter gives 5 wrong codes
    Then the right code is of no use any more
    And Dr. Winter sees nothing of Erika Mustermann
    And the invitation says that it is "locked"
    And Dr. Sommer is told of 5 wrong codes

  Scenario: Nobody can spoil an invitation of somebody else
    Given Dr. Sommer has shown the CT to Dr. Winter for 7 days, with a one-time code
    When Mr. Gier gives 5 wrong codes
    And Dr. Winter gives the code that she was told on the telephone
    Then Dr. Winter sees the CT and nothing else of Erika Mustermann

  Scenario: Whoever invited, and the data-protection officer, see every look that was taken
    Given Dr. Sommer has shown the CT to Dr. Winter for 7 days
    When Dr. Winter looks at the CT 2 times
    Then Dr. Sommer is told of 2 looks of Dr. Winter, with their times
    And Ms. Schutz is told of 2 looks of Dr. Winter, with their times
    And that they asked is on record too
    And Dr. Winter and Mr. Gier are told nothing of that

  @ACC-02
  Scenario: To others an invitation does not exist
    Given Dr. Sommer has shown the CT to Dr. Winter for 7 days
    Then for Mr. Gier the invitation is like one that was never made, whatever he does to it
    And Dr. Winter still sees the CT

  @ACC-08
  Scenario: A protected examination is shown only by those who have been given it explicitly, and each look is reported
    Given the CT is protected as a matter of psychiatry
    When Dr. Sommer wants to show the CT to Dr. Winter for 7 days
    Then that is refused
    And Dr. Winter sees nothing of Erika Mustermann
    Given an officer has stated that Dr. Sommer treats Erika Mustermann
    When Dr. Sommer shows the CT to Dr. Winter for 7 days
    And Dr. Winter looks at the CT 2 times
    Then each of these 2 looks was reported singly

  Scenario: Who invited whom and why can be read by nobody who carries off the disks
    Given Dr. Sommer has shown the CT to Dr. Winter for 7 days, with a one-time code
    Then no file of the archive holds their names, the reason or the code
