"""The plots of a report: inline SVG whose colours are CSS variables, the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

import numpy as np

from sayso.evaluation.discard import Discard
from sayso.evaluation.drawing import Axes, Figure, NullLocator, mpl
from sayso.evaluation.evaluate import ScorerResult
from sayso.evaluation.groups import GroupRates, Groups
from sayso.evaluation.verification import Verification
from sayso.evaluation.wording import shown

#: Colours that stand for CSS variables in the drawing; see the style of the report.
_INK, _FAINT, _PAPER = "#010203", "#040506", "#070809"
_SERIES = ("#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05", "#0a0b06")
_VARIABLES = {
    _INK: "currentColor",
    _FAINT: "var(--faint)",
    _PAPER: "var(--paper)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES, start=1)},
}
_STYLES = ("-", "--", "-.", ":")
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a group may be called $x$
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "axes.unicode_minus": False,
}


def distributions(verification: Verification, scorer: str) -> str:
    """Draw how genuine and impostor scores are distributed."""
    found = verification.distribution
    with _figure("scores-" + _slug(scorer), (6.4, 3.4)) as (figure, drawn):
        axes = figure.subplots()
        for shares, name, colour in (
            (found.impostor, "impostor pairs (two people)", _SERIES[1]),
            (found.genuine, "genuine pairs (one person)", _SERIES[0]),
        ):
            axes.stairs(shares, found.edges, fill=True, color=colour, alpha=0.35)
            axes.stairs(shares, found.edges, color=colour, label=name, linewidth=1.4)
        for number, point in enumerate(p for p in verification.points if p.threshold):
            axes.axvline(
                float(point.threshold or 0),
                color=_INK,
                linewidth=0.8,
                linestyle=_STYLES[1 + number % 3],
                label=f"threshold for FMR {point.false_match_rate:g}",
            )
        axes.set(xlabel=f"score ({shown(scorer)})", ylabel="share of pairs")
        axes.set_yticks([])
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return drawn.svg


def det(results: Sequence[ScorerResult]) -> str:
    """Draw FNMR against FMR with its band, for every scorer."""
    verified = [(each.scorer, each.verification.det) for each in results if each.verification]
    with _figure("det", (6.4, 4.2)) as (figure, drawn):
        axes = figure.subplots()
        least = 1.0
        for number, (scorer, found) in enumerate(verified):
            colour = _SERIES[number % len(_SERIES)]
            seen = found.fnmr > 0
            bounded = seen & np.isfinite(found.high)
            axes.fill_between(
                found.fmr[bounded],
                np.maximum(found.low[bounded], 1e-6),
                found.high[bounded],
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
            axes.plot(
                found.fmr[seen],
                found.fnmr[seen],
                _STYLES[number % 4],
                color=colour,
                label=shown(scorer),
            )
            least = min([least, *found.fnmr[seen], *found.low[bounded & (found.low > 0)]])
        if not any((found.fnmr > 0).any() for _, found in verified):
            _say(axes, "no pair of pictures of one person was missed")
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="false-match rate (FMR)",
            ylabel="false-non-match rate (FNMR)",
            ylim=(max(least / 1.5, 1e-4), 1),
        )
        _percent_ticks(axes)
        if len(verified) > 1:
            axes.legend(loc="upper right")
    return drawn.svg


def searches(result: ScorerResult) -> str:
    """Draw FNIR against FPIR for every size of the gallery."""
    with _figure("searches-" + _slug(result.scorer), (6.4, 4.0)) as (figure, drawn):
        axes = figure.subplots()
        galleries = result.identification.galleries if result.identification else ()
        least = 1.0
        for number, gallery in enumerate(galleries):
            seen = (gallery.fpir > 0) & (gallery.fnir > 0)
            axes.plot(
                gallery.fpir[seen],
                gallery.fnir[seen],
                _STYLES[number % 4],
                color=_SERIES[number % len(_SERIES)],
                label=f"{gallery.size:,} enrolled",
            )
            least = min([least, *gallery.fnir[seen]])
        if not any(((each.fpir > 0) & (each.fnir > 0)).any() for each in galleries):
            _say(axes, "no search missed the person")
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="false-positive identification rate (FPIR)",
            ylabel="false-negative identification rate (FNIR)",
            ylim=(max(least / 1.5, 1e-4), 1),
        )
        _percent_ticks(axes)
        axes.legend(loc="best")
    return drawn.svg


def group_rates(groups: Groups, rates: GroupRates, scorer: str) -> str:
    """Draw FMR and FNMR of each group with intervals."""
    names = [shown(group.name) for group in groups.groups]
    name = f"groups-{_slug(scorer)}-{rates.false_match_rate:g}"
    with _figure(name, (6.8, 1.3 + 0.32 * len(names))) as (figure, drawn):
        left, right = figure.subplots(1, 2, sharey=True)
        places = np.arange(len(names))
        own = [rates.fmr[i][i] for i in places]
        for axes, found, label in (
            (left, own, "FMR within the group"),
            (right, list(rates.fnmr), "FNMR"),
        ):
            for place, each in zip(places, found, strict=True):
                if each is None:
                    continue
                if each.low is not None and each.high is not None:
                    axes.plot(
                        [each.low, each.high],
                        [place, place],
                        color=_SERIES[0],
                        alpha=0.5,
                        linewidth=4,
                        solid_capstyle="butt",
                    )
                axes.plot([each.value], [place], "o", color=_SERIES[0], markersize=5)
            axes.set_xlabel(label)
            axes.locator_params(axis="x", nbins=5)
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.tick_params(axis="x", labelsize=8)
        if any(each is not None and each.value > 0 for each in own):
            left.axvline(rates.false_match_rate, color=_INK, linewidth=0.8, linestyle="--")
            left.set_xscale("symlog", linthresh=rates.false_match_rate / 10)
            left.set_xlim(left=0)
            left.xaxis.set_minor_locator(NullLocator())
        for axes in (left, right):  # last: a scale brings a formatter of its own
            axes.xaxis.set_major_formatter(_percent)
        left.set_yticks(places, names)
    return drawn.svg


def discarded(found: Discard, scorer: str) -> str:
    """Draw FNMR against the share of pairs that was discarded."""
    with _figure("discard-" + _slug(scorer), (6.4, 3.2)) as (figure, drawn):
        axes = figure.subplots()
        axes.plot(
            found.shares,
            found.fnmr,
            "o-",
            color=_SERIES[0],
            markersize=4,
            label="lowest quality discarded first",
        )
        axes.axhline(
            found.fnmr[0], color=_INK, linewidth=1, linestyle=":", label="discarded at random"
        )
        axes.plot(
            found.shares, found.best, "--", color=_SERIES[1], linewidth=1.2, label="best possible"
        )
        axes.set(xlabel="share of genuine pairs discarded", ylabel="FNMR of the others")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(_percent)
        axes.yaxis.set_major_formatter(_percent)
        axes.legend(loc="best", fontsize=8)
    return drawn.svg


class _Drawn:
    """The SVG of a figure once it is done."""

    svg = ""


@contextmanager
def _figure(name: str, size: tuple[float, float]) -> Iterator[tuple[Figure, _Drawn]]:
    drawn = _Drawn()
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure, drawn
        file = StringIO()
        figure.savefig(
            file, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    drawn.svg = _inlined(file.getvalue(), name)


def _inlined(svg: str, name: str) -> str:
    """Return an SVG to stand in a page with others: ids of its own, and the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    # The page sets the font and the width; its caption and table say what the drawing shows.
    svg = svg.replace("'DejaVu Sans'", "var(--font)")
    return re.sub(r"<svg ", '<svg aria-hidden="true" focusable="false" ', svg, count=1)


def _say(axes: Axes, text: str) -> None:
    """Say why nothing is drawn; a logarithmic axis without data needs limits of its own."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, horizontalalignment="center")
    axes.set_xlim(1e-3, 1)


def _percent(value: float, _position: float | None = None) -> str:
    share = 100 * value
    return f"{share:.4f}".rstrip("0").rstrip(".") + " %" if share else "0"


def _percent_ticks(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(_percent)
    axes.yaxis.set_major_formatter(_percent)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(lambda *_: "")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
