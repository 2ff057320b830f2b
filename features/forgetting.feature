Feature: A study whose keys are forgotten opens no more
  Every study is sealed under keys of its own. When they are forgotten its pictures open to nobody, whatever copies of
  them there are. Which keys were forgotten is written down where no backup takes it back, so that a key store that is
  restored from a snapshot cannot bring them back unnoticed.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And somebody has copied every disk of the archive

  @RET-07 @real
  Scenario: Once forgotten, no picture opens, neither here nor from any copy
    When the operator has that study forgotten
    And a radiologist asks for that study
    Then there is no such study
    And no search finds it
    When five minutes later no process can have its keys in memory any more
    Then its keys are gone from the key store, and each has its tombstone
    And its pictures are gone from the store
    And of the disks that were copied neither a picture nor what is said of it opens any more
    And the ledger says of each step that it was done

  @RET-07 @real
  Scenario: Old disks and an old key store bring nothing back
    Given somebody has a snapshot of the key store
    When the operator has that study forgotten
    And five minutes later no process can have its keys in memory any more
    And the old disks and the old keys are put back
    Then the archive opens nothing of that study
    And an archive that may not delete keys is not ready, and names nobody
    When an archive starts that may delete keys
    Then it says so on record, deletes them again and is ready

  @RET-07
  Scenario: What comes in late is sealed under a new key and read, and the old stays gone
    When the operator has that study forgotten
    And "CT1" sends another picture of that study
    And five minutes later no process can have its keys in memory any more
    And a radiologist asks for that study
    Then they get the picture that came in late, and no other
    And its keys are gone from the key store, and each has its tombstone

  @RET-07
  Scenario: What is on legal hold is not forgotten
    Given an officer has put a legal hold on that study
    When the operator asks to have that study forgotten
    Then they hear that a legal hold forbids it
    And the ledger holds a refused "study:forget"
    And nothing of it is gone

  @RET-07
  Scenario: Nobody but the operator has anything forgotten
    When a radiologist asks to have that study forgotten
    Then they hear that they may not
    And the ledger holds a refused "study:forget"
    And nothing of it is gone

  @RET-07
  Scenario: Whoever takes the newest tombstones away is found, and they are written again
    When the operator has that study forgotten
    And five minutes later no process can have its keys in memory any more
    And somebody takes the newest tombstones away
    And an archive starts on what is left
    Then it says on record that tombstones are missing
    And its keys have their tombstones again
