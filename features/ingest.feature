Feature: Taking in pictures
  A modality sends a picture once and forgets it. From the moment it hears "Success" the archive
  answers for every byte, and nobody who carries off the disks can read one.

  Background:
    Given an archive with the modality "CT1" of radiology

  Scenario: A picture sent twice is kept once
    When "CT1" sends the CT of Erika Mustermann
    And "CT1" sends the CT of Erika Mustermann again
    Then it hears Success
    And the archive holds 1 object
    And the ledger says that 1 instance was a duplicate

  Scenario: A second picture under a taken identity is refused, and both facts are on record
    Given "CT1" has sent the CT of Erika Mustermann
    When "CT1" sends other bytes under the same SOP Instance UID
    Then it hears that there is a conflict
    And the first picture is unchanged
    And the archive holds 1 object
    And the ledger holds a completed "study:create"
    And the ledger holds a refused "study:create" because of "Conflict"

  @SEC-01
  Scenario: Nothing on any disk names the person
    When "CT1" sends the CT of Erika Mustermann
    And "CT1" sends a picture that is cut off in the middle
    And a technologist uploads the X-ray of Erika Mustermann over the web
    And a radiologist searches for patients whose name begins with "Mustermann"
    And a radiologist receives that study
    And someone of another department asks for that study
    And the ledger is published
    Then no file, temporary file or log of the archive holds a name, a number or a pixel of hers in any encoding
    And neither does a backup of its database
    And no temporary file is left

  @SEC-03
  Scenario: A sealed key store stops reading and writing, and nothing falls back to clear text
    Given "CT1" has sent the CT of Erika Mustermann
    When the key store is sealed
    Then "CT1" hears that it must try again later
    And a radiologist hears that it must try again later
    And a radiologist who searches hears that it must try again later
    And the archive holds 1 object
    And no file, temporary file or log of the archive holds a name, a number or a pixel of hers in any encoding
    When the key store is unsealed
    Then "CT1" can send the next picture without anyone restarting the archive
    And the first picture is unchanged

  @LOG-01
  Scenario: One transfer is one act, with its account
    When "CT1" sends 5 pictures of one study in one association
    Then the ledger holds one begun and one completed "study:create" for that study
    And the completed entry counts 5 new instances and carries their digest
    And the entry says who, in which role, when, where from, for which purpose and under which rule

  @ACC-10
  Scenario Outline: A node that nobody enrolled is turned away, and that is on record
    When a node calls <how>
    Then the association is not opened
    And the ledger holds exactly 1 new entry, a refused "association:open"
    And it says that the reason was "<reason>"
    And the archive holds 0 objects

    Examples:
      | how                                                  | reason                                      |
      | as "CT9" with the certificate of "CT1"               | calling AE title is not the certificate's   |
      | as "CT1" with a certificate that nobody enrolled     | no device has this certificate              |
      | as "CT1" with a certificate of an untrusted authority| TLS handshake: certificate verify failed    |
      | as "CT1" without a certificate                       | TLS handshake: peer did not return a certificate |
      | as "CT1" without encryption                          | TLS handshake: wrong version number         |

  Scenario Outline: Broken pictures are refused with a reason and leave nothing behind
    When "CT1" sends a picture that is <broken>
    Then it hears that the picture is <verdict>
    And the archive holds 0 objects
    And the ledger holds a refused "study:create" because of "<recorded>"

    Examples:
      | broken                      | verdict   | recorded  |
      | without a Study UID         | malformed | Malformed |
      | cut off in the middle       | malformed | Malformed |
      | declaring more than is there| malformed | Malformed |
      | nested too deeply           | too much  | OverLimit |
