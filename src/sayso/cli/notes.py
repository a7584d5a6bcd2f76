"""What a command did by itself is told once, on standard error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sayso.cli.output import complain

if TYPE_CHECKING:
    from sayso.core import Sayso


def tell_made_key(where: str) -> None:
    """Tell that a master key was made, and what depends on it."""
    complain(
        f"a master key was made, {where}: whoever loses that file loses every template in the "
        "gallery, for good; keep a copy of it apart from the gallery and its backups"
    )


def tell_undeclared(app: Sayso, collection: str, purpose: str) -> None:
    """Tell that nobody can have agreed to a purpose: it may be mistyped."""
    declared = {each.name for each in app.purposes(collection)}
    if purpose not in declared:
        complain(
            f"nobody in {collection} has agreed to {purpose}: its purposes are "
            f"{', '.join(sorted(declared)) or 'none yet'}"
        )


@contextlib.contextmanager
def telling_declared(app: Sayso, collection: str, purposes: Sequence[str]) -> Iterator[None]:
    """Tell of the purposes that what is done here declares by itself.

    Raises CollectionNotFound before anything is done.
    """
    before = {each.name for each in app.purposes(collection)}
    yield
    new = set(purposes) - before
    if not new:
        return
    ours = [each.name for each in app.purposes(collection) if each.name in new and each.by_default]
    if ours:
        were = "purpose {} was" if len(ours) == 1 else "purposes {} were"
        complain(
            f"{were.format(', '.join(ours))} declared with a notice and a rule of ours (at most "
            f"three years after the last contact): sayso purposes list {collection} shows it, "
            "sayso purposes declare changes it"
        )
