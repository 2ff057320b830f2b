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

  @ACC-02
  Scenario: Counts do not betray what the searcher may not see
    When a clinician of dermatology searches for the Patient ID "ERIKA-4711"
    Then 0 studies are found
    And nothing in the answer tells that more was held back

  @ACC-03
  Scenario: Asking for a patient's other studies passes the same decision as opening each
    When a clinician of cardiology searches for the Patient ID "ERIKA-4711"
    Then exactly the studies are found that a clinician of cardiology can open

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
    And no file of the archive holds "Mustermann", "ERIKA-4711" or a pixel of the picture in any encoding
