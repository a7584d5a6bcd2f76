"""Evaluations: pictures are sent to one by a script of the page, and what it found is read here."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from starlette.responses import Response

from sayso.console import words
from sayso.console.routing import Page
from sayso.console.visits import Visit
from sayso.core.evaluations import MOST_PICTURES
from sayso.results import EvaluationRun
from sayso.vision.types import MODES

#: What is being measured; a page about it looks again by itself.
_BUSY: Final = frozenset({"waiting", "measuring", "drawing"})


async def _list(visit: Visit) -> Response:
    found = await visit.light(visit.app.evaluations)
    return visit.page(
        "reports.html",
        reports=found[::-1],
        modes=MODES,
        most=MOST_PICTURES,
    )


async def _one(visit: Visit) -> Response:
    name = visit.asked("evaluation")
    run = await visit.light(lambda: visit.app.evaluation(name))
    found = None
    if run.state == "done":
        found = await visit.light(lambda: visit.app.evaluation_figures(name))
    return visit.page(
        "evaluation.html",
        run=run,
        summary=() if found is None else found.summary,
        busy=run.state in _BUSY,
        file=_file_of(run),
    )


def _file_of(run: EvaluationRun) -> str:
    """Return what the report is called as a file."""
    kept = "".join(each if each.isalnum() or each in "-_" else "-" for each in run.name[:60])
    return f"{kept.strip('-') or 'report'}-{_when(run):%Y-%m-%d}.html"


def _when(run: EvaluationRun) -> datetime:
    return run.finished or run.created


async def _discard(visit: Visit) -> Response:
    run = await visit.light(lambda: visit.app.discard_evaluation(visit.given("evaluation")))
    return visit.go("reports", note=words.say("reports.discarded", name=run.name))


PAGES = (
    Page("reports", _list, {"discard": _discard}),
    Page("reports/one", _one, {"discard": _discard}),
)
