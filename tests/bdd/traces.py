"""Searches every byte that was written for what must not be readable: words, and pieces of pictures."""

from base64 import b16encode, b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path

_CHARACTER_SETS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1")
_PIECE = 16
"""Bytes of a picture that nobody meets by chance."""
_EVERY = 1 << 16
"""How far apart the pieces lie that are looked for."""
_PAGE = 4096
_SHORTEST = 8
"""Characters of base64 that nobody meets by chance."""


def traces(roots: Iterable[Path], words: Iterable[str], pictures: Iterable[bytes]) -> list[str]:
    """Return what was found and where; nothing else makes the list empty."""
    needles = {needle: what for what, needle in (*_written(words), *_pieces(pictures))}
    return [
        f"{what} in {path}"
        for path in _files(roots)
        for content in (_content(path).lower(),)
        for needle, what in needles.items()
        if needle in content
    ]


def _content(path: Path) -> bytes:
    """Return what a file holds, without the blank pages of a database that is mostly empty."""
    with path.open("rb") as file:
        return b"".join(page for page in iter(lambda: file.read(_PAGE), b"") if page.strip(b"\0"))


def _files(roots: Iterable[Path]) -> Iterator[Path]:
    for root in roots:
        yield from (path for path in sorted(root.rglob("*")) if path.is_file())


def _written(words: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield each word in every character set, as it is, in hexadecimal, and in base64 at every alignment."""
    for word in words:
        for written in {form.encode(charset) for form in (word, word.upper()) for charset in _CHARACTER_SETS}:
            yield word, written.lower()
            yield f"{word} in hexadecimal", b16encode(written).lower()
            for lead in range(3):
                # The first and the last characters also depend on what stands around the word.
                encoded = b64encode(bytes(lead) + written)[4 if lead else 0 : -4].lower()
                if len(encoded) >= _SHORTEST:
                    yield f"{word} in base64", encoded


def _pieces(pictures: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    for pixels in pictures:
        assert len(pixels) >= _PIECE
        for start in range(0, len(pixels) - _PIECE + 1, _EVERY):
            yield f"pixels at {start}", pixels[start : start + _PIECE].lower()
