Feature: Making a lost index anew from objects and vault alone
  Each sealed object carries what says which picture it is, sealed under a key of the vault. So an archive
  whose database has burnt finds every picture again; what it cannot know it says, and until an officer has
  looked nobody sees more than they may.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And "CT1" has sent an ultrasound and a radiograph of hers
    And the ledger has been published

  @real
  Scenario: Every study is found again and comes back byte for byte
    When the database is lost and the index is made anew
    Then every study is found again by name, Patient ID and date
    And nobody receives a picture before an officer has looked
    When an officer lifts the restriction
    Then a radiologist receives every picture byte for byte
    And the archive is sound, objects and proofs

  @real
  Scenario: The ledger goes on behind what was published, and nothing is invented
    Given an entry was said after the last publication
    When the database is lost and the index is made anew
    Then the ledger holds what was published, entry for entry
    And the entry that was not published is missing, and the rebuild says how far the ledger goes
    And the same person has the same pseudonym as before
    And the ledger is sound, and goes on growing where it was published

  @real
  Scenario: What was erased stays erased
    Given the keys of the ultrasound were forgotten
    When the database is lost and the index is made anew
    Then the ultrasound is not found, and its object is counted as one without a key

  @real
  Scenario Outline: A hostile store cannot bring a picture in
    Given someone with access to the store <does>
    When the database is lost and the index is made anew
    Then that object is a finding and no row
    And every other study is found again

    Examples:
      | does                                                    |
      | stores a picture sealed under a key of its own          |
      | copies the CT under another name                        |
      | gives the CT the name of the study of another patient   |
      | flips a byte of the CT's label                          |
      | flips a byte of the CT's wrapped key                    |
      | flips a byte of the CT's pixels                         |
      | cuts the end off the CT                                 |
      | puts a file of its own among the objects                |

  @real
  Scenario: A rebuild that was interrupted goes on where it stopped
    When the database is lost and the rebuild is interrupted twice
    Then the archive does not open its doors
    And nothing is swept meanwhile
    When the rebuild is run to its end
    Then every study is found again by name, Patient ID and date
    And no picture is there twice

  @real
  Scenario: An archive whose database is gone does not begin a second history
    When the database is lost
    Then the archive does not open its doors, and says how to go on

  @real
  Scenario: Only an empty index is filled
    When somebody asks for a rebuild of the index that is there
    Then it is refused, and nothing has changed
