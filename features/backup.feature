Feature: Backups that bring everything back but what was erased
  A backup is a set: database, objects, published ledger and a snapshot of the vault. It is proven by restoring it into
  an empty place. It names nobody, and an erased study does not rise again with it.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And "CT1" has sent an ultrasound of another study
    And the ledger has been published
    And a backup has been taken

  @INT-05
  Scenario: A set restores to equal roots, and every key opens from its own snapshot of the vault
    When the backup is verified
    Then it is sound
    And studies, objects and ledger have the roots that they have in the archive
    And every key of the archive has come back from the snapshot, in a vault of its own
    And the snapshot counts as verified
    And the ledger holds a completed "backup:create"
    And the ledger holds a completed "backup:verify"

  @INT-05
  Scenario Outline: One damaged byte is found, and named
    When somebody changes one byte of <part> in the backup
    And the backup is verified
    Then it is found wanting, and <named> is named

    Examples:
      | part                          | named                 |
      | the database                  | database/index.db     |
      | an object                     | its object id         |
      | the published ledger          | checkpoints/          |
      | the newest checkpoint         | ledger/checkpoint     |
      | the list of objects           | objects.list          |
      | the snapshot of the vault     | vault/snapshot        |
      | the manifest                  | manifest              |

  @SEC-01
  Scenario: A backup names nobody
    Then no file of the backup holds a canary name, or a piece of a picture

  @INT-05
  Scenario: What was erased does not rise again with an older backup
    Given the study of Erika Mustermann has been forgotten
    When all disks are lost, and the vault is put back to the snapshot of the backup
    Then the forgotten key is on the shelf again
    When the set is restored by a process that may not delete keys
    Then it is not ready, and nothing opens
    When a process starts that may replay the tombstones
    Then it is ready, and the forgotten key is gone again
    And the study of Erika Mustermann is not found, and none of its pictures
    And the other study is found, and opens as it was sent
    And the restored archive is sound

  @INT-05
  Scenario: An older database beside newer objects
    Given "CT1" has sent a newer picture since
    When the database is lost, and restored beside the objects that survived
    Then what the backup knew is found, and opens as it was sent
    And the newer picture is not served, and its ciphertext is kept

  Scenario: A backup that fails, and one that is late, is told at once
    Given backups are taken by themselves once a day
    When the vault gives no snapshot at the time of the next backup
    Then the officer is told that a backup failed
    And whoever watches the machine reads that it failed, and how old the newest proven one is
    When the vault still gives none a day later
    Then the officer is told that the backup is late
    When the vault gives snapshots again
    Then the officer is told that both are over
