Feature: What is logged names nobody
  Logs are read by people who have no business with patients, and copied to places that nobody remembers.
  So the archive's log says that something happened and how it came out, never to whom.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann

  @LOG-02
  Scenario: However the archive is asked, and however it fails, its log names nobody
    When a radiologist searches for her in every way there is, and opens her pictures
    And strangers, broken requests and unwanted pictures name her too
    And the data-protection officer looks up who came to her pictures
    Then the log of the archive, at its most talkative, has lines about it
    And none of them holds her name, her number, her birth date or a piece of her pictures
    And none of them holds the address of a request or the identifier of a study
