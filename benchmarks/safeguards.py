"""What consent, encryption and audit cost: ``python -m benchmarks.safeguards``.

The same calls on the same gallery with all rules on, and in a build of the store that only this
benchmark has, with audit and encryption off. And how long the sealed templates of a large gallery
take to load, in a process that has just started.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import crowd
from benchmarks.timing import THREADS, medians_in_turns, table
from benchmarks.unguarded import without_safeguards
from sayso.analyzer import Analyzer
from sayso.callers import Caller
from sayso.core import Sayso
from sayso.enrolment import Version
from sayso.errors import SubjectNotFound, UserNotFound
from sayso.results import Consent, FalseMatchRule

GALLERY = 300_000
#: So many false matches may be expected that whoever is enrolled is found: nobody is recognised
#: for real here.
ANY = 1e6
PURPOSE = "photo-delivery"
COLLECTION = "club"
_CONSENT = Consent([PURPOSE], "benchmark")
_OTHERS = Consent(["another-purpose"], "benchmark")

_LOAD = """
import sys, time
from pathlib import Path
import numpy as np
from sayso.core import Sayso
from sayso.enrolment import Version
from benchmarks.safeguards import COLLECTION, PURPOSE, version
with Sayso(Path(sys.argv[1])) as app:
    probe = np.eye(1, 128, dtype=np.float32)
    started = time.perf_counter()
    app.recognize_templates(COLLECTION, probe, purpose=PURPOSE, version=version())
    print(time.perf_counter() - started)
