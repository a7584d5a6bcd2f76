"""What was passed over in folders, reported by reason."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sayso.cli.output import complain, shown
from sayso.folders import WHY, PassedOver, Reason

#: Names that are given of each reason; more would bury the rest.
_NAMED = 5


def passed_over_document(passed_over: Iterable[PassedOver]) -> list[dict[str, str]]:
    """Return what was passed over as JSON has it."""
    return [
        {"path": str(each.path), "reason": each.reason, "why": WHY[each.reason]}
        for each in passed_over
    ]


def tell_passed_over(passed_over: Iterable[PassedOver]) -> None:
    """Report on standard error what was passed over, and why: a line for each reason."""
    by_reason: dict[Reason, list[Path]] = {}
    for each in passed_over:
        by_reason.setdefault(each.reason, []).append(each.path)
    for reason, paths in by_reason.items():
        # A name with a line break in it must not begin a line of its own.
        named = ", ".join(shown(path) for path in paths[:_NAMED])
        more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
        complain(f"passed over {len(paths):,} ({WHY[reason]}): {named}{more}")
