Feature: A second store of pictures
  Every sealed object lies a second time in another store. A store that is gone, or a copy that somebody
  has damaged, costs no patient a picture; and whatever is removed goes from both.

  Background:
    Given an archive with a second store of pictures and the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann

  @INT-01
  Scenario: What was stored lies in the second store a moment later
    When the second store has caught up
    Then both stores hold the same sealed objects
    And nothing waits to be copied

  @INT-01
  Scenario: While the first store is gone, pictures are read from the second
    Given the second store has caught up
    When the first store is gone
    Then a radiologist receives the picture unchanged
    And "CT1" is told to try again later

  @INT-01
  Scenario Outline: A damaged picture is made good from the second store, and the officer hears of it
    Given the second store has caught up
    When someone <touches> the object in the first store
    Then a radiologist receives the picture unchanged
    And an alarm on record says that a copy in the first store is damaged
    And a deep verification still finds it wanting

    Examples:
      | touches          |
      | flips a byte of  |
      | cuts the end off |
      | removes          |

  @INT-01
  Scenario: While the second store is gone, pictures are taken in, and copied afterwards
    Given the second store is gone
    When "CT1" sends the next picture
    Then it is taken in
    And two pictures wait to be copied
    And the officer hears of it when they have waited too long
    When the second store is back and has caught up
    Then both stores hold the same sealed objects
    And the officer hears that it is over

  Scenario: What was removed goes from the second store too
    Given the second store has caught up
    When the object is removed from the archive
    Then it is in neither store

  Scenario: A first store that was emptied empties nothing
    Given the second store has caught up
    When somebody empties the first store
    And both stores are compared
    Then both stores hold the same sealed objects
    And an alarm on record says that a copy in the first store is damaged
