"""The application: one method for each thing that a user can do.

Whatever way in is used, it ends here. A ``Sayso`` is bound to one ``Caller``: none of its methods
can be called by nobody. Each of them begins with ``_admit``, which asks whether the caller may, and
does what it does in an ``Act``, which commits only with its entry in the audit log. Nothing else
opens changes of the store.
"""

from __future__ import annotations

from sayso.core.application import (
    Sayso,
    open,  # noqa: A004 - sayso.open() reads well
    require_gallery,
)
from sayso.core.looking import DEFAULT_SIMILARITY, RULE_ALONE, PictureFile, PictureSource
from sayso.core.restoring import restore

__all__ = [
    "DEFAULT_SIMILARITY",
    "RULE_ALONE",
    "PictureFile",
    "PictureSource",
    "Sayso",
    "open",
    "require_gallery",
    "restore",
]
