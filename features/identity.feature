Feature: Proving who one is, for as long as it is true
  Whoever reads pictures has logged in at the hospital's identity provider, a short while ago, and by two factors where much is
  at stake. A login that is over opens nothing any more: not a search, not one more frame of a study that is open on the screen.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And an identity provider where people of the hospital log in

  @ACC-12
  Scenario Outline: A login that is over opens nothing any more
    Given a radiologist has logged in with a browser and looks at the CT
    When <what happens>
    Then the radiologist's next request is refused as not authenticated, whatever it is for
    And the ledger holds a refused "session:authenticate" because of "Unauthenticated"

    Examples:
      | what happens                                                        |
      | the radiologist logs out                                            |
      | the radiologist does nothing for 15 minutes                         |
      | the radiologist works on for 10 hours without logging in again      |
      | an administrator revokes the radiologist                            |
      | an administrator revokes this one login                             |
      | the operator revokes the radiologist at the command line's door     |
      | the identity provider says that the login is over                   |

  @ACC-12
  Scenario: Who goes on working stays logged in
    Given a radiologist has logged in with a browser and looks at the CT
    When the radiologist asks for a frame every 10 minutes for 9 hours
    Then each of them was given

  @ACC-12
  Scenario: A copied cookie is worth nothing after the logout
    Given a radiologist has logged in with a browser and looks at the CT
    And somebody has copied the browser's cookie
    When the radiologist logs out
    Then the copied cookie opens nothing either

  @ACC-12
  Scenario Outline: An access token that was revoked is refused before its time
    Given a program of the radiologist reads the CT with an access token
    When <what happens>
    Then the program's next request is refused as not authenticated, whatever it is for
    And a colleague's program reads on

    Examples:
      | what happens                             |
      | an administrator revokes the radiologist |
      | an administrator revokes this one token  |

  @ACC-12
  Scenario: Revoking a person is on record, and names them to nobody who may not know
    Given a radiologist has logged in with a browser and looks at the CT
    When an administrator revokes the radiologist
    Then the ledger holds a completed "session:revoke"
    And neither the person nor the reason stands in clear in the ledger or in the database

  @ACC-12
  Scenario: After a revocation one logs in anew
    Given a radiologist has logged in with a browser and looks at the CT
    When an administrator revokes the radiologist
    Then the radiologist can log in again and look at the CT

  @ACC-09
  Scenario Outline: Without a second factor nobody acts where much is at stake
    Given a <role> has logged in with a browser by <factor>
    When the <role> tries to <act>
    Then the answer is <answer>

    Examples:
      | role      | act                         | factor          | answer      |
      | admin     | list the devices            | a password only | not allowed |
      | admin     | list the devices            | two factors     | allowed     |
      | admin     | revoke a colleague's logins | a password only | not allowed |
      | admin     | revoke a colleague's logins | two factors     | allowed     |
      | dpo       | revoke a colleague's logins | a password only | not allowed |
      | dpo       | revoke a colleague's logins | two factors     | allowed     |
      | dpo       | list broken glasses         | a password only | not allowed |
      | dpo       | list broken glasses         | two factors     | allowed     |
      | clinician | break the glass             | a password only | not allowed |
      | clinician | break the glass             | two factors     | allowed     |

  @ACC-09
  Scenario: That a second factor was missing is on record
    Given a admin has logged in with a browser by a password only
    When the admin tries to list the devices
    Then the ledger holds a refusal whose reason is "no second factor"
