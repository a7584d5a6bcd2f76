"""Base64 as clients send it: strict (RFC 4648, section 4), but for the breaks between its lines.

``base64 FILE`` and most libraries for mail break lines at 64 or 76 characters (RFC 2045).
"""

from __future__ import annotations

import base64
import binascii

_BREAKS = str.maketrans("", "", " \t\r\n")


def decoded(text: str) -> bytes:
    """Return what a text in Base64 holds; raises ValueError for anything else."""
    try:
        return base64.b64decode(text.translate(_BREAKS).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("this is no base64 (RFC 4648, section 4, with padding)") from None
