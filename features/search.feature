Feature: Finding pictures
  A search finds what the searcher may see and is silent about the rest: no hit, no count, no hint.

  Background:
    Given an archive with the modality "CT1" of radiology
    And the modality "US1" of cardiology
    And "CT1" has sent the CT of Erika Mustermann
    And "US1" has sent the ultrasound of Erika Mustermann

  @ACC-02
  Scenario: A clinician finds the studies of their own department only
    When a clinician of cardiology searches without any filter
    Then 1 study is found
    And it is the ultrasound
    And among series and instances too nothing else is found

  @ACC-02
  Scenario: Counts do not betray what the searcher may not see
    When a clinician of dermatology searches for the Patient ID "ERIKA-4711"
    Then 0 studies are found
    And the answer is the one for a patient who was never here

  @ACC-03
  Scenario Outline: Asking for a patient's other studies passes the same decision as opening each
    When <who> searches for the Patient ID "ERIKA-4711"
    Then exactly the studies are found that <who> can open
    And <number> studies are found

    Examples:
      | who                         | number |
      | a clinician of cardiology   | 1      |
      | a clinician of dermatology  | 0      |
      | a technologist of radiology | 1      |
      | a radiologist               | 2      |

  @ACC-04
  Scenario Outline: Fishing with wildcards is refused
    When a radiologist searches for <attribute> "<pattern>"
    Then the search is refused as malformed
    And the ledger holds a refused "study:search" because of "Malformed"

    Examples:
      | attribute   | pattern |
      | PatientName | *       |
      | PatientName | M*      |
      | PatientID   | ??      |
      | PatientName | *u*     |
      | PatientName | *^*     |

  @ACC-04
  Scenario: Fuzzy matching is fishing too
    When a radiologist searches fuzzily for PatientName "Mu"
    Then the search is refused as malformed
    And the ledger holds a refused "study:search" because of "Malformed"

  @ACC-04
  Scenario: No search answers with more than 500
    Given 510 further studies of radiology
    When a radiologist searches asking for 10000 results
    Then 500 studies are found
    And the answer says that more matched

  Scenario Outline: Names are found the way people type them
    When a radiologist searches for PatientName "<pattern>"
    Then 2 studies are found

    Examples:
      | pattern           |
      | Mustermann^Erika  |
      | mustermann*       |
      | MUST*             |
      | Must?rmann*       |
      | *mustermann*      |

  Scenario: What was searched for is on record, but nobody can read it from the disk
    When a radiologist searches for PatientName "Mustermann*"
    Then the ledger holds a completed "study:search"
    And whoever holds the ledger key can read there what was searched for
    And no file, temporary file or log of the archive holds a name, a number or a pixel of hers in any encoding
