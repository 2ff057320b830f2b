Feature: Taking in pictures
  A modality sends a picture once and forgets it. From the moment it hears "Success" the archive
  answers for every byte, and nobody who carries off the disks can read one.

  Background:
    Given an archive with the modality "CT1" of radiology

  @INT-01
  Scenario: What is given back is byte for byte what was received
    When "CT1" sends the CT of Erika Mustermann
    Then it hears Success
    And a radiologist receives exactly the Data Set that was sent

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
    And the ledger holds a refused "study:create" because of "Conflict"

  @SEC-01
  Scenario: Nothing on any disk names the person
    When "CT1" sends the CT of Erika Mustermann
    And a radiologist searches for patients whose name begins with "Muster"
    And someone of another department asks for that study
    Then no file of the archive holds "Mustermann", "ERIKA-4711" or a pixel of the picture in any encoding

  @SEC-03
  Scenario: A sealed key store stops reading and writing, and nothing falls back to clear text
    Given "CT1" has sent the CT of Erika Mustermann
    When the key store is sealed
    Then "CT1" hears that it must try again later
    And a radiologist hears that it must try again later
    And no file of the archive holds "Mustermann", "ERIKA-4711" or a pixel of the picture in any encoding
    When the key store is unsealed
    Then "CT1" can send the next picture without anyone restarting the archive

  @LOG-01
  Scenario: One transfer is one act, with its account
    When "CT1" sends 5 pictures of one study in one association
    Then the ledger holds one begun and one completed "study:create" for that study
    And the completed entry counts 5 new instances and carries their digest
    And the entry says who, in which role, when, where from, for which purpose and under which rule

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
