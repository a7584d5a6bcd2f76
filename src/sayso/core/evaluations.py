"""Evaluations whose pictures come one by one, from somebody who has them elsewhere."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sayso import __version__
from sayso.audit.events import (
    EvaluationBegun,
    EvaluationDropped,
    EvaluationLabelled,
    EvaluationRead,
    FacesDetected,
    PicturesEvaluated,
)
from sayso.core.base import Call
from sayso.core.evaluating import Evaluating
from sayso.core.looking import PictureSource
from sayso.core.runs import Outcome, Run, Runs, Tally
from sayso.errors import GalleryError, InvalidName
from sayso.evaluation.folder import Measured
from sayso.gallery.names import is_text
from sayso.gallery.times import moment
from sayso.results import EvaluatedPicture, EvaluatedPictures, EvaluationFigures, EvaluationRun
from sayso.vision.types import Mode

if TYPE_CHECKING:
    from sayso.evaluation.evaluate import Gallery

#: Pictures of one evaluation at most: what their comparison fits in memory for.
MOST_PICTURES = 20_000
#: Characters of the name of an evaluation, a person, a file or a group at most.
LONGEST = 255


class Evaluations(Evaluating):
    """What can be done with pictures that are sent one by one, of people who are known.

    They are evaluated as those of a folder are, and nobody is enrolled. It all stays in the memory
    of this process (see ``runs``), and takes a caller who may ``admin`` everything: each of them
    can go on with what another one began.
    """

    def begin_evaluation(
        self, name: str, *, mode: Mode = "balanced", compare: bool = False
    ) -> EvaluationRun:
        """Begin an evaluation, which the report calls by that name.

        With ``compare`` every way of scoring is measured. Raises InvalidName, or GalleryError where
        too many are not done. After an hour without a picture it is dropped.
        """
        call = self._admit_evaluating()
        _check("name of an evaluation", name)
        now = self._resources.store.now()
        run = Run(str(uuid.uuid4()), name, mode, compare, call.who, now, now)
        self._runs.add(run)
        try:
            with self._act(call) as act:
                act.record(EvaluationBegun(evaluation=run.id))
        except BaseException:
            self._runs.drop(run)
            raise
        return self._told(run)

    def evaluations(self) -> tuple[EvaluationRun, ...]:
        """Return how far each evaluation is, the oldest first.

        That is not on record, and neither is how far one is: a page asks every second, and nobody
        is told of in it.
        """
        self._admit_evaluating()
        return tuple(map(self._told, self._runs.all()))

    def evaluation(self, evaluation: str) -> EvaluationRun:
        """Return how far an evaluation is; raises EvaluationNotFound."""
        self._admit_evaluating()
        return self._told(self._runs.find(evaluation))

    def add_evaluation_picture(
        self,
        evaluation: str,
        *,
        person: str,
        file: str,
        picture: PictureSource,
        searched: bool = False,
    ) -> EvaluatedPicture:
        """Make a template of a picture of a person, for an evaluation; nothing of it is answered.

        Of several faces the largest and most central counts. A picture that cannot be used is among
        the failures. One of the same person and file takes the place of the one before. With
        ``searched`` it is one of the gallery that the others are searched for in.

        Raises EvaluationNotFound, EvaluationNotReady, InvalidName, ModelError, or GalleryError for
        too many pictures.
        """
        call = self._admit_evaluating()
        run = self._runs.open(evaluation)
        _check("name of a person", person, "/")
        _check("name of a file", file, "/")
        self._require_room(run, person, file, searched=searched)
        looked = self._look_at(picture, run.mode)
        if looked.digest is not None:
            with self._act(call) as act:
                act.record(FacesDetected(picture=self._audited(looked.digest), faces=looked.faces))
        seen = looked.seen
        with self._runs.lock:
            self._runs.open(evaluation)
            self._require_room(run, person, file, searched=searched)
            (run.gallery if searched else run.people).put(person, file, seen)
            run.touched = self._resources.store.now()
        if seen.template is None:
            return EvaluatedPicture(None, seen.why)
        return EvaluatedPicture(seen.quality, None)

    def label_evaluation(self, evaluation: str, groups: Mapping[str, str]) -> EvaluationRun:
        """Say which groups people are in, to compare those; labels of others stay.

        They are the caller's own: none is ever inferred. Raises EvaluationNotFound,
        EvaluationNotReady, InvalidName, or GalleryError for somebody without pictures.
        """
        call = self._admit_evaluating()
        run = self._runs.open(evaluation)
        with self._runs.lock:
            known = run.people.people
        for person, group in groups.items():
            _check("name of a group", group)
            if person not in known:
                raise GalleryError(
                    f"there is no person {person[:LONGEST]!r} with pictures in the evaluation: "
                    "send those first"
                )
        with self._act(call) as act:
            act.record(EvaluationLabelled(evaluation=run.id, people=len(groups)))
        with self._runs.lock:
            self._runs.open(evaluation).groups |= groups
            return self._told(run)

    def finish_evaluation(self, evaluation: str) -> EvaluationRun:
        """Take no more pictures, and measure in a thread of its own; nobody waits for it here.

        Raises EvaluationNotFound, EvaluationNotReady, or EvaluationError where the pictures leave
        nothing to compare: then it goes on taking some.
        """
        from sayso.evaluation.evaluate import Gallery, require_comparable  # slow to import

        call = self._admit_evaluating()
        with self._runs.lock:
            run = self._runs.open(evaluation)
            measured, gallery = run.people.measured(run.groups), None
            if run.gallery.pictures:
                gallery = Gallery(f"{run.name}: gallery", run.gallery.measured({}))
            require_comparable(measured, run.name, gallery)
            pictures = sum(each.pictures for each in run.told)
            people = len(run.people.people | run.gallery.people)
            run.state = "waiting"
        try:
            work = self._work(run, measured, gallery)
            with self._act(call) as act:
                act.record(PicturesEvaluated(pictures=pictures, people=people))
        except BaseException:
            self._runs.reopen(run)
            raise
        self._runs.start(run, work, self._resources.store.now)
        return self._told(run)

    def evaluation_figures(self, evaluation: str) -> EvaluationFigures:
        """Return what an evaluation found; raises EvaluationNotFound or EvaluationNotReady."""
        call = self._admit_evaluating()
        found = self._runs.done(evaluation)
        with self._act(call) as act:
            act.record(EvaluationRead(evaluation=evaluation, what="figures"))
        return EvaluationFigures(found.summary, json.loads(found.figures))

    def evaluation_report(self, evaluation: str) -> str:
        """Return the report, one HTML document; raises EvaluationNotFound, EvaluationNotReady."""
        call = self._admit_evaluating()
        found = self._runs.done(evaluation)
        with self._act(call) as act:
            act.record(EvaluationRead(evaluation=evaluation, what="report"))
        return found.report

    def discard_evaluation(self, evaluation: str) -> EvaluationRun:
        """Drop an evaluation with all that it has; what is being measured of it ends.

        Raises EvaluationNotFound.
        """
        call = self._admit_evaluating()
        run = self._runs.find(evaluation)
        pictures = sum(each.pictures for each in run.told)
        with self._act(call) as act:
            act.record(EvaluationDropped(evaluation=run.id, pictures=pictures, reason="asked"))
        self._runs.drop(run)
        return self._told(run)

    def _admit_evaluating(self) -> Call:
        return self._admit("admin", everywhere=True)

    @property
    def _runs(self) -> Runs:
        return self._resources.runs

    def _require_room(self, run: Run, person: str, file: str, *, searched: bool) -> None:
        """Raise GalleryError where the evaluation has no room for one more picture."""
        with self._runs.lock:
            there = (person, file) in (run.gallery if searched else run.people)
            pictures = run.people.pictures + run.gallery.pictures
        if pictures >= MOST_PICTURES and not there:
            raise GalleryError(
                f"the evaluation has {pictures:,} pictures, and no more than {MOST_PICTURES:,} can "
                "be evaluated together: finish it, and begin another one"
            )

    def _work(self, run: Run, measured: Measured, gallery: Gallery | None) -> Callable[[], Outcome]:
        """Return what measures an evaluation and draws its report."""
        from sayso.evaluation.evaluate import STEPS, Provenance, evaluate
        from sayso.evaluation.report import render
        from sayso.evaluation.scoring import Heeding, scorers_of
        from sayso.evaluation.wording import summary

        version, runs = self._version(), self._runs
        scorers = scorers_of(self.calibration)[: None if run.compare else 1]
        provenance = Provenance(
            folder=run.name,
            evaluated=moment(self._resources.store.now()).date().isoformat(),
            model=version.model,
            template_version=version.template_version,
            mode=run.mode,
            software=f"sayso {__version__}",
        )
        run.steps = len(STEPS) * len(scorers) + 1

        def work() -> Outcome:
            found = evaluate(
                measured,
                [Heeding(each, run.heed) for each in scorers],
                provenance,
                gallery=gallery,
                at=lambda step: runs.go_on(run, step),
            )
            runs.go_on(run, "drawing the report", "drawing")
            figures = json.dumps(found.to_json(), allow_nan=False)
            return Outcome(tuple(summary(found)), figures, render(found))

        return work

    def _told(self, run: Run) -> EvaluationRun:
        with self._runs.lock:
            pictures, searched = run.told
            return EvaluationRun(
                id=run.id,
                name=run.name,
                state=run.state,
                mode=run.mode,
                compare=run.compare,
                created=moment(run.created),
                created_by=run.who.actor,
                finished=None if run.finished is None else moment(run.finished),
                pictures=_counted(pictures),
                searched=_counted(searched),
                labelled=len(run.groups),
                step=run.step,
                progress=run.progress,
                problem=run.problem,
            )


def _counted(tally: Tally) -> EvaluatedPictures:
    return EvaluatedPictures(tally.pictures, tally.people, tally.with_template)


def _check(what: str, name: object, without: str = "") -> None:
    """Raise InvalidName for what cannot be a name here."""
    text = name if isinstance(name, str) and is_text(name) else ""
    if 1 <= len(text) <= LONGEST and not set(text) & {"\0", *without}:
        return
    rule = f"1 to {LONGEST} characters without a null" + (f" or {without}" if without else "")
    raise InvalidName(f"{repr(name)[:60]} is no {what}: use {rule}")
