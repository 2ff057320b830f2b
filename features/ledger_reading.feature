Feature: Reading the record
  Who may read the record does so within their own institution, for a purpose, and leaves a record of it. What an employee did is
  answered to nobody alone. A patient learns who came to their pictures, when and why, without becoming a danger to those who work here.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And Dr. Weber of radiology and Dr. Klein of radiology have looked at it
    And there are pictures of another patient, at which Dr. Weber has looked

  @LOG-01
  Scenario: The record is read by the patient, and that is on record too
    When the data-protection officer searches the record for Erika Mustermann
    Then it finds what happened with her pictures and nothing else
    And persons are numbers in it
    And the ledger holds exactly 1 new act, a completed "ledger:read" with the number of results
    And nobody reads in the ledger whom the search was about

  @LOG-01
  Scenario: What names persons is opened when asked for, for one patient, and that is on record
    When the data-protection officer searches the record for Erika Mustermann and opens the details
    Then it tells that "r.weber" and "s.klein" were there
    And the ledger says that details were opened

  Scenario: Nobody opens the details of everybody at once
    When the data-protection officer opens the details of the whole record
    Then the request is refused
    And the ledger holds a refused "ledger:read" because of "Denied"

  Scenario Outline: Others do not read the record
    When <who> reads the record
    Then the request is refused
    And the ledger holds a refused "ledger:read"

    Examples:
      | who                        |
      | a radiologist              |
      | an administrator           |
      | the officer of the archive |

  Scenario: Another institution reads its own record and nothing of this one
    When the data-protection officer of another institution searches the record for Erika Mustermann
    Then it finds nothing
    And an entry of this institution does not exist for them

  @LOG-07
  Scenario: Two persons answer a question about an employee, and each step is on record
    When the data-protection officer asks what Dr. Weber did this week, with a reason
    Then the answer is refused as long as nobody else has approved
    When the officer of the archive approves it
    Then the data-protection officer reads what Dr. Weber did and nothing of Dr. Klein
    And the ledger holds the question, the approval and the reading
    And no name of them stands in the ledger or in the database

  @LOG-07
  Scenario Outline: Nobody approves alone
    Given the data-protection officer has asked what <about> did this week
    When <who> tries to approve it
    Then the request is refused
    And the answer is refused as long as nobody else has approved

    Examples:
      | about                      | who                                           |
      | Dr. Weber                  | the data-protection officer                   |
      | Dr. Weber                  | the data-protection officer in another role   |
      | the officer of the archive | the officer of the archive                    |
      | Dr. Weber                  | an administrator                              |

  @LOG-07
  Scenario: A refused question is answered to nobody
    Given the data-protection officer has asked what Dr. Weber did this week
    When the officer of the archive refuses it with a reason
    Then the answer is refused

  @LOG-07
  Scenario: An answer may be read for a week
    Given the data-protection officer has asked what Dr. Weber did this week
    And the officer of the archive has approved it
    When 7 days have passed
    Then the answer is refused

  @LOG-07
  Scenario Outline: There is no other way to an employee
    When the data-protection officer searches the record by <what>
    Then the request is refused
    And the ledger holds a refused "ledger:read" because of "Denied"

    Examples:
      | what                      |
      | the name of Dr. Weber     |
      | the pseudonym of Dr. Weber |

  @LOG-07
  Scenario: Whoever owns the database approves nothing
    Given the data-protection officer has asked what Dr. Weber did this week
    When someone with access to the database writes an approval
    Then the answer is refused

  @DSR-03
  Scenario: A patient learns who came to their pictures, when and why
    Given Dr. Lang of surgery has tried to see Erika Mustermann's pictures and was refused
    When the data-protection officer produces the extract for Erika Mustermann
    Then it tells when her pictures were stored and viewed, what for, and that somebody was refused
    And employees stand in it by role and department
    And it holds nothing of the other patient, no alias, no key and no address
    And the ledger holds exactly 1 new act, a completed "ledger:disclose"

  @DSR-03
  Scenario: Recipients outside of the institution are told by name
    Given the pictures were shared with an expert from outside, who has looked at them
    When the data-protection officer produces the extract for Erika Mustermann
    Then it names the expert as a recipient

  @DSR-03
  Scenario: Employees are named when the officer records why that is indispensable
    When the data-protection officer produces the extract with names because "she names the neighbour whom she suspects"
    Then it names "r.weber" and "s.klein"
    And the reason is sealed in the ledger

  @DSR-03
  Scenario Outline: Nobody else names employees
    When <who> asks for the extract with names <why>
    Then nobody is named
    And the ledger holds a refused "ledger:disclose"

    Examples:
      | who                         | why                                              |
      | the data-protection officer | without a reason                                 |
      | the operator                | because "she names the neighbour she suspects"   |

  @DSR-03
  Scenario: The extract is a page that a layman can read, in two languages
    When the operator writes the extract for Erika Mustermann as a page
    Then it says in German and in English who came, what for, and whom to ask

  Scenario: A single entry is proven to whoever has the public key
    Given the ledger has been published
    When the data-protection officer asks for the proof of entry 1
    Then it leads from the entry to the signed checkpoint
    And it proves no other entry
