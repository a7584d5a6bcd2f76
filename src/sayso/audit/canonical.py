"""Canonical JSON: one text for one content, so that a hash of the text is a hash of the content.

This is RFC 8785 for what occurs in the log: names of fields in ASCII, whole numbers below 2**53,
and other numbers with at most four decimals, which Python and ECMAScript write alike.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_DECIMALS = 4
_LARGEST = 2**53 - 1
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)


def canonical(document: Mapping[str, Any]) -> str:
    """Return the canonical JSON of an object; numbers are rounded to four decimals.

    Raises ValueError for a number that is not finite or too large to be exact everywhere, and for
    text that is not Unicode; TypeError for what JSON has no word for.
    """
    written = _ENCODER.encode(_plain(document))
    written.encode()  # a lone surrogate fails here, before anything is hashed
    return written


def parse(text: str | bytes) -> dict[str, Any] | None:
    """Return the object that a JSON text holds, or None when it holds none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _plain(value: object) -> object:
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return _exact(value)
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    raise TypeError(f"canonical JSON has no word for a {type(value).__name__}")


def _exact(value: int) -> int:
    if abs(value) > _LARGEST:
        raise ValueError(f"{value} is too large for a number in JSON (RFC 8785, IEEE 754)")
    return int(value)


def _rounded(value: float) -> float | int:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number in JSON")
    rounded = round(float(value), _DECIMALS)
    return _exact(int(rounded)) if rounded.is_integer() else rounded
