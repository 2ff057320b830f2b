"""The coded words of audit messages (PS3.16 CID 400, 401, 402, 404): pure data, each code named once.

Every code here was held against the standard's context groups (versions 20170416, 20170914, 20100826 and
20100621 of CID 400, 401, 402 and 404); a test compares them with the transcript beside it.
"""

from dataclasses import dataclass

DCM = "DCM"
RFC_3881 = "RFC-3881"


@dataclass(frozen=True, slots=True)
class Code:
    """One coded value: what stands in a message, and what it means (PS3.15 A.5.1, ``CodedValueType``)."""

    value: str
    meaning: str
    scheme: str = DCM


APPLICATION_ACTIVITY = Code("110100", "Application Activity")
AUDIT_LOG_USED = Code("110101", "Audit Log Used")
BEGIN_TRANSFERRING = Code("110102", "Begin Transferring DICOM Instances")
INSTANCES_TRANSFERRED = Code("110104", "DICOM Instances Transferred")
STUDY_DELETED = Code("110105", "DICOM Study Deleted")
QUERY = Code("110112", "Query")
SECURITY_ALERT = Code("110113", "Security Alert")
USER_AUTHENTICATION = Code("110114", "User Authentication")
EVENT_IDS = (
    APPLICATION_ACTIVITY,
    AUDIT_LOG_USED,
    BEGIN_TRANSFERRING,
    INSTANCES_TRANSFERRED,
    STUDY_DELETED,
    QUERY,
    SECURITY_ALERT,
    USER_AUTHENTICATION,
)
"""CID 400, as far as this archive does such things."""

APPLICATION_START = Code("110120", "Application Start")
APPLICATION_STOP = Code("110121", "Application Stop")
LOGIN = Code("110122", "Login")
LOGOUT = Code("110123", "Logout")
NODE_AUTHENTICATION = Code("110126", "Node Authentication")
EMERGENCY_STARTED = Code("110127", "Emergency Override Started")
SECURITY_CONFIGURATION = Code("110129", "Security Configuration")
RESTRICTED_FUNCTION = Code("110132", "Use of Restricted Function")
OBJECT_SECURITY_CHANGED = Code("110135", "Object Security Attributes Changed")
SECURITY_ROLES_CHANGED = Code("110136", "Security Roles Changed")
USER_SECURITY_CHANGED = Code("110137", "User Security Attributes Changed")
EMERGENCY_STOPPED = Code("110138", "Emergency Override Stopped")
AUTHORIZATION_DECISION = Code("110144", "Authorization Decision")
EVENT_TYPES = (
    APPLICATION_START,
    APPLICATION_STOP,
    LOGIN,
    LOGOUT,
    NODE_AUTHENTICATION,
    EMERGENCY_STARTED,
    SECURITY_CONFIGURATION,
    RESTRICTED_FUNCTION,
    OBJECT_SECURITY_CHANGED,
    SECURITY_ROLES_CHANGED,
    USER_SECURITY_CHANGED,
    EMERGENCY_STOPPED,
    AUTHORIZATION_DECISION,
)
"""CID 401, likewise."""

APPLICATION = Code("110150", "Application")
APPLICATION_LAUNCHER = Code("110151", "Application Launcher")
DESTINATION = Code("110152", "Destination Role ID")
SOURCE = Code("110153", "Source Role ID")
ROLES = (APPLICATION, APPLICATION_LAUNCHER, DESTINATION, SOURCE)
"""CID 402, likewise."""

STUDY_INSTANCE_UID = Code("110180", "Study Instance UID")
OBJECT_IDS = (STUDY_INSTANCE_UID,)
"""CID 404, likewise."""

PATIENT_NUMBER = Code("2", "Patient Number", RFC_3881)
SEARCH_CRITERIA = Code("10", "Search Criteria", RFC_3881)
URI = Code("12", "URI", RFC_3881)
"""PS3.15 A.5.1.2.4."""
