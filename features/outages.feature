Feature: While something that the archive rests on is out of order
  A modality is asked to keep its picture and to send it again, a reader to come again later. Nothing that was taken is
  lost, nothing is put down anywhere in clear, and once the fault has gone the archive goes on without anybody's help.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And no key is in memory any more

  @SEC-03
  Scenario Outline: The key store <fails>
    When the key store <fails>
    Then "CT1" is asked to keep its next picture
    And a radiologist is asked to come again later
    And nothing new was stored
    And no file, temporary file or log of the archive holds a name, a number or a pixel of hers in any encoding
    When the fault has gone
    Then "CT1" can send the next picture without anyone restarting the archive
    And the first picture is unchanged
    And the ledger is sound

    Examples:
      | fails                          |
      | is sealed                      |
      | is killed                      |
      | stands still                   |
      | cannot write its own audit log |

  @LOG-04
  Scenario Outline: No index and no ledger to write to: <fault>
    When <fault>
    Then "CT1" is asked to keep its next picture
    And a radiologist is asked to come again later
    And nothing new was stored
    When the fault has gone
    Then "CT1" can send the next picture without anyone restarting the archive
    And the first picture is unchanged
    And the ledger is sound

    Examples:
      | fault                         |
      | the disk of the index is full |
      | somebody else locks the index |

  @LOG-04
  Scenario Outline: No PostgreSQL to write to: <fault>
    Given an archive whose index and ledger are in PostgreSQL
    When <fault>
    Then "CT1" is asked to keep its next picture
    And a radiologist is asked to come again later
    When the fault has gone
    Then "CT1" can send the next picture without anyone restarting the archive
    And the first picture is unchanged
    And the ledger is sound

    Examples:
      | fault                           |
      | PostgreSQL is killed            |
      | PostgreSQL sends everybody away |
      | PostgreSQL stands still         |

  @SEC-01
  Scenario Outline: No place for another object: <fault>
    When <fault>
    Then "CT1" is asked to keep its next picture
    And nothing new was stored
    And the first picture is unchanged
    And no file, temporary file or log of the archive holds a name, a number or a pixel of hers in any encoding
    When the fault has gone
    Then "CT1" can send the next picture without anyone restarting the archive
    And the ledger is sound

    Examples:
      | fault                                    |
      | the disk of the objects is full          |
      | the disk of the objects can only be read |
