Feature: Safe from the first minute
  A fresh installation knows nobody, answers nobody who has not proved who they are, and can be reached from its own machine
  alone. It opens no door that it could not guard: without TLS, keys, ledger or an issuer of identities it does not start.

  @ACC-11
  Scenario Outline: There is no account that anybody could guess
    Given an archive that has just been installed
    When somebody comes with <credential>
    Then they are refused as not authenticated

    Examples:
      | credential                                     |
      | no credential                                  |
      | the name and password "admin"                  |
      | the name and password "orthanc"                |
      | the name and password "pacs"                   |
      | a token that says "admin" and is not signed    |
      | a token signed with the word "secret"          |
      | a token signed with nothing                    |
      | a token of a development issuer of their own   |
      | a session cookie of their own making           |

  @ACC-11
  Scenario: Nothing is answered to a stranger but whether the archive lives, how it is asked, and where to log in
    Given an archive that has just been installed
    When a stranger tries every endpoint with every method
    Then all of them are refused as not authenticated, but for those that tell nothing of anybody
    And nobody, no device and no session is known

  @ACC-11
  Scenario: Both doors are on this machine alone until somebody decides otherwise
    Given a configuration that says nothing of addresses
    Then the DICOM door and the web door are on loopback
    And a configuration with the development issuer and another address is refused
    And without the development issuer another address is accepted

  @ACC-11 @SEC-03
  Scenario: What is whole starts
    Given a configuration for production on a real vault
    When the archive is started
    Then it gets ready

  @ACC-11 @SEC-03
  Scenario Outline: What is not whole does not start
    Given a configuration for production on a real vault
    But <what is missing>
    When the archive is started
    Then it ends without having opened a door, and says why

    Examples:
      | what is missing                                     |
      | there is no certificate for the web door            |
      | the configuration names no certificate for the web  |
      | there is no certificate for the DICOM door          |
      | the private key belongs to another certificate      |
      | there are no credentials for the vault              |
      | the vault cannot be reached                         |
      | the vault is sealed                                 |
      | the institution has no key in the vault             |
      | the ledger cannot be opened                         |
      | the ledger is of another version                    |
      | nobody vouches for identities                       |

  @ACC-11 @SEC-03
  Scenario: What the archive logs in with at the key store is delivered wrapped, and lies on no disk
    Given a configuration for production on a real vault
    And what it logs in with is delivered wrapped
    When the archive is started
    Then it gets ready
    And nothing that it logs in with is left on the disk

  @ACC-11 @SEC-03
  Scenario: Whoever has opened it on the way is noticed
    Given a configuration for production on a real vault
    And what it logs in with is delivered wrapped
    But somebody has opened what its signer logs in with
    When the archive is started
    Then it ends without having opened a door, and says why
    And an alarm about the signer is on record
