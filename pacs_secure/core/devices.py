"""What an enrolled DICOM node is: by which key it is known, and what it may call itself, ask for and bring."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network

from pacs_secure.core.errors import Malformed
from pacs_secure.core.identifiers import Institution, uid

OPERATIONS = frozenset({"store", "find", "get", "move"})
"""What a device may be allowed to ask for."""
LONGEST_AE_TITLE = 16
LONGEST_HOST = 253
LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Device:
    """One enrolled DICOM node."""

    ae_title: str
    """Its name in this archive, and the AE title it calls with."""
    institution: Institution
    department: str
    operations: frozenset[str]
    """What it may ask for: store, find, get, move."""
    spki_sha256: bytes
    """SHA-256 of its certificate's SubjectPublicKeyInfo (RFC 5280 4.1.2.7)."""
    host: str
    port: int
    revoked_at: datetime | None = None
    also_ae_titles: frozenset[str] = frozenset()
    """Further AE titles it may call with."""
    networks: frozenset[str] = frozenset()
    """Where it may call from, as CIDR (RFC 4632, RFC 4291 2.3); empty: from anywhere."""
    sop_classes: frozenset[str] = frozenset()
    """Storage SOP Class UIDs it may bring; empty: any."""
    identity_required: bool = False
    """Whether a person must stand behind it (PS3.7 D.3.3.7)."""
    serial: str = ""
    """Its certificate's serial number, lower-case hexadecimal; "" when it is not known."""
    not_after: datetime | None = None
    """UTC; the end of its certificate's validity."""
    proof: bytes = field(default=b"", repr=False)
    """Shows that the archive wrote it (`pacs_secure.archive.proven_devices`)."""

    def answers_to(self, ae_title: str) -> bool:
        """Say whether it may call itself so; blanks around an AE title count for nothing (PS3.5 6.2)."""
        return ae_title.strip(" ") in {self.ae_title, *self.also_ae_titles}

    def may_call_from(self, address: str) -> bool:
        """Say whether a network address is one of its own; what is no address is none of anybody's."""
        if not self.networks:
            return True
        try:
            one = ip_address(address)
        except ValueError:
            return False
        if isinstance(one, IPv6Address) and one.ipv4_mapped is not None:
            one = one.ipv4_mapped
        return any(one in ip_network(network) for network in self.networks)

    def may_bring(self, sop_class_uid: str) -> bool:
        """Say whether it may store instances of a SOP class."""
        return not self.sop_classes or sop_class_uid in self.sop_classes


def describe(
    of: Institution,
    title: str,
    *,
    department: str,
    allow: Iterable[str],
    host: str = "",
    port: int = 0,
    also: Iterable[str] = (),
    calling_from: Iterable[str] = (),
    bringing: Iterable[str] = (),
    identity_required: bool = False,
) -> Device:
    """Describe a device that has no certificate yet, from the words of whoever enrols it.

    Raises:
        Malformed: an AE title, an operation, a network, a SOP class or the address is none.
    """
    if not host.isprintable() or len(host) > LONGEST_HOST or not 0 <= port <= LAST_PORT:
        raise Malformed("a device listens at a host name or address, and a port")
    name = ae_title(title)
    return Device(
        name,
        of,
        department,
        operations(allow),
        b"",
        host,
        port,
        also_ae_titles=frozenset(map(ae_title, also)) - {name},
        networks=networks(calling_from),
        sop_classes=sop_classes(bringing),
        identity_required=identity_required,
    )


def ae_title(text: str) -> str:
    """Return a valid AE title without the blanks around it.

    Raises:
        Malformed: it is none (PS3.5 6.2, VR AE).
    """
    title = text.strip(" ")
    if not 0 < len(title) <= LONGEST_AE_TITLE or "\\" in title or not (title.isascii() and title.isprintable()):
        raise Malformed("an AE title is 1 to 16 printable characters without backslash")
    return title


def operations(names: Iterable[str]) -> frozenset[str]:
    """Return a set of known operations; raises `Malformed` for an unknown one, and for none at all."""
    known = frozenset(name.strip() for name in names)
    if not known or not known <= OPERATIONS:
        raise Malformed(f"a device may be allowed {', '.join(sorted(OPERATIONS))}")
    return known


def networks(texts: Iterable[str]) -> frozenset[str]:
    """Return networks in their canonical form; raises `Malformed` when one is none or has host bits set."""
    try:
        return frozenset(str(ip_network(text.strip())) for text in texts)
    except ValueError:
        raise Malformed("a network is written as CIDR, such as 10.1.2.0/24") from None


def sop_classes(texts: Iterable[str]) -> frozenset[str]:
    """Return SOP Class UIDs; raises `Malformed` when one is none (PS3.5 9.1)."""
    return frozenset(uid(text.strip()) for text in texts)


def device_uri(of: Institution, title: str) -> str:
    """Return the URI in a device's certificate that names it; blanks of the AE title are escaped (RFC 8141)."""
    return f"urn:pacs:{of}:ae:{title.replace('%', '%25').replace(' ', '%20')}"


DEVICE_URI_PREFIX = "urn:pacs:"
"""How every URI of `device_uri` begins."""
