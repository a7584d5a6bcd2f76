"""Evaluations in progress: in the memory of this process, and nowhere else.

What was made of pictures is there until the evaluation is done or dropped; its figures and report,
which name the files and people as somebody labelled them, until the process ends. They are on no
disk: so no backup has them, nobody has to be erased from them, and whoever needs one saves it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sayso.audit.log import Who
from sayso.errors import EvaluationNotFound, EvaluationNotReady, GalleryError
from sayso.evaluation.gathering import Gathering
from sayso.results import EvaluationState
from sayso.vision.types import Mode

_log = logging.getLogger(__name__)
#: Evaluations that are not done, at most.
MOST_UNFINISHED = 4
#: Evaluations that are done and kept, at most, and the characters of their figures and reports.
MOST_KEPT = 20
MOST_CHARACTERS = 128 << 20
#: After so many microseconds without a picture one is dropped.
IDLE = 3_600_000_000
#: How long, in seconds, whoever closes the gallery waits for what is being measured.
_PATIENCE = 2.0
#: Of a name, in a message.
_SHOWN = 40
_UNFINISHED: frozenset[EvaluationState] = frozenset({"open", "waiting", "measuring", "drawing"})


class Dropped(Exception):
    """The evaluation was dropped while it was measured."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evaluation found: in sentences, as JSON, and as an HTML document."""

    summary: tuple[str, ...]
    figures: str = field(repr=False)
    report: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many pictures there are, of how many people, and how many gave a template."""

    pictures: int = 0
    people: int = 0
    with_template: int = 0

    @classmethod
    def of(cls, gathering: Gathering) -> Tally:
        """Return the numbers of what was gathered so far."""
        return cls(gathering.pictures, len(gathering.people), gathering.with_template)


@dataclass(slots=True, eq=False)
class Run:
    """An evaluation. All but ``dropped`` is read and changed under the lock of ``Runs``.

    ``created``, ``touched`` and ``finished`` are microseconds. ``gallery`` is what the pictures of
    ``people`` are searched for in, if anything came for it; ``tallies`` stand for both once they
    are forgotten. ``step`` is what is done, the ``steps_done``-th of ``steps``.
    """

    id: str
    name: str
    mode: Mode
    compare: bool
    who: Who
    created: int
    touched: int
    people: Gathering = field(default_factory=Gathering)
    gallery: Gathering = field(default_factory=Gathering)
    groups: dict[str, str] = field(default_factory=dict)
    tallies: tuple[Tally, Tally] | None = None
    state: EvaluationState = "open"
    step: str | None = None
    steps_done: int = 0
    steps: int = 1
    finished: int | None = None
    problem: str | None = None
    outcome: Outcome | None = None
    dropped: threading.Event = field(default_factory=threading.Event)

    @property
    def told(self) -> tuple[Tally, Tally]:
        """The numbers of the pictures, and of those that are searched in."""
        return self.tallies or (Tally.of(self.people), Tally.of(self.gallery))

    @property
    def progress(self) -> float:
        """How much was done, 0 to 1, since it was finished; the step that is done now is not."""
        if self.state == "done":
            return 1.0
        return max(0, self.steps_done - 1) / self.steps

    def heed(self) -> None:
        """Raise Dropped where nobody waits for this any more."""
        if self.dropped.is_set():
            raise Dropped

    def forget(self) -> None:
        """Drop what was made of the pictures; how many there were stays."""
        self.tallies = self.told
        self.people, self.gallery = Gathering(), Gathering()


class Runs:
    """The evaluations of a process; those that are to be measured take turns in one thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._runs: dict[str, Run] = {}
        self._line: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None

    def add(self, run: Run) -> None:
        """Take a new evaluation; raises GalleryError where too many are not done."""
        with self.lock:
            unfinished = self.unfinished()
            if len(unfinished) >= MOST_UNFINISHED:
                which = ", ".join(map(_named, unfinished))
                raise GalleryError(
                    f"{len(unfinished)} evaluations are not done, and no more than "
                    f"{MOST_UNFINISHED} can be: finish or discard one of {which}"
                )
            self._runs[run.id] = run

    def all(self) -> tuple[Run, ...]:
        """Return every evaluation, the oldest first."""
        with self.lock:
            return tuple(self._runs.values())

    def unfinished(self) -> tuple[Run, ...]:
        """Return those that are not done, the oldest first."""
        return tuple(each for each in self.all() if each.state in _UNFINISHED)

    def find(self, name: str) -> Run:
        """Return the evaluation of an id; raises EvaluationNotFound."""
        with self.lock:
            if name not in self._runs:
                raise EvaluationNotFound(
                    f"there is no evaluation {name[:64]!r}: it was discarded, or nothing came for "
                    "an hour, or newer ones took its place, or the service was started anew"
                )
            return self._runs[name]

    def open(self, name: str) -> Run:
        """Return an evaluation that takes pictures; raises EvaluationNotFound, -NotReady."""
        run = self.find(name)
        if run.state != "open":
            raise EvaluationNotReady(
                f"the evaluation is {run.state} and takes nothing more: begin another one"
            )
        return run

    def done(self, name: str) -> Outcome:
        """Return what an evaluation found; raises EvaluationNotFound or EvaluationNotReady."""
        run = self.find(name)
        if run.outcome is not None:
            return run.outcome
        if run.state == "failed":
            raise EvaluationNotReady(f"the evaluation failed, so it found nothing: {run.problem}")
        advice = "finish it first" if run.state == "open" else "wait until it is done"
        raise EvaluationNotReady(f"the evaluation is {run.state}: {advice}")

    def drop(self, run: Run) -> None:
        """Take an evaluation out, and end what is measured of it."""
        with self.lock:
            self._runs.pop(run.id, None)
            run.dropped.set()
            run.state = "discarded"
            run.forget()

    def idle(self, now: int) -> tuple[Run, ...]:
        """Return those for which no picture has come for long."""
        return tuple(
            each for each in self.all() if each.state == "open" and now - each.touched >= IDLE
        )

    def reopen(self, run: Run) -> None:
        """Have an evaluation take pictures again, which was about to be measured."""
        with self.lock:
            if run.state == "waiting":
                run.state = "open"

    def start(self, run: Run, work: Callable[[], Outcome], now: Callable[[], int]) -> None:
        """Have an evaluation measured when it is its turn; what was gathered is the work's now."""
        with self.lock:
            run.forget()
            if self._worker is None:
                # A daemon: a process that ends does not wait for what nobody will read.
                self._worker = threading.Thread(
                    target=self._working, name="sayso-evaluate", daemon=True
                )
                self._worker.start()
        self._line.put(lambda: self._measure(run, work, now))

    def go_on(self, run: Run, step: str, state: EvaluationState = "measuring") -> None:
        """Note what is done next for an evaluation; raises Dropped."""
        with self.lock:
            run.heed()
            run.state, run.step, run.steps_done = state, step, run.steps_done + 1

    def close(self) -> None:
        """Drop everything."""
        for run in self.all():
            self.drop(run)
        with self.lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            self._line.put(None)
            worker.join(_PATIENCE)

    def _working(self) -> None:
        while (task := self._line.get()) is not None:
            task()
            del task  # with the templates in it

    def _measure(self, run: Run, work: Callable[[], Outcome], now: Callable[[], int]) -> None:
        outcome, problem = None, None
        try:
            run.heed()
            outcome = work()
        except Dropped:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the next one has its turn
            _log.exception("the evaluation %s failed", run.id)
            problem = f"{type(error).__name__}; the log of the service says more"
        with self.lock:
            if run.dropped.is_set():
                return
            run.outcome, run.problem, run.finished = outcome, problem, now()
            run.state, run.step = "failed" if outcome is None else "done", None
            self._make_room(run)

    def _make_room(self, newest: Run) -> None:
        """Drop the oldest that are done, where there are more than are kept."""
        kept = [each for each in self._runs.values() if each.state not in _UNFINISHED]
        kept.sort(key=lambda each: each.finished or 0)
        size = sum(_size(each) for each in kept)
        while kept and (len(kept) > MOST_KEPT or size > MOST_CHARACTERS):
            oldest = kept.pop(0)
            if oldest is newest:
                break
            size -= _size(oldest)
            self._runs.pop(oldest.id, None)


def _named(run: Run) -> str:
    """Return what tells an evaluation from others: they are told to whoever may admin them all."""
    name = run.name if len(run.name) <= _SHOWN else f"{run.name[:_SHOWN]}…"
    return f"{name!r} ({run.state}, of {run.who.actor}, {run.id})"


def _size(run: Run) -> int:
    return 0 if run.outcome is None else len(run.outcome.figures) + len(run.outcome.report)
