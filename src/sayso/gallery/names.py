"""The rules for names, checked before any work is done.

They are Amazon Rekognition's own patterns, so that every name that is good here is good there:
``CollectionId``, and ``ExternalImageId`` for subjects. Purposes are ours.

Names of nothing but dots are not given, though they fit those patterns: in a path, ``.`` and ``..``
are steps, and a client or proxy that takes them makes of a subject's path its collection's. There
may be some from before that was so; they can be asked for, withdrawn and erased.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sayso.errors import InvalidName

_LONGEST = 255
_SHOWN = 60
_COLLECTION = re.compile(r"[a-zA-Z0-9_.\-]{1,255}")
_SUBJECT = re.compile(r"[a-zA-Z0-9_.\-:]{1,255}")
_PURPOSE = re.compile(r"[a-z0-9-]{1,64}")
_OF_COLLECTIONS = "1 to 255 of the letters a-z and A-Z, digits and _ . -, and not only dots"
_OF_SUBJECTS = "1 to 255 of the letters a-z and A-Z, digits and _ . - :, and not only dots"


def check_collection(name: str) -> str:
    """Return a name that a collection may be given, or raise InvalidName."""
    return _check("collection", _COLLECTION, _OF_COLLECTIONS, name, given=True)


def check_subject(name: str) -> str:
    """Return a name that a subject may be given, or raise InvalidName."""
    return _check("subject", _SUBJECT, _OF_SUBJECTS, name, given=True)


def known_collection(name: str) -> str:
    """Return a name that a collection may have from before, or raise InvalidName."""
    return _check("collection", _COLLECTION, _OF_COLLECTIONS, name)


def known_subject(name: str) -> str:
    """Return a name that a subject may have from before, or raise InvalidName."""
    return _check("subject", _SUBJECT, _OF_SUBJECTS, name)


def check_purpose(name: str) -> str:
    """Return the name of a purpose, or raise InvalidName."""
    return _check("purpose", _PURPOSE, "1 to 64 of the small letters a-z, digits and -", name)


def check_purposes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the purposes, sorted and each once; raise InvalidName for none or a bad one."""
    if isinstance(names, str):
        raise InvalidName(f"purposes must be a list of names, not the text {_shown(names)}")
    purposes = tuple(sorted({check_purpose(name) for name in names}))
    if not purposes:
        raise InvalidName("a consent must name at least one purpose, such as photo-delivery")
    return purposes


def is_text(value: str) -> bool:
    """Tell whether a string can be stored: bytes of an argument that are no UTF-8 cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(
    kind: str, pattern: re.Pattern[str], rule: str, name: object, *, given: bool = False
) -> str:
    # fullmatch, because $ would let a trailing line feed pass.
    if not isinstance(name, str) or not pattern.fullmatch(name) or (given and _is_step(name)):
        raise InvalidName(f"{_shown(name)} is no name for a {kind}: use {rule}")
    return name


def _is_step(name: str) -> bool:
    return not name.strip(".")


def _shown(name: object) -> str:
    text = repr(name)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
