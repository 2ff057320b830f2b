"""The ways an act can fail, said without the words of any protocol.

Every door translates this one hierarchy with one table of its own (``dimse.statuses``,
``web.problems``); a test holds that each error has a row in each. Messages reach senders and
logs, so they never carry an identifier of a person.
"""


class ArchiveError(Exception):
    """An act failed; the subclass says how."""


class Unauthenticated(ArchiveError):
    """The caller has not proved who they are."""


class Denied(ArchiveError):
    """The caller may know of the object but may not do this to it."""


class NotFound(ArchiveError):
    """There is no such object, or the caller may not know that there is."""


class Hidden(NotFound):
    """The object exists and the caller may not know it: looks like `NotFound` to them."""


class Malformed(ArchiveError):
    """The input breaks the standard where the archive must rely on it."""


class OverLimit(ArchiveError):
    """The input is larger, deeper or more than the archive will take."""


class TooOften(ArchiveError):
    """The caller does this more often than anybody has to."""

    def __init__(self, message: str = "too many attempts; wait and try again", seconds: int = 1) -> None:
        super().__init__(message)
        self.seconds = seconds
        """After which one more is allowed."""


class Conflict(ArchiveError):
    """Another object already holds this identity with other content."""


class Held(ArchiveError):
    """A legal hold or a retention period forbids the act."""


class Tampered(ArchiveError):
    """Stored bytes do not prove to be what was written."""


class Unavailable(ArchiveError):
    """Something needed (keys, ledger, store) is out of reach; trying again later may help."""


EVERY_ERROR: tuple[type[ArchiveError], ...] = (
    Unauthenticated,
    Denied,
    NotFound,
    Hidden,
    Malformed,
    OverLimit,
    TooOften,
    Conflict,
    Held,
    Tampered,
    Unavailable,
)
