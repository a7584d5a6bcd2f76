"""What was erased, as the audit log tells of it."""

from __future__ import annotations

from collections.abc import Sequence

from sayso.audit.events import FacesErased, FacesErasureReason
from sayso.gallery.erasure import FacesGone


def faces_erased(gone: Sequence[FacesGone], reason: FacesErasureReason) -> list[FacesErased]:
    """Return the events of faces that are gone."""
    return [
        FacesErased(
            collection=each.collection, subject=each.subject, faces=each.faces, reason=reason
        )
        for each in gone
    ]
