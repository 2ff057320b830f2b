"""Settles the form of an answer: the Accept header against what is on offer (RFC 9110 12.5.1, PS3.18 8.7)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request

from pacs_secure.core.errors import Malformed

LONGEST_ACCEPT = 8 * 1024
MOST_RANGES = 64

ANY_SYNTAX = "*"
MULTIPART = "multipart/related"
DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
JSON = "application/json"
OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One member of an Accept header."""

    media_type: str
    """Lower case; ``*/*`` and ``type/*`` included."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    quality: float = 1.0


@dataclass(frozen=True, slots=True)
class Offer:
    """One form in which the answer could go out."""

    media_type: str
    """Of the whole answer."""
    part_type: str = ""
    """Of each part, when the answer is multipart."""
    syntaxes: frozenset[str] = frozenset()
    """Transfer syntaxes a client may name and get what is stored; nothing is transcoded."""

    @property
    def content_type(self) -> str:
        """The media type of the pixels or instances themselves, inside parts or alone."""
        return self.part_type or self.media_type


JSON_OFFERS = (Offer(DICOM_JSON), Offer(JSON))


def negotiate(request: Request, offers: Sequence[Offer]) -> Offer:
    """Return the offer that a request likes best, or end it with 406; see `choose`."""
    offer = choose(", ".join(request.headers.getlist("accept")), offers)
    if offer is None:
        raise HTTPException(HTTPStatus.NOT_ACCEPTABLE, "None of the accepted media types can be delivered as stored.")
    return offer


def choose(accept: str, offers: Sequence[Offer]) -> Offer | None:
    """Return the offer the client likes best, or None when it accepts none (406).

    Of ranges that fit an offer the most specific one rates it; of offers rated alike the one
    whose range stands first wins, then the one offered first. Without an Accept header, or with
    an empty one, everything is acceptable.

    Raises:
        Malformed: the header is longer than anybody needs.
    """
    ranges = parse(accept or "*/*")
    rated = [(rating, offer) for offer in offers if (rating := _rate(ranges, offer)) is not None]
    return min(rated, key=lambda pair: pair[0])[1] if rated else None


def parse(header: str) -> list[MediaRange]:
    """Read an Accept header, leniently: values may be quoted or not, and a broken member is passed over.

    Raises:
        Malformed: it is longer or has more members than anybody needs.
    """
    if len(header) > LONGEST_ACCEPT:
        raise Malformed("the Accept header is too long")
    members = list(split(header, ","))
    if len(members) > MOST_RANGES:
        raise Malformed("the Accept header names too many media types")
    return [found for member in members if (found := _media_range(member)) is not None]


def parameters(text: str) -> tuple[str, dict[str, str]]:
    """Read ``value; name=value; …`` as of Content-Type: the value in lower case, parameters unquoted."""
    first, *rest = split(text, ";")
    found: dict[str, str] = {}
    for item in rest:
        name, _, value = item.partition("=")
        found.setdefault(name.strip().lower(), _unquoted(value.strip()))
    return first.lower(), found


def split(text: str, separator: str) -> Iterator[str]:
    """Yield what lies between separators that no quotation mark protects, stripped."""
    start, quoted, escaped = 0, False, False
    for place, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            yield text[start:place].strip()
            start = place + 1
    yield text[start:].strip()


def _media_range(member: str) -> MediaRange | None:
    media_type, found = parameters(member)
    main, slash, sub = media_type.partition("/")
    if not (main and slash and sub) or (main == "*" and sub != "*"):
        return None
    quality = _quality(found.pop("q", "1"))
    return None if quality is None else MediaRange(media_type, found, quality)


def _quality(text: str) -> float | None:
    """Read a weight (RFC 9110 12.4.2); None when it is none."""
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        return None
    value = float(text)
    return value if value <= 1 else None


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value


def _rate(ranges: Sequence[MediaRange], offer: Offer) -> tuple[float, int] | None:
    """Rate an offer: smaller is better; None when no range accepts it."""
    fitting = [(_specificity(one), -place, one) for place, one in enumerate(ranges) if _fits(one, offer)]
    if not fitting:
        return None
    _, place, best = max(fitting, key=lambda found: found[:2])
    return (-best.quality, -place) if best.quality > 0 else None


def _specificity(one: MediaRange) -> tuple[int, int]:
    return 2 - one.media_type.count("*"), len(one.parameters)


def _fits(one: MediaRange, offer: Offer) -> bool:
    main = offer.media_type.partition("/")[0]
    if one.media_type not in {"*/*", f"{main}/*", offer.media_type}:
        return False
    kind = one.parameters.get("type", "").lower()
    if offer.part_type and kind not in {"", "*/*", offer.part_type}:
        return False
    syntax = one.parameters.get("transfer-syntax", ANY_SYNTAX)
    return syntax in {"", ANY_SYNTAX} or syntax in offer.syntaxes
