Feature: The report that a data-protection officer signs
  What the ledger says of a time, verified while it was read: how much happened, what was refused, what was unusual and by
  which rule, and what nobody could see. It names nobody, is signed, and later acts change nothing in it once its time is over.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And a radiologist has looked at the pictures
    And the ledger has been published

  Scenario Outline: In both languages, as a page, as a document and as data
    When the officer asks for today's report in "<language>" as "<format>"
    Then it is delivered as "<media type>"
    And its signature holds, and no longer once a byte is changed
    And the ledger holds a completed "ledger:report" with the digest of what was delivered

    Examples:
      | language | format | media type       |
      | de       | html   | text/html        |
      | en       | html   | text/html        |
      | de       | pdf    | application/pdf  |
      | en       | pdf    | application/pdf  |
      | en       | json   | application/json |

  @LOG-01
  Scenario: It counts what happened
    When the officer asks for today's report
    Then it counts 1 act "study:create" and 1 act "study:read"

  @LOG-03
  Scenario: It says whether the ledger is sound
    When the officer asks for today's report
    Then it says that the ledger is sound
    When someone with access to the database changes one byte of entry 1
    And the officer asks for today's report
    Then it says that the ledger was found wanting at position 1

  Scenario: The same question has the same answer, whatever happens later
    Given the day is over
    And the ledger has been published
    When the officer asks for that day's report
    Then it names the signed head that covers the day
    When a radiologist looks at the pictures the next day
    And the officer asks for that day's report
    Then both reports and their signatures are the same, byte for byte

  Scenario: While the day goes on it says so
    When the officer asks for today's report
    Then it says that a later report will hold more

  @ACC-05
  Scenario Outline: Who may ask for it
    When a <role> asks for today's report
    Then it is <outcome>

    Examples:
      | role        | outcome   |
      | dpo         | delivered |
      | officer     | delivered |
      | admin       | refused   |
      | clinician   | refused   |
      | radiologist | refused   |
      | researcher  | refused   |

  @ACC-06
  Scenario: A broken glass is an open point until somebody else has judged it
    Given Dr. Lang of surgery has broken the glass for Erika Mustermann
    When the officer asks for today's report
    Then it lists the broken glass as "open", and as an open point
    When the officer judges it "justified"
    And the officer asks for today's report
    Then it lists the broken glass as "justified", and has no open point of it

  @ACC-08
  Scenario: Each look at a specially protected patient is told singly
    Given Erika Mustermann's pictures are protected as "vip"
    And Dr. Lang of surgery has broken the glass for Erika Mustermann
    And Dr. Lang has looked at the pictures 2 times
    When the officer asks for today's report
    Then the rule "protected" has flagged 2 accesses with the label "vip"

  Scenario: Whoever looks outside their own department is flagged by a rule that says so
    Given Dr. Lang of surgery has broken the glass for Erika Mustermann
    And Dr. Lang has looked at the pictures 1 time
    When the officer asks for today's report
    Then the rule "outside-department" has flagged Dr. Lang's pseudonym

  Scenario: A rule that the ledger cannot answer says why
    When the officer asks for today's report in "en" as "html"
    Then it says of "Own record" that it cannot be computed, and why

  Scenario: What it cannot see stands in every report
    When the officer asks for today's report in "en" as "html"
    Then it says what reports cannot see: the browser, after delivery, snapshots of the vault and five more

  @SEC-01
  Scenario Outline: It names nobody
    Given Dr. Lang of surgery has broken the glass for Erika Mustermann
    When the officer asks for today's report in "<language>" as "<format>"
    Then nothing of the person is in it, nor of Dr. Lang

    Examples:
      | language | format |
      | de       | html   |
      | en       | json   |
