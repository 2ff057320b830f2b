Feature: Audit messages that other systems understand
  Hospitals gather in one place what their systems record, and look there for what happened. So every entry
  of the ledger can be had as a DICOM audit message and as a FHIR AuditEvent, and a repository gets all of them by
  itself. They name nobody: who may know more asks the archive.

  Background:
    Given an archive with the modality "CT1" of radiology
    And "CT1" has sent the CT of Erika Mustermann
    And a radiologist has read that study

  @LOG-06
  Scenario: Every entry is an audit message that the schema of the DICOM standard accepts
    When the ledger is passed on as DICOM audit messages
    Then there is one message for every entry, and each leads to its entry and its proof
    And each of them is valid by the schema of the DICOM standard

  @LOG-06
  Scenario: Every entry is a FHIR AuditEvent, and what was done with pictures follows the patterns of IHE
    When the ledger is passed on as FHIR AuditEvents
    Then there is one event for every entry, and each is a valid AuditEvent
    And one event follows "PatientCreate", by a modality for the purpose TREAT
    And one event follows "PatientRead", by a radiologist for the purpose TREAT

  @LOG-06
  Scenario: No message names the patient or whoever acted
    When the ledger is passed on as DICOM audit messages
    And the ledger is passed on as FHIR AuditEvents
    Then no name, number or identifier of the patient stands in them, and no name of whoever acted

  @LOG-06
  Scenario: Passing the ledger on is an act of its own, and for the operator of the machine only
    When the ledger is passed on as FHIR AuditEvents
    Then the ledger says from which entry to which it was passed on
    And a radiologist and the data-protection officer cannot pass it on

  @LOG-06
  Scenario: A repository gets every entry by syslog over TLS, and loses none when its power fails
    Given a repository that takes audit messages over TLS
    When the repository loses its power
    And a radiologist has read that study
    And the power is back
    Then the repository holds the message of every entry

  @LOG-06
  Scenario: The data-protection officer reads audit events over FHIR, page by page
    When the data-protection officer asks for the events about that patient, two at a time
    Then the pages hold every entry about that patient once, newest first
    And whoever acted is a number there, and that they were asked for is on record

  @LOG-06
  Scenario: Nobody else reads audit events over FHIR
    When a radiologist asks for audit events
    Then they are refused in words of FHIR, and that is on record
