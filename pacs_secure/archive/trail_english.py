"""An extract in English, for people who know neither DICOM nor us."""

from pacs_secure.archive.trail_words import Words
from pacs_secure.core.access import Action, Purpose, Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.reports import Language
from pacs_secure.core.trails import Category

ENGLISH = Words(
    Language.ENGLISH,
    {
        "title": "Who has accessed your pictures",
        "subtitle": "Information under Article 15 of the General Data Protection Regulation (GDPR)",
        "institution": "Institution",
        "patient_id": "Your patient number",
        "produced": "Produced on",
        "times": "Time zone",
        "summary": "At a glance",
        "nothing": "Nothing is recorded about your pictures at this institution.",
        "recipients": "Outside of the institution, access was given to",
        "nobody": "nobody",
        "refused_attempts": "access refused",
        "examinations": "Your examinations",
        "number": "No.",
        "date": "Date",
        "kind": "Kind of pictures",
        "unknown": "unknown",
        "accesses": "Every single access",
        "when": "When",
        "what": "What happened",
        "which": "Examination",
        "why": "What for",
        "who": "Who",
        "how": "Result",
        "picture": "1 picture",
        "pictures": "{} pictures",
        "department": "{} department",
        "device": "device {}",
        "of_institution": "somebody of the institution “{}”",
        "outside": "person from outside: {}",
        "outside_unnamed": "person from outside",
        "given_to": "given to the institution “{}”",
        "none": "-",
        "notes": "What you should know about this",
        "by_role": (
            "Employees are listed by their task and department, not by name. The Court of Justice of the "
            "European Union has decided so (case C-579/21). If you need a name to exercise your rights, tell "
            "the data protection officer and say why."
        ),
        "named": (
            "Employees are named because the data protection officer has recorded that this is indispensable."
            " Please use the names for that only."
        ),
        "refusals": "“Refused” means that somebody tried, and saw nothing.",
        "searches": (
            "When your name appears in a list of search results and nobody opens your examination, this is "
            "not listed here."
        ),
        "after": (
            "What happens after pictures have reached a device or a person, such as a photograph of the "
            "screen, is nothing that the archive can record."
        ),
        "ledger": (
            "The list comes from a record that nobody can change unnoticed. This information is recorded in it too."
        ),
        "rights": (
            "The data protection officer of the institution answers your questions. You may also complain to "
            "the supervisory authority (Article 77 GDPR)."
        ),
    },
    {
        Category.STORED: "pictures stored",
        Category.VIEWED: "pictures viewed or retrieved",
        Category.SEARCHED: "searched for your examinations",
        Category.SHARED: "shared with somebody",
        Category.BOARD: "used in a case conference",
        Category.EMERGENCY: "emergency access",
        Category.CARE: "noted who treats you",
        Category.CHANGED: "protection of your pictures",
        Category.ERASED: "erasure",
        Category.OVERSIGHT: "control of accesses",
        Category.OTHER: "other act",
    },
    {
        Action.BREAK_GLASS_END: "emergency access ended",
        Action.BREAK_GLASS_OPEN: "emergency access begun",
        Action.BREAK_GLASS_REVIEW: "emergency access reviewed",
        Action.CARE_END: "noted that somebody no longer treats you",
        Action.LEDGER_DISCLOSE: "information like this produced",
        Action.LEDGER_READ: "record of accesses looked at",
        Action.SHARE_CREATE: "shared with somebody",
        Action.SHARE_REDEEM: "shared pictures accepted",
        Action.SHARE_REVOKE: "sharing ended",
        Action.STUDY_CLASSIFY: "protection of your pictures looked at or changed",
    },
    {
        Purpose.BREAK_GLASS: "medical emergency",
        Purpose.HEALTH_RESEARCH: "research",
        Purpose.OPERATIONS: "running and supervising the institution",
        Purpose.PATIENT_REQUEST: "at your request",
        Purpose.SYSTEM_ADMINISTRATION: "technical administration",
        Purpose.TREATMENT: "your treatment",
    },
    {
        Outcome.BEGUN: "still under way",
        Outcome.COMPLETED: "done",
        Outcome.ABORTED: "broken off",
        Outcome.FAILED: "failed",
        Outcome.REFUSED: "refused",
    },
    {
        Role.ADMIN: "system administration",
        Role.CLINICIAN: "treating physician",
        Role.DPO: "data protection",
        Role.GUEST: "invited guest",
        Role.MODALITY: "imaging device",
        Role.OFFICER: "management of the archive",
        Role.OPERATOR: "technical operation",
        Role.RADIOLOGIST: "radiologist",
        Role.REFERRER: "referring practice",
        Role.RESEARCHER: "research",
        Role.STRANGER: "unknown",
        Role.TECHNOLOGIST: "technologist",
        Role.WORKSTATION: "workstation",
    },
    {},
    {
        "CR": "X-ray",
        "CT": "computed tomography (CT)",
        "DX": "X-ray",
        "MG": "mammography",
        "MR": "magnetic resonance imaging (MRI)",
        "NM": "nuclear medicine",
        "OT": "other pictures",
        "PT": "positron emission tomography (PET)",
        "RF": "fluoroscopy",
        "SR": "report",
        "US": "ultrasound",
        "XA": "angiography",
    },
    "%d %B %Y",
)
