"""What was erased, as the audit log tells of it."""

from __future__ import annotations

from collections.abc import Sequence

from sayso.audit.events import EndingReason, FacesErased
from sayso.gallery.erasure import FacesGone


def faces_erased(gone: Sequence[FacesGone], reason: EndingReason) -> list[FacesErased]:
    """Return the events of faces that went with their consent."""
    return [
        FacesErased(
            collection=each.collection, subject=each.subject, faces=each.faces, reason=reason
        )
        for each in gone
    ]
