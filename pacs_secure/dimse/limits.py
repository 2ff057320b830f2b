"""What callers of the DICOM door may take of the archive."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What callers may take of the archive; times in seconds, sizes in bytes."""

    connections: int = 200
    associations: int = 150
    """Of the connections; the rest stays for whoever has yet to hear that there are enough."""
    unproven_per_address: int = 64
    """Connections of one address that have not yet said who they are."""
    handshake: float = 3.0
    association_request: float = 10.0
    """From the handshake to the whole A-ASSOCIATE-RQ."""
    silence: float = 60.0
    """Without a whole PDU within an association."""
    look_again: float = 5.0
    """After which a device that sends is looked up again: it may have been revoked."""
    sweep: float = 10.0
    """Between two looks at every running association, idle ones too: whoever was revoked is sent away."""
    data_set: int = 2 * 1024**3
    data_sets: int = 4 * 1024**3
    """Of all associations together, while they are received and stored."""
    refusals_per_second: int = 10
    """Refused connections that get a ledger entry each; the rest are counted into the next."""
