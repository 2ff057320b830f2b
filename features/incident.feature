Feature: Saying what an incident laid open
  When something has gone wrong, the authority hears of it within 24 hours, within 72, and in the end: whom it concerns, which
  data, how many, what was done, and plainly what nobody knows yet (GDPR 33 and 34, BSIG 32).

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And there are pictures of another patient
    And a radiologist has looked at both patients' pictures
    And a clinician of dermatology was refused the other patient's pictures

  @SEC-06
  Scenario Outline: At each stage it says what is known and what is not
    When the officer reports the incident "a stolen token" for the stage "<stage>"
    Then it counts 2 persons affected and lists both by pseudonym
    And it says which data were laid open: pictures
    And it says of "<known>" that it is known
    And it says of "<unknown>" that it is not known yet

    Examples:
      | stage | known      | unknown      |
      | 24h   | window     | attack       |
      | 72h   | categories | consequences |
      | final | persons    | root-cause   |

  @SEC-06
  Scenario: Consequences and measures are told in the words of whoever reports
    When the officer reports it with the measures "the login was revoked"
    Then it says of "measures": "the login was revoked"

  @SEC-06
  Scenario: Only the acts that belong to it count
    When the officer reports it for the pictures of Erika Mustermann alone
    Then it counts 1 person affected and lists them by pseudonym
    When the officer reports it for acts of the department dermatology
    Then it counts 0 persons affected, for what was refused laid nothing open

  @SEC-06
  Scenario: A time without acts lays nothing open
    When the officer reports it for the hour before anything happened
    Then it counts 0 persons affected

  @SEC-06
  Scenario: Only the data-protection officer gets the list
    When the operator reports the incident
    Then it counts 2 persons affected and lists nobody

  @SEC-06 @ACC-05
  Scenario Outline: Others get nothing
    When a <role> reports the incident
    Then the request is refused
    And the ledger holds exactly 1 new entry, a refused "incident:report"

    Examples:
      | role        |
      | officer     |
      | admin       |
      | radiologist |

  @SEC-06 @SEC-01
  Scenario: It is on record, and its cause can be read by holders of the key alone
    When the officer reports the incident "a stolen token" for the stage "72h"
    Then the ledger holds a completed "incident:report"
    And the cause is nowhere in the ledger in clear
    And nothing of the person is in the answer
