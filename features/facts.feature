Feature: The facts that decisions rest on
  Who treats whom, which department a study belongs to, what needs special protection: officers keep these facts.
  A change holds from the next request on, and says who made it and why to nobody but those who hold the ledger's key.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann

  @ACC-02
  Scenario: A study that moves to another department is seen there, and no longer where it came from
    When an officer moves the study to surgery because "it was booked on the wrong department"
    Then a clinician of surgery sees the study
    And the study does not exist for a clinician of radiology
    And the ledger holds a completed "study:classify"

  @ACC-02
  Scenario: A treating relation is stated, holds, and ends
    Given the study does not exist for a clinician of surgery
    When an officer states that the clinician of surgery treats the patient because "she was taken over today"
    Then a clinician of surgery sees the study
    When the officer ends that relation because "she was transferred"
    Then the study does not exist for a clinician of surgery

  @ACC-02
  Scenario: A referring physician sees whom they sent
    When an officer states that the referrer of outside sent the patient because "the letter of referral came"
    Then a referrer of outside sees the study
    And the study does not exist for a referrer of elsewhere

  Scenario: Why a fact was changed is on record, and readable by nobody who carries off the disks
    When an officer moves the study to surgery because "it was booked on the wrong department"
    Then whoever holds the ledger key reads there "it was booked on the wrong department"
    And no file of the archive holds "booked on the wrong department"

  @ACC-05
  Scenario Outline: Facts are not for those who see by them
    When a <role> tries to move the study to surgery because "I should like to see it there"
    Then the request is refused
    And a clinician of radiology sees the study

    Examples:
      | role                     |
      | radiologist              |
      | clinician of radiology   |
      | clinician of dermatology |
      | dpo                      |
      | admin                    |

  Scenario: Without a reason nothing changes
    When an officer moves the study to surgery because "so"
    Then the change is refused as malformed
    And a clinician of radiology sees the study
