"""An audit message on the wire: the header of RFC 5424, framed by its length (RFC 5425 4.3; IHE ITI-20)."""

from pacs_secure.messages.dicom_xml import render
from pacs_secure.messages.occurrence import Occurrence

FACILITY = 10
"""Security and authorization (RFC 5424 Table 1), as ITI-20 wants it."""
APPLICATION, MESSAGE_ID = "pacs_secure", "DICOM+RFC3881"
_SEVERITIES = {"0": 5, "4": 4}
_ERROR = 3
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""Says that the message is UTF-8 (RFC 5424 6.4)."""
_LONGEST_HOST = 255


def frame(one: Occurrence) -> bytes:
    """Write an entry as one syslog frame."""
    priority = FACILITY * 8 + _SEVERITIES.get(one.indicator, _ERROR)
    at = one.draft.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    header = f"<{priority}>1 {at} {_host(one)} {APPLICATION} - {MESSAGE_ID} -"
    message = f"{header} {_BOM}{render(one)}".encode()
    return b"%d %s" % (len(message), message)


def _host(one: Occurrence) -> str:
    """Return the archive's name as far as a header can hold it: printable US-ASCII without blanks."""
    return "".join(letter for letter in one.archive.place if "!" <= letter <= "~")[:_LONGEST_HOST] or "-"
