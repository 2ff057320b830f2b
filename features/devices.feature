Feature: Devices
  A device is let in by a certificate that the hospital gave it, from the network where it stands, and
  for what it was enrolled for. Whoever sits at it can prove who they are; then both must be allowed.
  What is revoked holds within a minute, for connections that are open too.

  Background:
    Given an archive whose devices have certificates of the hospital

  @ACC-10
  Scenario: A device that was enrolled can store, and its enrolment is on record
    When an administrator enrols the modality "MR2"
    Then the ledger holds a completed "device:enrol"
    And the archive has kept no private key
    When "MR2" sends a picture
    Then the picture is stored

  Scenario: Whoever is no administrator enrols nothing
    When a radiologist tries to enrol the modality "MR2"
    Then nothing was enrolled
    And the ledger holds a refused "device:enrol"

  @ACC-10
  Scenario Outline: What a device was not enrolled for is refused, and that is on record
    Given the modality "MR2" was enrolled <limit>
    When "MR2" sends a picture
    Then the picture is not stored
    And the ledger holds a refused "<action>" with the reason "<reason>"

    Examples:
      | limit                                | action           | reason                                   |
      | for another network                  | association:open | device called from another network       |
      | for magnetic resonance pictures only | study:create     | the device may not bring this SOP class  |
      | for searching only                   | study:create     | the device may not store                 |
      | under another name                   | association:open | certificate names another device         |

  @ACC-10
  Scenario: A device that was revoked is sent away and let in no more
    Given the modality "MR2" was enrolled
    And "MR2" has an open connection and says nothing
    When an administrator revokes "MR2" because it was stolen
    Then the open connection of "MR2" ends
    And the ledger holds a completed "device:revoke"
    And the ledger holds a refused "association:open" with the reason "association ended: device is revoked"
    And only who holds the ledger's keys can read why
    When "MR2" sends a picture
    Then the picture is not stored

  @ACC-10
  Scenario: A certificate that the hospital's own authority revokes holds no longer, though nobody told the archive
    Given the modality "MR2" was enrolled
    And "MR2" has an open connection and says nothing
    When the hospital's authority revokes the certificate of "MR2" by itself
    Then the open connection of "MR2" ends
    And the ledger holds a refused "association:open" with the reason "association ended: certificate is revoked"
    When "MR2" sends a picture
    Then the picture is not stored

  Scenario: A device gets a new certificate, and the old one opens nothing
    Given the modality "MR2" was enrolled
    When an administrator renews the certificate of "MR2"
    And "MR2" sends a picture
    Then the picture is stored
    When somebody sends a picture with the old certificate of "MR2"
    Then the picture is not stored

  Scenario: The archive's own certificate is renewed while pictures come in
    Given the modality "MR2" was enrolled
    And "MR2" has an open connection and says nothing
    When the archive's certificate is replaced by a broken file
    Then whoever connects is shown the certificate of before
    When the archive's certificate is replaced by a new one
    Then whoever connects is shown the new certificate
    And "MR2" can store a picture over the connection that was open all the time

  Scenario Outline: A person at a workstation stores only what person and workstation both may
    Given the workstation "WS1" was enrolled for <device may>
    When a <role> at "WS1" sends a picture
    Then the picture is <outcome>
    And the ledger says that a <role> acted through "WS1"

    Examples:
      | device may | role        | outcome    |
      | storing    | radiologist | stored     |
      | storing    | clinician   | not stored |
      | searching  | radiologist | not stored |

  Scenario Outline: What does not prove who sits at the workstation opens no connection
    Given the workstation "WS1" was enrolled for storing
    And the workstation "WS2" was enrolled for storing
    When a radiologist at "WS1" shows <credential>
    Then no connection is opened
    And the ledger holds a refused "association:open" with the reason "user identity cannot be verified here"
    And the archive holds 0 objects

    Examples:
      | credential                               |
      | a token that was used before             |
      | a token that was used before a restart   |
      | a token that was made for "WS2"          |
      | a token that was made for the web        |
      | a token that lives for an hour           |
      | a token that somebody else has signed    |
      | a name alone                             |
      | a name and a password                    |

  Scenario: A workstation that needs a person is not let in alone
    Given the workstation "WS1" was enrolled for storing by a person only
    When "WS1" sends a picture
    Then the picture is not stored
    And the ledger holds a refused "association:open" with the reason "device needs a person behind it"
    When a radiologist at "WS1" sends a picture
    Then the picture is stored
