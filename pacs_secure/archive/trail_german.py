"""An extract in German, for people who know neither DICOM nor us."""

from pacs_secure.archive.trail_words import Words
from pacs_secure.core.access import Action, Purpose, Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.reports import Language
from pacs_secure.core.trails import Category

GERMAN = Words(
    Language.GERMAN,
    {
        "title": "Wer auf Ihre Bilder zugegriffen hat",
        "subtitle": "Auskunft nach Artikel 15 der Datenschutz-Grundverordnung (DSGVO)",
        "institution": "Einrichtung",
        "patient_id": "Ihre Patientennummer",
        "produced": "Erstellt am",
        "times": "Zeitzone",
        "summary": "Auf einen Blick",
        "nothing": "Zu Ihren Bildern ist in dieser Einrichtung nichts verzeichnet.",
        "recipients": "Außerhalb der Einrichtung haben Zugang erhalten",
        "nobody": "niemand",
        "refused_attempts": "Zugriff verweigert",
        "examinations": "Ihre Untersuchungen",
        "number": "Nr.",
        "date": "Datum",
        "kind": "Art der Aufnahmen",
        "unknown": "unbekannt",
        "accesses": "Jeder einzelne Zugriff",
        "when": "Wann",
        "what": "Was geschah",
        "which": "Untersuchung",
        "why": "Wozu",
        "who": "Wer",
        "how": "Ergebnis",
        "picture": "1 Bild",
        "pictures": "{} Bilder",
        "department": "Abteilung {}",
        "device": "Gerät {}",
        "of_institution": "jemand aus der Einrichtung „{}“",
        "outside": "Person von außerhalb: {}",
        "outside_unnamed": "Person von außerhalb",
        "given_to": "weitergegeben an die Einrichtung „{}“",
        "none": "-",
        "notes": "Was Sie dazu wissen sollten",
        "by_role": (
            "Beschäftigte sind mit ihrer Aufgabe und Abteilung genannt, nicht mit Namen. So hat es der "
            "Europäische Gerichtshof entschieden (Urteil C-579/21). Brauchen Sie einen Namen, um Ihre Rechte "
            "wahrzunehmen, sagen Sie es der oder dem Datenschutzbeauftragten und nennen Sie den Grund."
        ),
        "named": (
            "Die Namen der Beschäftigten sind genannt, weil die oder der Datenschutzbeauftragte festgehalten "
            "hat, dass sie unverzichtbar sind. Bitte verwenden Sie sie nur dafür."
        ),
        "refusals": "„Verweigert“ heißt: Jemand hat es versucht, aber nichts gesehen.",
        "searches": (
            "Erscheint Ihr Name in einer Trefferliste, ohne dass jemand Ihre Untersuchung öffnet, steht das "
            "nicht in dieser Aufstellung."
        ),
        "after": (
            "Was nach der Übermittlung an ein Gerät oder eine Person geschieht, etwa ein Foto vom Bildschirm,"
            " kann das Archiv nicht aufzeichnen."
        ),
        "ledger": (
            "Die Aufstellung stammt aus einem Protokoll, das niemand unbemerkt ändern kann. Auch diese "
            "Auskunft ist darin verzeichnet."
        ),
        "rights": (
            "Fragen beantwortet die oder der Datenschutzbeauftragte der Einrichtung. Sie können sich außerdem"
            " bei der Datenschutz-Aufsichtsbehörde beschweren (Artikel 77 DSGVO)."
        ),
    },
    {
        Category.STORED: "Bilder gespeichert",
        Category.VIEWED: "Bilder angesehen oder abgerufen",
        Category.SEARCHED: "nach Ihren Untersuchungen gesucht",
        Category.SHARED: "mit jemandem geteilt",
        Category.BOARD: "in einer Fallbesprechung verwendet",
        Category.EMERGENCY: "Notfallzugriff",
        Category.CARE: "eingetragen, wer Sie behandelt",
        Category.CHANGED: "Angaben zum Schutz Ihrer Bilder",
        Category.ERASED: "Löschung",
        Category.OVERSIGHT: "Kontrolle der Zugriffe",
        Category.OTHER: "sonstiger Vorgang",
    },
    {
        Action.BREAK_GLASS_END: "Notfallzugriff beendet",
        Action.BREAK_GLASS_OPEN: "Notfallzugriff begonnen",
        Action.BREAK_GLASS_REVIEW: "Notfallzugriff überprüft",
        Action.CARE_END: "ausgetragen, dass jemand Sie behandelt",
        Action.LEDGER_DISCLOSE: "Auskunft wie diese erstellt",
        Action.LEDGER_READ: "Verzeichnis der Zugriffe eingesehen",
        Action.SHARE_CREATE: "mit jemandem geteilt",
        Action.SHARE_REDEEM: "geteilte Bilder angenommen",
        Action.SHARE_REVOKE: "Teilen beendet",
        Action.STUDY_CLASSIFY: "Angaben zum Schutz Ihrer Bilder angesehen oder geändert",
    },
    {
        Purpose.BREAK_GLASS: "medizinischer Notfall",
        Purpose.HEALTH_RESEARCH: "Forschung",
        Purpose.OPERATIONS: "Betrieb und Aufsicht der Einrichtung",
        Purpose.PATIENT_REQUEST: "auf Ihren Wunsch",
        Purpose.SYSTEM_ADMINISTRATION: "technische Verwaltung",
        Purpose.TREATMENT: "Ihre Behandlung",
    },
    {
        Outcome.BEGUN: "noch im Gange",
        Outcome.COMPLETED: "ausgeführt",
        Outcome.ABORTED: "abgebrochen",
        Outcome.FAILED: "misslungen",
        Outcome.REFUSED: "verweigert",
    },
    {
        Role.ADMIN: "Systemverwaltung",
        Role.CLINICIAN: "behandelnde Ärztin oder Arzt",
        Role.DPO: "Datenschutz",
        Role.GUEST: "eingeladener Gast",
        Role.MODALITY: "Aufnahmegerät",
        Role.OFFICER: "Archivleitung",
        Role.OPERATOR: "technischer Betrieb",
        Role.RADIOLOGIST: "Fachärztin oder Facharzt für Radiologie",
        Role.REFERRER: "überweisende Praxis",
        Role.RESEARCHER: "Forschung",
        Role.STRANGER: "unbekannt",
        Role.TECHNOLOGIST: "medizinisch-technisches Personal",
        Role.WORKSTATION: "Bildschirmarbeitsplatz",
    },
    {
        "cardiology": "Kardiologie",
        "dermatology": "Dermatologie",
        "emergency": "Notaufnahme",
        "gynaecology": "Gynäkologie",
        "internal medicine": "Innere Medizin",
        "neurology": "Neurologie",
        "oncology": "Onkologie",
        "orthopaedics": "Orthopädie",
        "paediatrics": "Kinderheilkunde",
        "psychiatry": "Psychiatrie",
        "radiology": "Radiologie",
        "surgery": "Chirurgie",
        "urology": "Urologie",
    },
    {
        "CR": "Röntgen",
        "CT": "Computertomographie (CT)",
        "DX": "Röntgen",
        "MG": "Mammographie",
        "MR": "Magnetresonanztomographie (MRT)",
        "NM": "Nuklearmedizin",
        "OT": "andere Aufnahmen",
        "PT": "Positronen-Emissions-Tomographie (PET)",
        "RF": "Durchleuchtung",
        "SR": "Befundbericht",
        "US": "Ultraschall",
        "XA": "Gefäßdarstellung (Angiographie)",
    },
    "%d.%m.%Y",
)
