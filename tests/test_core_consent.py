"""Whatever is called in whatever order: nobody is enrolled, and nobody shown, without consent."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sayso.core import Sayso
from sayso.errors import ConsentNotFound, ConsentRequired, SubjectNotFound
from sayso.results import Consent
from tests.gallery.synthetic import VERSION, templates

NAMES = ("ada", "bob")
PURPOSES = ("photos", "security")
FACES = dict(zip(NAMES, templates(len(NAMES), seed=3), strict=True))
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

people = st.sampled_from(NAMES)
purposes = st.sampled_from(PURPOSES)
hours = st.sampled_from([-2, 1, 2, 4])


@st.composite
def consents(draw: st.DrawFn) -> tuple[frozenset[str], int | None, int | None]:
    """Draw purposes and a window, in hours from now; None is open."""
    named = draw(st.frozensets(purposes, min_size=1))
    start = draw(st.none() | hours)
    end = draw(st.none() | hours.filter(lambda h: start is None or h > start))
    return named, start, end


class Given:
    """What the test itself keeps of one consent."""

    def __init__(self, named: frozenset[str], start: datetime, end: datetime | None) -> None:
        self.left = set(named)
        self.start, self.end = start, end

    def live(self, now: datetime) -> bool:
        return self.start <= now and self.standing(now)

    def standing(self, now: datetime) -> bool:
        return bool(self.left) and (self.end is None or now < self.end)


class ConsentMachine(RuleBasedStateMachine):
    """Calls of the core at random, against a model of what consent allows."""

    _empty: Path | None = None

    @initialize()
    def open(self) -> None:
        if ConsentMachine._empty is None:
            ConsentMachine._empty = Path(tempfile.mkdtemp())
            atexit.register(shutil.rmtree, ConsentMachine._empty)
            with Sayso(ConsentMachine._empty) as app:
                app.create_collection("club")
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(ConsentMachine._empty / "gallery.sqlite", self.folder)
        self.now = START
        self.app = Sayso(self.folder, clock=lambda: self.now)
        self.given: dict[str, list[Given]] = {}
        self.enrolled: set[str] = set()

    def teardown(self) -> None:
        self.app.close()
        shutil.rmtree(self.folder)

    def _offer(self, drawn: tuple[frozenset[str], int | None, int | None]) -> tuple[Consent, Given]:
        named, start, end = drawn
        begin = None if start is None else self.now + start * HOUR
        until = None if end is None else self.now + end * HOUR
        return (
            Consent(sorted(named), "form", valid_from=begin, until=until),
            Given(named, begin or self.now, until),
        )

    @contextlib.contextmanager
    def _allowed(self, allowed: bool) -> Iterator[None]:
        try:
            yield
        except ConsentRequired:
            assert not allowed
        else:
            assert allowed

    @rule(name=people, drawn=consents())
    def enrol_with_consent(
        self, name: str, drawn: tuple[frozenset[str], int | None, int | None]
    ) -> None:
        consent, given = self._offer(drawn)
        with self._allowed(given.live(self.now)):
            self._enrol([name], consent)
            self.given.setdefault(name, []).append(given)
            self.enrolled.add(name)

    @rule(names=st.lists(people, min_size=1, unique=True))
    def enrol_without(self, names: list[str]) -> None:
        live = [any(g.live(self.now) for g in self.given.get(name, ())) for name in names]
        with self._allowed(all(live)):
            self._enrol(names, None)
            self.enrolled.update(names)

    def _enrol(self, names: list[str], consent: Consent | None) -> None:
        self.app.enroll_templates(
            "club",
            subjects=names,
            templates=np.stack([FACES[name] for name in names]),
            consent=consent,
            version=VERSION,
        )

    @rule(name=people, drawn=consents())
    def record(self, name: str, drawn: tuple[frozenset[str], int | None, int | None]) -> None:
        consent, given = self._offer(drawn)
        with self._allowed(given.standing(self.now)):
            self.app.add_consent("club", name, consent)
            self.given.setdefault(name, []).append(given)

    @rule(name=people, purpose=st.none() | purposes)
    def withdraw(self, name: str, purpose: str | None) -> None:
        taken = set(PURPOSES) if purpose is None else {purpose}
        standing = [g for g in self.given.get(name, ()) if g.standing(self.now)]
        try:
            done = self.app.withdraw_consent("club", name, purpose)
        except (SubjectNotFound, ConsentNotFound):
            assert not any(g.left & taken for g in standing)
            return
        assert any(g.left & taken for g in standing)
        for given in standing:
            given.left -= taken
        erased = not any(g.standing(self.now) for g in standing)
        assert (done.tombstone is not None) == erased
        if erased:
            self._forget(name)

    @rule(name=people)
    def erase(self, name: str) -> None:
        try:
            self.app.erase_subject("club", name)
        except SubjectNotFound:
            assert name not in self.given
        self._forget(name)

    def _forget(self, name: str) -> None:
        self.given.pop(name, None)
        self.enrolled.discard(name)

    @rule(hours=st.integers(1, 3), instants=st.sampled_from([-1, 0, 1]))
    def wait(self, hours: int, instants: int) -> None:
        self.now += hours * HOUR + instants * timedelta(microseconds=1)

    @rule()
    def restart(self) -> None:
        self.app.close()
        self.app = Sayso(self.folder, clock=lambda: self.now)

    @invariant()
    def shown_are_exactly_those_covered(self) -> None:
        probes = np.stack([FACES[name] for name in NAMES])
        for purpose in PURPOSES:
            found = self.app.recognize_templates("club", probes, purpose=purpose, version=VERSION)
            shown = {
                name
                for name, candidates in zip(NAMES, found, strict=True)
                if [c.subject for c in candidates] == [name]
            }
            assert sum(map(len, found)) == len(shown)
            assert shown == {
                name
                for name in self.enrolled
                if any(g.live(self.now) and purpose in g.left for g in self.given[name])
            }

    @invariant()
    def nobody_is_enrolled_without_consent(self) -> None:
        faces = 0
        for subject in self.app.subjects("club"):
            records = {record.id for record in self.app.consents("club", subject.name)}
            enrolled = self.app.faces("club", subject.name)
            assert all(face.consent in records for face in enrolled)
            faces += len(enrolled)
        assert self.app.collection("club").faces == faces


ConsentMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestConsent = ConsentMachine.TestCase
