"""Resolves what a query calls an attribute, keyword or tag, by the data dictionary (PS3.18 8.3.4.1)."""

import re

from pacs_secure.core.errors import Malformed
from pacs_secure.dicom.dictionary import ATTRIBUTES, US_OR_SS, Attribute

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_FIRST_GROUP = 0x0008
"""Groups below belong to commands, files and directories, never to an instance."""

_BY_KEYWORD = {
    attribute.keyword: attribute
    for tag, attribute in ATTRIBUTES.items()
    if attribute.keyword and tag >> 16 >= _FIRST_GROUP
}


def resolve(keyword_or_tag: str) -> Attribute:
    """Return the attribute of a keyword ("PatientName") or a tag ("00100010", in either case).

    Attributes within sequences ("a.b") are not taken as keys.

    Raises:
        Malformed: the dictionary knows no such attribute of an instance.
    """
    attribute = _BY_KEYWORD.get(keyword_or_tag)
    if attribute is None and _TAG.fullmatch(keyword_or_tag):
        known = ATTRIBUTES.get(int(keyword_or_tag, 16))
        attribute = known and _BY_KEYWORD.get(known.keyword)
    if attribute is None:
        raise Malformed("no attribute has this name or tag")
    return attribute._replace(vr="US") if attribute.vr == US_OR_SS else attribute
