Feature: What the ledger need not keep any longer goes
  Who did what with whose pictures is kept for three years, then it goes by itself: whole bundles of entries, oldest
  first, with the keys of what they said of persons. A certificate signed by the log stays in their place, and so
  does the fingerprint of each entry, so that everything that was ever proven still is. A legal hold suspends it.

  Background:
    Given an archive with the modality "CT1" of radiology
    And 300 entries of daily work are in the ledger

  @LOG-05
  Scenario: After three years entries go, and a signed certificate stays
    Given the ledger has been published
    When four years later the operator lets the ledger expire
    Then the entries 0 to 255 are gone from the database and from what is published
    And a certificate signed by the log says that the entries 0 to 255 went, and names nobody
    And the ledger holds the digest of that certificate
    And nothing that those entries said of persons opens any more
    When the ledger is verified
    Then the ledger is sound
    And the stand-alone verifier finds it sound

  @LOG-05
  Scenario: Before three years are over nothing goes
    Given the ledger has been published
    When two years later the operator lets the ledger expire
    Then every entry is still there
    And there is no certificate

  @LOG-05
  Scenario: What would go is shown before anything goes
    Given the ledger has been published
    When four years later the operator asks what would go
    Then they hear of 256 entries, how many keys, and until when
    And every entry is still there

  @LOG-05
  Scenario: A legal hold on a study keeps the ledger from its first entry about that study on
    Given "CT1" has sent the CT of Erika Mustermann
    And an officer has put a legal hold on that study
    And 300 entries of daily work are in the ledger
    And the ledger has been published
    When four years later the operator lets the ledger expire
    Then the entries 0 to 255 are gone from the database and from what is published
    And what the ledger says of Erika Mustermann still opens
    And the operator hears that a legal hold keeps the rest
    When an officer has ended the legal hold on that study
    And the ledger is published
    And four years later the operator lets the ledger expire
    Then the entries 0 to 511 are gone from the database and from what is published
    When the ledger is verified
    Then the ledger is sound

  @LOG-05
  Scenario: Only the operator lets the ledger expire
    Given the ledger has been published
    When four years later a radiologist lets the ledger expire
    Then that is refused
    And the ledger holds a refused "ledger:expire"
    And every entry is still there

  @LOG-05
  Scenario Outline: Entries that are taken away without the log's signature are missing
    Given the ledger has been published
    When somebody with access to <place> writes a certificate of their own and takes entries away
    Then <verifier> finds that entries are missing and that the certificate is forged

    Examples:
      | place              | verifier                 |
      | the database       | the archive              |
      | the published files| the stand-alone verifier |

  @LOG-05
  Scenario: A proof from before still holds after its entry has gone
    Given the ledger has been published
    And the data-protection officer has kept the proof of entry 7
    When four years later the operator lets the ledger expire
    Then the kept proof still holds
    And the entry itself is not there any more

  Scenario: After a patient is forgotten the ledger proves all it proved, and says nothing of her
    Given "CT1" has sent the CT of Erika Mustermann
    And a radiologist has read it
    And the ledger has been published
    And the data-protection officer has kept the proof of the entry that says so
    When the ledger keys of Erika Mustermann are forgotten
    Then nothing that the ledger said of Erika Mustermann opens any more
    And what it says of others opens as before
    And the kept proof still holds
    When the ledger is verified
    Then the ledger is sound
    And the stand-alone verifier finds it sound
