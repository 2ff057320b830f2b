Feature: The keys that everything is sealed under
  Pictures are sealed under keys of their own, and those are wrapped by one key of the house, which never leaves
  the key store. That key is turned from time to time. Whoever learns an old one, steals a machine that takes
  pictures in, or carries off the disks, must not be able to open a single picture by it.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann

  @SEC-03
  Scenario: A rotation wraps every key anew and rewrites no object
    When the administrator turns the key of the house
    And a minute later everything on the shelf is wrapped anew
    Then nothing on the shelf is wrapped under the old version
    And the old version unwraps nothing any more
    And every sealed object is byte for byte what it was
    And the first picture is unchanged
    And "CT1" can send the next picture without anyone restarting the archive
    And the ledger holds a completed "keys:rotate"
    And the ledger holds a completed "keys:rewrap"

  @SEC-03
  Scenario: A rewrapping that was killed goes on where it stood
    Given the keys of 250 more studies are on the shelf
    When the administrator turns the key of the house
    And somebody wraps the shelf anew at the command line, and is killed in the middle of it
    Then some keys are wrapped under the new version and some under the old one
    And the first picture is unchanged
    When a minute later everything on the shelf is wrapped anew
    Then only the keys that were left have been wrapped anew
    And nothing on the shelf is wrapped under the old version
    And the old version unwraps nothing any more
    And every sealed object is byte for byte what it was
    And the first picture is unchanged

  @SEC-03
  Scenario: What is forgotten while the shelf is wrapped anew stays forgotten
    Given the keys of 5 more studies are on the shelf
    When the administrator turns the key of the house
    And one of those keys is forgotten after the rewrapping has read it
    Then that key is not on the shelf
    And nothing on the shelf is wrapped under the old version

  @SEC-03
  Scenario: A key that cannot be wrapped anew keeps the old version alive, and somebody hears of it
    Given the keys of 5 more studies are on the shelf
    And somebody with the key store's disks has put one key in the place of another
    When the administrator turns the key of the house
    And a minute later everything on the shelf is wrapped anew
    Then the old version still unwraps
    And the ledger holds a failed "keys:rewrap"
    And the ledger holds a failed "system:alarm"

  @SEC-03
  Scenario: Who steals the machine that takes pictures in opens nothing with it
    When a thief asks the key store for everything there is with what that machine may
    Then no answer holds a key, wrapped or not
    And all that was done is to wrap something and to lay it on the shelf
    And no key on the shelf is another than before
    And the first picture is unchanged

  @SEC-03
  Scenario: A key store that is sealed in the middle of it stops reading, and nothing falls back to clear text
    When the administrator turns the key of the house
    And the key store is sealed
    Then nothing can be wrapped anew
    And a radiologist hears that it must try again later
    And a radiologist who searches hears that it must try again later
    And "CT1" hears that it must try again later
    And no file, temporary file or log of the archive holds a name, a number or a pixel of hers in any encoding
    When the key store is unsealed
    And a minute later everything on the shelf is wrapped anew
    Then nothing on the shelf is wrapped under the old version
    And the first picture is unchanged

  @SEC-03
  Scenario: A radiologist turns no key
    When a radiologist turns the key of the house
    Then the request is refused
    And the ledger holds a refused "keys:rotate"
