"""Makes ``audit-messages.json`` beside it from fixed entries: ``python -m tests.vectors.generate_messages``.

`tests/unit/messages/test_messages_vectors.py` fails when making it anew gives other bytes. What the messages
must be is held by the standard's own schema and by the models of fhir.resources, not by this file: it shows
what changes.
"""

import json
from pathlib import Path

from pacs_secure.messages import dicom_xml, fhir_event, syslog
from tests.audit_drafts import chosen

FILE = Path(__file__).parent / "audit-messages.json"


def text() -> str:
    """Render every chosen entry in each format."""
    made = {
        name: {
            "dicom": dicom_xml.render(one),
            "fhir": fhir_event.render(one),
            "syslog": syslog.frame(one).decode().partition("<AuditMessage>")[0],
        }
        for name, one in chosen().items()
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
