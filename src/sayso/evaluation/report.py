"""The report of an evaluation: one HTML file that needs no other, for the screen and for paper."""

from __future__ import annotations

from functools import partial
from typing import Any

import jinja2
from markupsafe import Markup

from sayso.evaluation import plots, wording
from sayso.evaluation.evaluate import Evaluation
from sayso.evaluation.promises import EXPECTED, Promise
from sayso.evaluation.resampling import Estimate
from sayso.evaluation.suspects import SHOWN

_TEMPLATE = "report.html.jinja"
#: Failures that are listed; the JSON form has all of them.
MOST_FAILURES = 100


def render(evaluation: Evaluation) -> str:
    """Return the report as HTML: the same text for the same evaluation."""
    found = _environment().get_template(_TEMPLATE)
    return found.render(
        evaluation=evaluation,
        counts=evaluation.counts,
        provenance=evaluation.provenance,
        main=evaluation.results[0],
        summary=[_kept_together(each) for each in wording.summary(evaluation)],
        most_failures=MOST_FAILURES,
        most_suspects=SHOWN,
        default_expected=EXPECTED,
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sayso.evaluation", "."),
        autoescape=True,  # names of files and of people are whatever somebody called them
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": wording.shown,
        "percent": lambda value: _kept_together(wording.percent(value)),
        "interval": _interval,
        "one_in": wording.one_in,
        "times": wording.times,
        "score": wording.score,
        "expected": wording.expected,
        "promised": wording.promised,
        "seen_by_promised": _ratio,
        "verdict": wording.verdict,
        "number": "{:,}".format,
        "general": "{:g}".format,
    }
    environment.globals |= {
        name: partial(_markup, draw)
        for name, draw in (
            ("draw_distributions", plots.distributions),
            ("draw_det", plots.det),
            ("draw_searches", plots.searches),
            ("draw_groups", plots.group_rates),
            ("draw_discard", plots.discarded),
        )
    }
    return environment


def _kept_together(text: str) -> str:
    """Return a text in which no line breaks between a number and its percent sign."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _interval(found: Estimate | None) -> str:
    """Return a rate with its interval, between which alone a line may break."""
    return _broken_once(wording.with_interval(found))


def _ratio(promise: Promise) -> str:
    """Return seen by promised with its interval, between which alone a line may break."""
    return _broken_once(wording.seen_by_promised(promise))


def _broken_once(text: str) -> str:
    text = text.replace(" ", "\N{NO-BREAK SPACE}")
    return text.replace("\N{NO-BREAK SPACE}(", " (")


def _markup(draw: Any, *arguments: Any) -> Markup:
    """Return a drawing as it is: matplotlib has escaped the texts in it."""
    return Markup(draw(*arguments))  # noqa: S704 - see above