"""


def version() -> Version:
    """What the templates of the gallery are made by."""
    analyzer = Analyzer()
    return Version(analyzer.model, analyzer.template_version)


def main() -> str:
    """Return the section."""
    scene = crowd.compose()
    portrait = _with_a_large_face(scene)
    analyzer = Analyzer()
    faces = len(analyzer.analyze(scene.jpeg).faces)
    with tempfile.TemporaryDirectory() as folder:
        guarded, plain = Path(folder) / "guarded", Path(folder) / "plain"
        with Sayso(guarded, analyzer=analyzer) as app:
            filled = _fill(app)
            rows = _shapes(app)
            looked_up = _names(app)
        loads = sorted(_load(guarded) for _ in range(3))
        with without_safeguards(plain) as app:
            _fill(app)
        costs = _costs(guarded, plain, analyzer, scene.jpeg, portrait)
    about = (
        f"A picture of {faces} faces found, a gallery of {GALLERY:,} subjects with one template "
        f"each, {THREADS} threads. Without: the same calls with encryption and audit off. "
        "Enrolment takes the largest face of the picture."
    )
    head = ("call", "with all rules, ms", "without, ms", "slower by")
    loading = (
        f"Loading {GALLERY:,} sealed templates in a new process, up to the answer of the first "
        f"search: {loads[1]:.2f} s (of three: {loads[0]:.2f} to {loads[2]:.2f}). Enrolling them in "
        f"one call: {filled:.0f} s."
    )
    shapes = "One face searched in that gallery, by whose it is; median of 200 each, in turns:"
    answers = table(("the face is of", "ms", "named"), rows)
    by_name = (
        "A subject asked for by name, with a key for one purpose; median of 300 each, in turns:"
    )
    asked = table(("call", "hidden, ms", "not there, ms"), looked_up)
    parts = (
        *("## Safeguards", about, table(head, costs), loading),
        *(shapes, answers, by_name, asked, ""),
    )
    return "\n\n".join(parts)


def _fill(app: Sayso) -> float:
    app.create_collection(COLLECTION, rule=FalseMatchRule(ANY))
    matrix = _synthetic(GALLERY)
    names = [f"s{row}" for row in range(GALLERY)]
    started = time.perf_counter()
    app.enroll_templates(
        COLLECTION, subjects=names, templates=matrix, consent=_CONSENT, version=version()
    )
    return time.perf_counter() - started


def _synthetic(number: int) -> NDArray[np.float32]:
    matrix = np.random.default_rng(0).standard_normal((number, 128), dtype=np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix


def _with_a_large_face(scene: crowd.Crowd) -> bytes:
    """The crowd with one face large enough that it is clear who is meant."""
    canvas = Image.open(io.BytesIO(scene.jpeg))
    large = Image.open(min(scene.enrolment.values())).resize((600, 600))
    canvas.paste(large, (100, 100))
    out = io.BytesIO()
    canvas.save(out, "JPEG", quality=92)
    return out.getvalue()


def _costs(
    guarded: Path, plain: Path, analyzer: Analyzer, picture: bytes, portrait: bytes
) -> list[tuple[str, ...]]:
    number = count()
    probes = _synthetic(GALLERY)[:100]
    made_by = version()

    def calls(app: Sayso) -> list[Callable[[], object]]:
        return [
            lambda: app.recognize(COLLECTION, picture, purpose=PURPOSE),
            lambda: app.enroll(
                COLLECTION,
                subject=f"new{next(number)}",
                pictures=[portrait],
                consent=_CONSENT,
                allow_lookalike=True,
            ),
            lambda: app.recognize_templates(COLLECTION, probes, purpose=PURPOSE, version=made_by),
        ]

    names = (
        "recognize a picture", "enroll from a picture", "search 100 templates, no picture",
    )  # fmt: skip
    seconds = [_alternate(guarded, plain, analyzer, calls, which) for which in range(len(names))]
    return [
        (name, f"{1000 * on:.1f}", f"{1000 * off:.1f}", f"{100 * (on / off - 1):+.1f} %")
        for name, (on, off) in zip(names, seconds, strict=True)
    ]


def _alternate(
    guarded: Path,
    plain: Path,
    analyzer: Analyzer,
    calls: Callable[[Sayso], list[Callable[[], object]]],
    which: int,
) -> tuple[float, float]:
    """Time one call with and without the safeguards, in blocks that take turns."""
    on: list[float] = []
    off: list[float] = []
    for _ in range(3):
        with Sayso(guarded, analyzer=analyzer) as app:
            on += medians_in_turns([calls(app)[which]], repeats=5)
        with without_safeguards(plain) as bare:
            bare._resources._analyzer = analyzer
            off += medians_in_turns([calls(bare)[which]], repeats=5)
    return float(np.median(on)), float(np.median(off))


def _load(folder: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, str(folder)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def _shapes(app: Sayso) -> list[tuple[str, ...]]:
    """Time searches for somebody shown, somebody not shown and a stranger: all the same."""
    rng = np.random.default_rng(7)
    people = rng.standard_normal((3, 128)).astype(np.float32)
    people /= np.linalg.norm(people, axis=1, keepdims=True)
    made_by = version()
    for name, row, consent in (("shown", 0, _CONSENT), ("hidden", 1, _OTHERS)):
        app.enroll_templates(
            COLLECTION, subjects=[name], templates=people[[row]], consent=consent, version=made_by
        )

    def search(row: int) -> Callable[[], object]:
        return lambda: app.recognize_templates(
            COLLECTION, people[[row]], purpose=PURPOSE, version=made_by
        )

    whose = ("somebody who agreed to the purpose", "somebody who agreed to another", "a stranger")
    seconds = medians_in_turns([search(row) for row in range(3)], repeats=200, warm_up=5)
    named = ["no one" if not search(row)()[0] else "they" for row in range(3)]  # type: ignore[index]
    return [
        (who, f"{1000 * took:.2f}", answer)
        for who, took, answer in zip(whose, seconds, named, strict=True)
    ]


def _names(app: Sayso) -> list[tuple[str, ...]]:
    """Time what is asked of somebody by name who is hidden, and who is not there: the same."""
    made = app.create_key("desk", purpose=PURPOSE, actions=["enrol", "search", "erase"])
    key = app.acting_as(Caller.of(made.key))
    calls: dict[str, Callable[[str], object]] = {
        "look up a subject": lambda name: key.subject(COLLECTION, name),
        "look up a user": lambda name: key.user(COLLECTION, name),
        "search for a user": lambda name: key.search_users(COLLECTION, user=name),
        "erase": lambda name: key.erase_subject(COLLECTION, name),
        "withdraw": lambda name: key.withdraw_consent(COLLECTION, name),
    }

    def refused(call: Callable[[str], object], name: str) -> Callable[[], object]:
        def ask() -> None:
            with contextlib.suppress(SubjectNotFound, UserNotFound):
                call(name)
                raise RuntimeError(f"{name} was found")

        return ask

    found = []
    for what, call in calls.items():
        asked = [refused(call, name) for name in ("hidden", "nobody")]
        times = medians_in_turns(asked, repeats=300, warm_up=5)
        found.append((what, *(f"{1000 * took:.2f}" for took in times)))
    return found


if __name__ == "__main__":
    print(main())
