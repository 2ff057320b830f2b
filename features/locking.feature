Feature: Checkpoints that not even the house can take back
  Every minute the newest checkpoint of the ledger goes into a bucket under lock. Whoever holds every key of the
  house, its database and all that it has published can still not take it back, and it tells on them.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And the ledger has been published
    And its checkpoint was locked away

  @LOG-03
  Scenario: Nobody takes a checkpoint back, shortens its time or hides it
    When somebody with the house's own credentials tries to delete, overwrite and unlock it
    Then the checkpoint is still what it was
    And its time has not become shorter

  @LOG-03
  Scenario: A ledger that was put back to an older state contradicts what is locked away
    Given somebody has kept a copy of everything that was published
    And "CT1" has sent another picture, and its checkpoint was locked away
    When everything that was published is put back as it was
    Then an alarm on record says that a larger checkpoint is locked away than is published

  @LOG-03
  Scenario: A ledger that was written anew with the log's own key contradicts what is locked away
    When the newest checkpoint is forged with the log's own key
    Then an alarm on record says that another checkpoint of this size is locked away
