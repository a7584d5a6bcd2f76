"""Who may still be shown: what an earlier run found of people who withdrew since is done anew."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sayso.core import Sayso


@dataclass(frozen=True, slots=True)
class Standing:
    """Those of a collection who have faces and agree to a purpose now, and since when they are."""

    since: Mapping[str, datetime]

    @classmethod
    def of(cls, app: Sayso, collection: str, purpose: str) -> Standing:
        """Read it from the gallery; this is on record."""
        return cls(
            {
                each.name: each.created
                for each in app.subjects(collection)
                if each.faces and purpose in each.purposes
            }
        )

    def holds(self, named: Collection[str], at: str) -> bool:
        """Return whether all who were named at a time, in ISO 8601, may still be.

        Somebody who was erased since is another subject, even under the same name.
        """
        when = datetime.fromisoformat(at)
        return all(name in self.since and self.since[name] <= when for name in named)
