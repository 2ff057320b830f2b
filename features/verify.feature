Feature: Proving that nothing was changed
  The ledger cannot lie unnoticed: whoever edits, removes or reorders an entry is found, and the
  place is named. So is whoever touches a stored object.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And the ledger has been published

  @LOG-03
  Scenario: An untouched ledger is sound
    When the ledger is verified
    Then it is sound
    And the stand-alone verifier agrees

  @LOG-03
  Scenario Outline: Tampering with the ledger's database is found and placed
    When someone with access to the database <tampers>
    And the ledger is verified
    Then it is found wanting at position <position>

    Examples:
      | tampers                                | position |
      | changes one byte of entry 1            | 1        |
      | changes entry 1 and its own hash       | 1        |
      | removes entry 1                        | 1        |
      | swaps entries 1 and 2                  | 1        |
      | rewrites entry 1 and every hash after  | 1        |
      | cuts off everything from entry 2       | 2        |
      | inserts an entry before entry 1        | 1        |

  @LOG-03
  Scenario Outline: What is younger than the last checkpoint is held together by its chain
    Given "CT1" has sent the next picture, and nothing was published since
    When someone with access to the database <tampers>
    And the ledger is verified
    Then it is found wanting at position <position>

    Examples:
      | tampers                                | position |
      | changes one byte of entry 3            | 3        |
      | removes entry 3                        | 3        |
      | swaps entries 3 and 4                  | 3        |

  @LOG-03
  Scenario Outline: Whoever writes its own chain is betrayed by the writers' numbers and signatures
    Given "CT1" has sent the next picture, and nothing was published since
    When someone with access to the database <tampers>
    And the ledger is verified
    Then it is found wanting at position <position>, because <reason>

    Examples:
      | tampers                                            | position | reason                                                  |
      | drops entry 3 before it gets its place             | 3        | 1 entries that its writer made before it are missing    |
      | gives entry 3 two places                           | 4        | its writer has used its number before                   |
      | changes entry 3 before it gets its place           | 3        | the entry is not what its writer signed                 |
      | adds an entry in somebody's name                   | 5        | nobody signed the entry, and it may not stand unsigned       |
      | adds an entry under the name of a made-up writer   | 5        | its writer has no key on the shelf                      |
      | dates entry 3 back by a day                        | 3        | the entry is not what its writer signed                 |

  @LOG-03 @LOG-04
  Scenario: A database that swallows entries stops the archive instead of keeping silent
    Given someone with access to the database makes it swallow every new entry
    Then "CT1" is told to keep the next picture and send it again
    And a radiologist receives no picture

  @LOG-03
  Scenario Outline: Tampering with the published ledger is found without the archive
    When someone <tampers> of what was published
    Then the stand-alone verifier finds it wanting at position <position>

    Examples:
      | tampers                    | position |
      | changes one byte of entry 1| 1        |
      | removes entry 1            | 1        |
      | swaps entries 1 and 2      | 1        |

  Scenario Outline: A touched object is found, and never delivered
    When someone <touches> the stored object
    And the archive is verified deeply
    Then it is found wanting
    And a radiologist does not receive a changed picture

    Examples:
      | touches            |
      | flips a byte of    |
      | cuts the end off   |
      | removes            |

  Scenario: Reading the ledger is itself on record
    When the ledger is verified
    Then the ledger holds a completed "ledger:verify"

  @INT-02
  Scenario: Every object is read at least once a year, and what cannot be read raises the alarm
    Given "CT1" has sent twenty more pictures
    And someone flips a byte of one of them
    When half a year goes by with the archive running
    Then every object was opened, compared with what was received, and parsed
    And the alarm names the damaged object and nobody's name
    And the status says how many were read and that one was wanting

  @INT-02
  Scenario: A restart does not make the scrub begin again
    Given "CT1" has sent twenty more pictures
    When the archive is restarted every week for half a year
    Then every object was opened, compared with what was received, and parsed
    And none was read twice

  Scenario: A verification says how fast it was and what it compared
    When the archive is verified deeply
    Then it says how many objects and bytes it opened a second
    And it compared the keys on the shelf with the index

  Scenario: A key that lies on the shelf for nothing is counted, and one that is missing is found
    Given a crash has left a key on the shelf that no picture needs
    When the archive is verified deeply
    Then nothing is found wanting and the left-over key is counted
    When someone takes the study's key off the shelf
    And the archive is verified
    Then the picture without its key is found wanting

  Scenario: Pictures that come and studies that go while the archive is verified are no findings
    Given "CT1" has sent twenty more pictures
    When the archive is verified three times at once while pictures come in and the study is being forgotten
    Then none of them finds anything wanting
    And what is being forgotten is left to whoever forgets it
