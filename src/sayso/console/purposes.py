"""The choice of a collection, and of what names in it are wanted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sayso.console.visits import Visit
from sayso.results import Collection, Purpose


@dataclass(frozen=True, slots=True)
class Choice:
    """The collection that was chosen, or "" for none, with its purposes and the one to begin with.

    Where ``fixed``, the visitor came with a key, which has one purpose.
    """

    collection: str
    purposes: tuple[Purpose, ...]
    purpose: str
    fixed: bool = False


async def choose(visit: Visit, collections: Sequence[Collection]) -> Choice:
    """Return what the address asks for, or else the largest collection there is."""
    names = [each.name for each in collections]
    asked = visit.asked("collection")
    largest = max(collections, key=lambda each: each.subjects).name if collections else ""
    chosen = asked if asked in names else "" if asked == "-" else largest
    found = await visit.light(lambda: visit.app.purposes(chosen)) if chosen else ()
    if visit.caller.purpose is not None:
        return Choice(chosen, found, visit.caller.purpose, fixed=True)
    first = found[0].name if found else ""
    return Choice(chosen, found, visit.asked("purpose") or first)
