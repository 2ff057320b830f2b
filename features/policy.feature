Feature: The policy, explained and changed by two
  Anybody who oversees the archive can ask why a decision comes out as it does. The rules change when one person proposes
  and another approves, at once and whole, and each entry of the ledger names the rules that it was decided by.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann

  Scenario: Why somebody does not see a study, and what would change it
    When an admin asks why a clinician of dermatology may not read that study
    Then the explanation says hidden by "default deny"
    And it would be otherwise with "department", "treating", "invited" or "emergency"
    And the ledger holds a completed "policy:explain"

  @ACC-05
  Scenario: One person alone changes nothing
    Given an admin has proposed that radiologists see old studies no longer
    Then the radiologist still sees the study
    When whoever proposed it tries to approve it
    Then the request is refused

  @ACC-05
  Scenario: Two persons change the policy, in force at once and named in the next entry
    Given an admin has proposed that clinicians read their department's studies no longer
    And a clinician of radiology sees the study
    When the data-protection officer approves it
    Then the study does not exist for a clinician of radiology
    And the last entry names the new policy and the ones before it the old

  @ACC-05
  Scenario Outline: A policy that breaks a law of the house is not even proposed
    When an admin proposes a policy that <breaks>
    Then the proposal is refused because it <complaint>

    Examples:
      | breaks                                     | complaint                        |
      | lets administrators read                   | oversight never sees pictures    |
      | lets one role propose and approve          | these duties are separate        |
      | contradicts the truth table                | truth table                      |
