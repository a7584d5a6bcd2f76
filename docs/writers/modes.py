"""The page of modes: which detector looks at which scale of pictures of common sizes."""

from __future__ import annotations

from docs.writers.markdown import table
from sayso.vision.passes import PLANS, Pass, plan

_INTRODUCTION = """\
# Modes

`--mode` on the command line, `mode=` in the library. This is the plan that each mode makes for
pictures of some sizes: one detector over the whole picture, enlarged or reduced to the long side
given. Why so: [detection](../explanation/detection.md). What each mode reaches and costs:
[results](../../benchmarks/results.md). The plan called redaction is that of `sayso redact`, and no
mode to choose: why it is another is in [redaction](../explanation/redaction.md).
"""

_SIZES = ((640, 480), (1024, 768), (1920, 1080), (3840, 2160), (7680, 4320))

_NAMES = {"centerface": "CenterFace", "yunet": "YuNet"}


def page() -> str:
    """Return the page."""
    rows = [
        (f"{width} x {height}", mode, "; ".join(_pass(each, width, height) for each in passes))
        for width, height in _SIZES
        for mode in PLANS
        for passes in [plan(width, height, mode)]
    ]
    return f"{_INTRODUCTION}\n{table(['picture', 'mode', 'passes'], rows)}\n\n" + _LEGEND


_LEGEND = """\
A pass for *large* faces keeps only what is large in its input, and its silence says nothing
against a small face; *with room* puts a black margin around the picture, so that a face that fills
it is seen whole.
"""


def _pass(each: Pass, width: int, height: int) -> str:
    words = [f"{_NAMES[each.detector]} at {round(max(width, height) * each.scale)}"]
    if each.mirrored:
        words.append("mirrored")
    if each.margin:
        words.append("with room")
    if each.coarse:
        words.append("for large faces")
    return " ".join(words)
