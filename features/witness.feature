Feature: Witnesses outside the house
  Whoever holds every key of the house could rewrite its ledger, signatures included. So others remember
  how far it had come: two witnesses under other administrations sign each checkpoint that continues
  what they saw, a time-stamping authority says when, and the clock is watched.

  Background:
    Given an archive with the modality "CT1" of radiology
    And two witnesses under other administrations
    And "CT1" has sent the CT of Erika Mustermann
    And the ledger has been published

  @LOG-03
  Scenario: What the witnesses have signed is published with their signatures
    When the witnesses are asked
    Then the newest published checkpoint is signed by both witnesses
    And each witness shows the same checkpoint to whoever asks it

  @LOG-03
  Scenario Outline: Whoever holds every key and publishes <what> is contradicted by the witnesses
    Given the witnesses have signed it
    When someone who holds every key of the house publishes <what>
    And the witnesses are asked
    Then neither witness signs it
    And the ledger holds the alarm "contradicted" of each witness
    And the data-protection officer is told of the alarm

    Examples:
      | what                             |
      | another and longer history       |
      | another history of the same size |
      | an older copy of the ledger      |

  @LOG-03
  Scenario Outline: An auditor who brings a witness's note finds <what>, which the house alone could hide
    Given the witnesses have signed it
    When someone who holds every key of the house publishes <what>
    Then the stand-alone verifier finds nothing wrong with what is published alone
    And together with a witness's newest note it finds the ledger wanting

    Examples:
      | what                             |
      | another and longer history       |
      | another history of the same size |
      | an older copy of the ledger      |

  Scenario: A dead witness stops nobody, and is an alarm after a minute
    Given the witnesses have signed it
    When one witness dies
    And "CT1" sends the next picture, which is accepted and published
    And the witnesses are asked for 59 seconds
    Then the ledger holds no alarm
    When the witnesses are asked for 5 seconds
    Then the ledger holds the alarm "unwitnessed" once
    And the data-protection officer is told of the alarm
    When the witness is back
    And the witnesses are asked for 40 seconds
    Then the newest published checkpoint is signed by both witnesses
    And the ledger says once that the alarm "unwitnessed" is over

  @LOG-08
  Scenario Outline: A clock that is set is an alarm in the chain
    When the clock of the archive is set <so far> <whither>
    Then the ledger holds the alarm "clock" once
    And the data-protection officer is told of the alarm
    And the ledger is sound

    Examples:
      | so far        | whither |
      | 2 seconds     | back    |
      | 2 seconds     | ahead   |
      | 86400 seconds | back    |

  @LOG-08
  Scenario: A clock that drifts from the time servers is an alarm in the chain until it is right again
    Given three time servers, one of which is always wrong
    When the time servers are 1.5 seconds ahead
    Then the ledger holds the alarm "clock" once
    When the time servers are 0.2 seconds ahead
    Then the ledger says once that the alarm "clock" is over

  Scenario: A time-stamping authority says when the ledger had come how far
    Given a time-stamping authority
    When the newest checkpoint is stamped
    Then the authority's own tools verify the time stamp over the published checkpoint
