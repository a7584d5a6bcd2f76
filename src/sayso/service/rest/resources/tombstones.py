"""Tombstones: what is left of those who were erased."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from sayso import results
from sayso.service.rest.values import Answer


class Tombstone(Answer):
    """What is left of an erased subject: no name, no biometrics."""

    id: str = Field(description="The id that the subject had.")
    collection: str
    created: datetime
    erased: datetime
    faces: int = Field(description="How many there were.")
    consents: int = Field(description="How many there were.")
    reason: Literal["asked", "withdrawn", "expired", "collection", "restore"]

    @classmethod
    def of(cls, found: results.Tombstone) -> Tombstone:
        """Return it as a document."""
        return cls(
            id=found.id,
            collection=found.collection,
            created=found.created,
            erased=found.erased,
            faces=found.faces,
            consents=found.consents,
            reason=found.reason,
        )
