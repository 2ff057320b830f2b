Feature: The tumour board
  Several physicians look at several patients on one day. Whoever sits on the board sees what was brought to it while it
  is open, nothing else of those patients, and nothing at all afterwards. Who looked at what can be told.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And a clinician of radiology has convened a board with Dr. Herbst of oncology and an expert from outside

  @ACC-02 @ACC-03
  Scenario: Whoever sits on the board sees the cases and nothing else
    Given the study does not exist for Dr. Herbst
    When the convener brings the study to the board
    Then Dr. Herbst and the expert see the study
    And they find exactly this one study
    And a clinician of surgery who does not sit there does not see it

  Scenario: A member who leaves sees nothing at once
    Given the study is on the board
    When the convener removes Dr. Herbst
    Then the study does not exist for Dr. Herbst
    And the expert still sees the study

  Scenario: A closed board shows nothing to anybody
    Given the study is on the board
    When the convener closes the board
    Then the study does not exist for Dr. Herbst
    And the study does not exist for the expert

  Scenario: A board ends by itself on its day
    Given the study is on the board
    When 7 days have passed
    Then the study does not exist for Dr. Herbst
    And the study does not exist for the expert
    And the board says that it is "over"

  @ACC-02
  Scenario: What the convener may not see cannot be brought, and looks like what does not exist
    Given a study of surgery that the convener may not see
    When the convener brings that study to the board
    Then the answer is the same as for a study that does not exist

  Scenario: Nobody passes on what only the board shows them
    Given the study is on the board
    When Dr. Herbst invites somebody else to the study
    Then the request is refused

  Scenario: Each look is told to the convener and the data-protection officer
    Given the study is on the board
    When Dr. Herbst reads the study
    Then the convener and the data-protection officer see that Dr. Herbst read it
    And the ledger holds a completed "board:admit"

  Scenario: The board is nobody's business who does not sit on it
    Given the study is on the board
    Then for a clinician of surgery the board does not exist
