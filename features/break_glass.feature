Feature: Breaking the glass
  In an emergency nobody waits for an invitation. Whoever breaks the glass has just proved who they are, says why,
  and reaches one patient of their own hospital for some hours. The data-protection officer hears of it at once,
  and it stays open until somebody else has looked at it.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And there are pictures of another patient

  @ACC-06
  Scenario: One patient, at once, for four hours
    Given Erika Mustermann's pictures are hidden from Dr. Lang of surgery
    When Dr. Lang breaks the glass for Erika Mustermann
    Then Dr. Lang sees Erika Mustermann's pictures, for the treatment and for the emergency
    And the other patient's pictures are hidden from Dr. Lang
    And Erika Mustermann's pictures are hidden from every colleague of Dr. Lang
    When 4 hours have passed
    Then Erika Mustermann's pictures are hidden from Dr. Lang

  @ACC-06
  Scenario: The patient may be named by one of her pictures, and the time may be shorter
    When Dr. Lang breaks the glass for whom one picture shows, for half an hour
    Then Dr. Lang sees Erika Mustermann's pictures, for the treatment and for the emergency
    When 1 hour has passed
    Then Erika Mustermann's pictures are hidden from Dr. Lang

  @ACC-06
  Scenario: Whoever needs it no longer ends it
    Given Dr. Lang has broken the glass for Erika Mustermann
    When Dr. Lang ends it
    Then Erika Mustermann's pictures are hidden from Dr. Lang

  @ACC-06
  Scenario Outline: Without a fresh login, a reason and one patient the glass stays whole
    When Dr. Lang tries to break the glass <how>
    Then Dr. Lang hears "<answer>"
    And nothing of the person is in the answer
    And the ledger holds exactly 1 new entry, a refused "break-glass:open"
    And Erika Mustermann's pictures are hidden from Dr. Lang
    And the officer has been told nothing

    Examples:
      | how                               | answer                                    |
      | with a login of an hour ago       | a fresh login is required                 |
      | without a reason                  | the body is wrong at reason: string too short |
      | with five blanks and a "because"  | the body is wrong at reason: string too short |
      | for five hours                    | the body is wrong at hours: less than equal   |
      | for a patient nobody knows        | There is no such object.                  |
      | for nobody in particular          | name the patient by a Patient ID or by one study |
      | for one of two patients with the same number | several patients have this Patient ID: name its issuer, or one of the patient's studies |

  @ACC-06
  Scenario Outline: Only those who give care break the glass
    When a <role> tries to break the glass for Erika Mustermann
    Then the request is refused
    And the ledger holds exactly 1 new entry, a refused "break-glass:open"

    Examples:
      | role         |
      | admin        |
      | dpo          |
      | officer      |
      | technologist |
      | referrer     |
      | researcher   |
      | guest        |

  @ACC-09
  Scenario Outline: Without a second factor nobody breaks the glass, uses it as such, or judges it
    Given Dr. Lang has broken the glass for Erika Mustermann
    When <who> without a second factor tries to <what>
    Then they hear "a second factor is required"
    And the ledger holds exactly 1 new entry, a refused "<action>"

    Examples:
      | who         | what                                | action                |
      | Dr. Lang    | break the glass                     | break-glass:open      |
      | Dr. Lang    | read the pictures for the emergency | study:read            |
      | the officer | list the emergencies                | break-glass:list      |
      | the officer | judge the emergency                 | break-glass:review    |
      | the officer | list the notices                    | notice:list           |
      | the officer | acknowledge a notice                | notice:acknowledge    |

  @ACC-06
  Scenario: No hospital reaches into another
    When a clinician of another hospital breaks the glass for Erika Mustermann
    Then they hear "There is no such object."
    And Erika Mustermann's pictures are hidden from the clinician of the other hospital

  @ACC-06 @ACC-08 @DSR-06
  Scenario: What is protected, restricted or long past opens too
    Given the pictures are protected as "vip", restricted, and from a treatment that ended long ago
    When Dr. Lang breaks the glass for Erika Mustermann
    Then Dr. Lang sees Erika Mustermann's pictures, for the treatment and for the emergency
    And each of these accesses is on record with the ground "an emergency of the patient"
    And the officer has been told of each of these accesses singly

  @ACC-06
  Scenario: The officer is told at once, and nobody on the way learns of whom
    Given notices go out by a signed webhook and by mail
    When Dr. Lang breaks the glass for Erika Mustermann
    Then within 5 seconds both have come, and name neither Dr. Lang nor Erika Mustermann
    And the officer reads who it was and why, and acknowledges it

  @ACC-06
  Scenario: Whoever should be told and is away hinders nobody and is told later
    Given notices go out by a signed webhook and by mail
    And neither is taken at the moment
    When Dr. Lang breaks the glass for Erika Mustermann
    Then Dr. Lang sees Erika Mustermann's pictures, for the treatment and for the emergency
    When both are taken again and the archive is started anew
    Then within 5 seconds both have come, and name neither Dr. Lang nor Erika Mustermann

  @ACC-06
  Scenario: It stays open until somebody else has judged it
    Given Dr. Lang has broken the glass for Erika Mustermann
    And Dr. Lang has looked at the pictures
    When 4 hours have passed
    Then the officer's report shows it as open, with the reason and that look
    And Dr. Lang cannot judge it, not even as an officer
    When the officer judges it justified
    Then the officer's report shows it as judged by the officer
    And nobody can judge it again

  @ACC-06
  Scenario: What was not justified ends at once
    Given Dr. Lang has broken the glass for Erika Mustermann
    When the officer judges it not justified
    Then Erika Mustermann's pictures are hidden from Dr. Lang
    And Dr. Lang sees how it was judged

  @ACC-06 @SEC-01
  Scenario: Nothing of it can be read on the disks
    Given Dr. Lang has broken the glass for Erika Mustermann
    And Dr. Lang has looked at the pictures
    When the officer judges it justified
    Then no file, temporary file or log of the archive holds a word of the reason or the remark
    And no file, temporary file or log of the archive holds a name, a number or a pixel of hers in any encoding
