Feature: Keys that are made beforehand
  A modality does not wait for a key store that is being mended. So the archive can keep keys ready that no picture
  uses yet; but a key that no backup of the key store holds would be lost with it, and its pictures too.

  Background:
    Given an archive with the modality "CT1" of radiology, which keeps 2 keys of each kind ready
    And "CT1" has sent the CT of Erika Mustermann
    And the keys are made

  @SEC-03
  Scenario: Pictures come in while the key store is sealed, as long as keys last; nothing is read
    Given a minute later a backup of the key store was made, restored and found whole
    When the key store is sealed
    Then "CT1" can send pictures of 2 more studies
    And "CT1" can send more of the first study
    And a radiologist hears that it must try again later
    And a radiologist who searches hears that it must try again later
    And "CT1" hears that it must try again later for yet another study
    And the archive holds 4 objects
    And no file, temporary file or log of the archive holds a name, a number or a pixel of hers in any encoding
    When the key store is unsealed
    Then every picture that was taken in is there, byte for byte

  @SEC-03
  Scenario: A key that no backup of the key store holds is not used
    When the key store is sealed
    Then "CT1" hears that it must try again later for yet another study
    And the archive holds 1 object

  @SEC-03
  Scenario: What an archive has made beforehand and never used opens nothing when it has ended
    Given a minute later a backup of the key store was made, restored and found whole
    Then 2 keys of each kind are ready
    When the archive lets go of them
    Then no key is ready, and what lies on the shelf of them is wrapped
