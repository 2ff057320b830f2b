Feature: Giving pictures back
  The right person gets the picture at once. The wrong one learns nothing, not even that it exists.
  Whatever is delivered was on record before its first byte left.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann

  @INT-01
  Scenario Outline: What is given back is byte for byte what was received
    Given "CT1" has sent a picture in <transfer syntax>
    When a radiologist receives that picture
    Then its Data Set has the SHA-256 of the one that was sent
    And each of its frames is the one that was sent
    And another transfer syntax is refused, not made

    Examples:
      | transfer syntax           |
      | Implicit VR Little Endian |
      | Explicit VR Little Endian |
      | Explicit VR Big Endian    |
      | JPEG 2000                 |

  @ACC-01
  Scenario Outline: Without a purpose there is no answer, only a record
    When a researcher without a purpose asks <what>
    Then the request is refused as not allowed
    And nothing of the person is in the answer
    And the ledger holds exactly 1 new entry, a refused "<action>"

    Examples:
      | what                        | action       |
      | for that study              | study:read   |
      | for that study's metadata   | study:read   |
      | for a frame of that study   | study:read   |
      | which studies there are     | study:search |

  @ACC-02
  Scenario: A colleague of another department cannot tell a forbidden study from none
    When a clinician of dermatology asks for that study
    And a clinician of dermatology asks for a study that does not exist
    Then both hear the same answer
    And both requests are on record as refused

  @ACC-05
  Scenario Outline: Some roles never see a picture, nor a name
    When a <role> of radiology asks for that study for the purpose <purpose>
    Then the request is refused
    And the ledger holds exactly 1 new entry, a refused "study:read"
    When a <role> of radiology searches for the Patient ID "ERIKA-4711" for the purpose <purpose>
    Then the request is refused
    And nothing of the person is in the answer
    And the ledger holds exactly 1 new entry, a refused "study:search"

    Examples:
      | role       | purpose   |
      | admin      | HSYSADMIN |
      | admin      | TREAT     |
      | dpo        | HOPERAT   |
      | dpo        | TREAT     |
      | officer    | HOPERAT   |
      | operator   | HSYSADMIN |
      | researcher | HRESCH    |
      | researcher | TREAT     |
      | modality   | TREAT     |

  @ACC-05
  Scenario Outline: Only those who watch over the ledger may read it
    When a <role> of radiology asks to verify the ledger
    Then the request is <answer>

    Examples:
      | role        | answer  |
      | dpo         | allowed |
      | operator    | allowed |
      | clinician   | refused |
      | radiologist | refused |
      | researcher  | refused |
      | admin       | refused |

  @ACC-05
  Scenario Outline: Only those who configure the archive may let a device in
    When a <role> of radiology enrols the modality "MR1"
    Then the request is <answer>
    And the modality "MR1" is <standing>

    Examples:
      | role        | answer  | standing |
      | admin       | allowed | known    |
      | operator    | allowed | known    |
      | dpo         | refused | unknown  |
      | radiologist | refused | unknown  |

  @LOG-01
  Scenario: The record comes before the picture
    When a radiologist begins to receive that study
    Then a begun "study:read" is in the ledger before the first byte
    When the radiologist goes away in the middle
    Then the ledger says that the delivery was aborted

  @LOG-01
  Scenario Outline: Every act is one record that says everything
    When <what> happens
    Then the ledger holds exactly 1 new act, a <outcome> "<action>"
    And it says who, in which role, <whose>, when, where from, for which purpose, under which rule and how it came out

    Examples:
      | what                            | outcome   | action       | whose                 |
      | a transfer                      | completed | study:create | whose                 |
      | a delivery                      | completed | study:read   | whose                 |
      | a delivery of metadata          | completed | study:read   | whose                 |
      | a delivery of a damaged picture | failed    | study:read   | whose                 |
      | a search                        | completed | study:search | what was searched for |
      | a search for an impossible date | failed    | study:search | what was searched for |
      | a refusal                       | refused   | study:read   | whose                 |
      | a probe for what does not exist | refused   | study:read   | what was asked for    |
      | a refused transfer              | refused   | study:create | nothing of the person |

  @LOG-04
  Scenario: No ledger, no picture
    When the ledger cannot be written
    Then a radiologist hears that it must try again later
    And a radiologist who searches hears that it must try again later
    And not one byte was opened
    And "CT1" hears that it must try again later
