"""Evaluations whose pictures come one by one: kept in memory, on record, cancelled, and bounded."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sayso.audit.events import EvaluationDropped
from sayso.audit.log import entries
from sayso.core import Sayso, evaluations, runs
from sayso.errors import (
    AccessDenied,
    EvaluationNotFound,
    EvaluationNotReady,
    GalleryError,
    InvalidName,
)
from sayso.evaluation.evaluate import STEPS, Provenance, evaluate
from sayso.evaluation.folder import EvaluationError, labelled_folder
from sayso.evaluation.gathering import Gathering
from sayso.evaluation.pairs import score_pairs
from sayso.evaluation.scoring import Heeding, RawCosine, scorers_of
from sayso.results import EvaluationRun
from tests.desk import Desk, desk
from tests.evaluation.synthetic import faces, measured
from tests.service.rekognition.drawn import Drawn

__all__ = ["desk"]
PEOPLE = [f"person {number}" for number in range(12)]


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def files(desk: Desk, of_each: int = 2) -> dict[tuple[str, str], bytes]:
    """Return pictures of twelve people, and one that shows nobody."""
    found = {
        (name, f"{number}.png"): desk.studio.draw(person)
        for person, name in enumerate(PEOPLE)
        for number in range(of_each)
    }
    return {**found, (PEOPLE[0], "empty.png"): desk.studio.draw()}


def send(app: Sayso, run: EvaluationRun, pictures: dict[tuple[str, str], bytes]) -> None:
    for (person, file), picture in pictures.items():
        app.add_evaluation_picture(run.id, person=person, file=file, picture=picture)


def finished(app: Sayso, run: EvaluationRun) -> EvaluationRun:
    app.finish_evaluation(run.id)
    until(lambda: app.evaluation(run.id).state in ("done", "failed"))
    return app.evaluation(run.id)


def kinds_on_record(app: Sayso) -> list[str]:
    with app._resources.store.read() as connection:
        return [each.event.kind for each in entries(connection)]


class Gate:
    """Holds an evaluation up while it is measured, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        go_on = runs.Runs.go_on

        def held(them: runs.Runs, run: runs.Run, step: str, state: Any = "measuring") -> None:
            go_on(them, run, step, state)
            if step == STEPS[2]:
                self.reached.set()
                assert self.opened.wait(30)

        monkeypatch.setattr(runs.Runs, "go_on", held)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    found = Gate(monkeypatch)
    yield found
    found.opened.set()


# --- what is measured -----------------------------------------------------------------------------


def test_it_finds_what_the_evaluation_of_such_a_folder_finds(desk: Desk, tmp_path: Path) -> None:
    pictures, root = files(desk, 3), tmp_path / "people"
    for (person, file), picture in pictures.items():
        (root / person).mkdir(parents=True, exist_ok=True)
        (root / person / file).write_bytes(picture)
    labels = {name: "day" if place % 2 else "night" for place, name in enumerate(PEOPLE)}
    csv = tmp_path / "groups.csv"
    csv.write_text("person,group\n" + "".join(f"{who},{what}\n" for who, what in labels.items()))
    of_folder = desk.app.measure(labelled_folder(root, csv))

    run = desk.app.begin_evaluation("people", compare=True)
    send(desk.app, run, dict(sorted(pictures.items(), key=lambda each: each[0][::-1])))
    assert desk.app.label_evaluation(run.id, labels).labelled == 12
    done = finished(desk.app, run)
    assert (done.state, done.progress, done.step, done.problem) == ("done", 1.0, None, None)
    assert (done.pictures.pictures, done.pictures.people) == (37, 12)
    assert done.pictures.with_template == 36

    found = desk.app.evaluation_figures(run.id)
    told = found.figures["provenance"]
    provenance = Provenance(**{**told, "software": told["software"]})
    calibration = desk.app.calibration
    assert calibration is not None
    expected = evaluate(of_folder, scorers_of(calibration), provenance)
    assert found.figures == expected.to_json()
    assert told["folder"] == "people"
    assert told["evaluated"] == desk.clock().date().isoformat()
    assert found.figures["counts"]["failures"] == [["person 0/empty.png", "no face was found"]]
    assert found.summary[0].startswith("37 pictures of 12 people were looked at.")
    report = desk.app.evaluation_report(run.id)
    assert report.startswith("<!doctype html>")
    assert "person 0/empty.png" in report


def test_a_gallery_is_searched_for_the_others(desk: Desk) -> None:
    run = desk.app.begin_evaluation("visitors")
    for person, name in enumerate(PEOPLE):
        for searched in (False, True):
            desk.app.add_evaluation_picture(
                run.id,
                person=name,
                file="1.png",
                picture=desk.studio.draw(person),
                searched=searched,
            )
    told = desk.app.evaluation(run.id)
    assert (told.pictures.pictures, told.searched.pictures, told.searched.people) == (12, 12, 12)
    # One picture of each is enough where there is a gallery to search.
    finished(desk.app, run)
    figures = desk.app.evaluation_figures(run.id).figures
    assert figures["gallery"]["in_both"] == 12
    assert figures["results"][0]["open_set"]["found"] == 12
    assert figures["results"][0]["verification"] is None


def test_a_picture_tells_whether_it_is_of_use_and_may_come_again(desk: Desk) -> None:
    app, run = desk.app, desk.app.begin_evaluation("people")

    def seen(picture: bytes) -> tuple[float | None, str | None]:
        found = app.add_evaluation_picture(run.id, person="ada", file="1.png", picture=picture)
        return found.quality, found.why

    assert seen(desk.studio.draw()) == (None, "no face was found")
    quality, why = seen(b"no picture")
    assert quality is None
    assert why
    assert app.evaluation(run.id).pictures.with_template == 0
    assert seen(desk.studio.draw(Drawn(3, overall=71))) == (71, None)
    told = app.evaluation(run.id).pictures
    assert (told.pictures, told.people, told.with_template) == (1, 1, 1)


def test_where_nothing_can_be_compared_it_goes_on_taking_pictures(desk: Desk) -> None:
    run = desk.app.begin_evaluation("people")
    with pytest.raises(EvaluationError, match="two people"):
        desk.app.finish_evaluation(run.id)
    send(desk.app, run, {("ada", "1.png"): desk.studio.draw(1)})
    with pytest.raises(EvaluationError, match="of 1 pictures 1 gave a template, of 1 people"):
        desk.app.finish_evaluation(run.id)
    assert desk.app.evaluation(run.id).state == "open"
    assert "pictures-evaluated" not in kinds_on_record(desk.app)
    more = {("ada", "2.png"): desk.studio.draw(1), ("bob", "1.png"): desk.studio.draw(2)}
    send(desk.app, run, more)
    assert finished(desk.app, run).state == "done"


# --- how far it is, and cancelling ----------------------------------------------------------------


def test_its_progress_is_told_while_it_is_measured(desk: Desk, gate: Gate) -> None:
    app, run = desk.app, desk.app.begin_evaluation("people")
    send(app, run, files(desk))
    app.finish_evaluation(run.id)
    assert gate.reached.wait(30)
    told = app.evaluation(run.id)
    assert (told.state, told.step) == ("measuring", STEPS[2])
    assert told.progress == pytest.approx(2 / (len(STEPS) + 1))
    assert told.pictures.pictures == 25  # also after what was made of them was forgotten
    with pytest.raises(EvaluationNotReady, match="measuring: wait"):
        app.evaluation_report(run.id)
    with pytest.raises(EvaluationNotReady, match="takes nothing more"):
        app.finish_evaluation(run.id)
    with pytest.raises(EvaluationNotReady, match="takes nothing more"):
        send(app, run, files(desk))
    waiting = app.begin_evaluation("others")
    send(app, waiting, files(desk))
    assert app.finish_evaluation(waiting.id).state == "waiting"
    gate.opened.set()
    until(lambda: app.evaluation(waiting.id).state == "done")
    assert app.evaluation(run.id).state == "done"


def test_discarding_ends_what_is_being_measured(desk: Desk, gate: Gate) -> None:
    app, run = desk.app, desk.app.begin_evaluation("people")
    send(app, run, files(desk))
    app.finish_evaluation(run.id)
    assert gate.reached.wait(30)
    kept = app._resources.runs.find(run.id)
    assert app.discard_evaluation(run.id).state == "discarded"
    with pytest.raises(EvaluationNotFound):
        app.evaluation(run.id)
    gate.opened.set()
    another = app.begin_evaluation("others")  # which has its turn: the first one has ended
    send(app, another, files(desk))
    assert finished(app, another).state == "done"
    assert kept.outcome is None
    assert kept.steps_done == 3  # and did no further step
    assert kinds_on_record(app).count("evaluation-dropped") == 1


def test_a_long_step_ends_at_its_next_block(desk: Desk) -> None:
    run = desk.app.begin_evaluation("people")
    kept, blocks = desk.app._resources.runs.find(run.id), 0

    class Counting(RawCosine):
        def scores(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
            nonlocal blocks
            blocks += 1
            if blocks == 4:
                desk.app.discard_evaluation(run.id)
            return super().scores(a, b)

    many = measured(*faces(300, 5))
    with pytest.raises(runs.Dropped):
        score_pairs(many, Heeding(Counting(), kept.heed))
    assert blocks == 4


def test_closing_the_gallery_does_not_wait_for_what_is_measured(desk: Desk, gate: Gate) -> None:
    app = desk.reopened()
    run = app.begin_evaluation("people")
    send(app, run, files(desk))
    app.finish_evaluation(run.id)
    assert gate.reached.wait(30)
    began = time.monotonic()
    app.close()
    assert time.monotonic() - began < 10


def test_what_closing_drops_is_on_record(desk: Desk) -> None:
    app = desk.reopened()
    for name in ("done", "open"):
        run = app.begin_evaluation(name)
        send(app, run, files(desk))
        if name == "done":
            finished(app, run)
    app.close()
    dropped = [e.event for e in desk.app.audit_entries() if e.event.kind == "evaluation-dropped"]
    assert dropped == [EvaluationDropped(evaluation=run.id, pictures=25, reason="closed")]


def test_what_failed_says_so_and_the_next_one_has_its_turn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("person 0 spoils it")

    run = desk.app.begin_evaluation("people")
    send(desk.app, run, files(desk))
    with monkeypatch.context() as patched:
        patched.setattr("sayso.evaluation.evaluate.verify", broken)
        told = finished(desk.app, run)
    assert told.state == "failed"
    assert told.problem == "ValueError; the log of the service says more"
    assert run.id in caplog.text
    with pytest.raises(EvaluationNotReady, match="failed"):
        desk.app.evaluation_figures(run.id)
    another = desk.app.begin_evaluation("people")
    send(desk.app, another, files(desk))
    assert finished(desk.app, another).state == "done"


# --- nothing stays --------------------------------------------------------------------------------


def test_no_template_stays_once_it_is_done(desk: Desk) -> None:
    run = desk.app.begin_evaluation("people")
    send(desk.app, run, files(desk))
    finished(desk.app, run)
    gc.collect()
    left = [each for each in gc.get_objects() if isinstance(each, Gathering)]
    assert not any(each.pictures for each in left)
    assert not [
        each
        for each in gc.get_objects()
        if isinstance(each, np.ndarray) and each.shape == (25, 128) and each.dtype == np.float32
    ]


def test_nothing_of_it_is_on_disk(desk: Desk) -> None:
    run = desk.app.begin_evaluation("zanzibar folk")
    pictures = {(f"zanzibar {who}", "1.png"): p for (who, _), p in files(desk, 1).items()}
    send(desk.app, run, pictures)
    send(desk.app, run, {("zanzibar person 1", "2.png"): desk.studio.draw(1)})
    finished(desk.app, run)
    assert "zanzibar person 1" in str(desk.app.evaluation_figures(run.id).figures)
    for file in desk.data.rglob("*"):
        assert not file.is_file() or b"zanzibar" not in file.read_bytes()
    with desk.reopened() as other:
        assert other.evaluations() == ()
        with pytest.raises(EvaluationNotFound, match="started anew"):
            other.evaluation_report(run.id)


# --- on record ------------------------------------------------------------------------------------


def test_each_use_is_on_record(desk: Desk) -> None:
    app, before = desk.app, len(kinds_on_record(desk.app))
    run = app.begin_evaluation("people")
    pictures = {
        **{("ada", f"{number}.png"): desk.studio.draw(1) for number in (1, 2)},
        ("bob", "1.png"): desk.studio.draw(2, 3),
    }
    send(app, run, pictures)
    app.label_evaluation(run.id, {"ada": "day"})
    app.evaluations()
    finished(app, run)
    app.evaluation_figures(run.id)
    app.evaluation_report(run.id)
    app.discard_evaluation(run.id)
    with app._resources.store.read() as connection:
        told: list[Any] = [each.event for each in entries(connection)][before:]
    assert [each.kind for each in told] == [
        "evaluation-begun",
        *["faces-detected"] * 3,
        "evaluation-labelled",
        "pictures-evaluated",
        *["evaluation-read"] * 2,
        "evaluation-dropped",
    ]
    assert [each.faces for each in told if each.kind == "faces-detected"] == [1, 1, 2]
    assert (told[5].pictures, told[5].people) == (3, 2)
    assert [each.what for each in told[6:8]] == ["figures", "report"]
    assert (told[8].pictures, told[8].reason) == (3, "asked")
    assert {each.evaluation for each in told if hasattr(each, "evaluation")} == {run.id}


def test_it_takes_the_right_to_admin_everywhere(desk: Desk) -> None:
    app, run = desk.app, desk.app.begin_evaluation("people")
    others = (
        desk.key("detect", "compare", "enrol", "search", "erase", "audit"),
        desk.key("admin", collections=["club"]),
    )
    asked: tuple[Callable[[Sayso], Any], ...] = (
        lambda other: other.begin_evaluation("mine"),
        lambda other: other.evaluations(),
        lambda other: other.evaluation(run.id),
        lambda other: other.add_evaluation_picture(run.id, person="a", file="b", picture=b""),
        lambda other: other.label_evaluation(run.id, {"ada": "day"}),
        lambda other: other.finish_evaluation(run.id),
        lambda other: other.evaluation_figures(run.id),
        lambda other: other.evaluation_report(run.id),
        lambda other: other.discard_evaluation(run.id),
    )
    for other in others:
        for ask in asked:
            with pytest.raises(AccessDenied):
                ask(other)
    assert app.evaluation(run.id).state == "open"
    admin = desk.key("admin")
    assert [each.id for each in admin.evaluations()] == [run.id]
    assert admin.evaluation(run.id).created_by == app.caller.actor


# --- limits ---------------------------------------------------------------------------------------


def test_an_hour_without_a_picture_drops_it(desk: Desk) -> None:
    app = desk.app
    left, used = app.begin_evaluation("left lying"), app.begin_evaluation("used")
    send(app, left, {("ada", "1.png"): desk.studio.draw(1)})
    desk.clock.time += timedelta(minutes=59)
    send(app, used, {("ada", "1.png"): desk.studio.draw(1)})
    app._resources.look()
    assert len(app.evaluations()) == 2
    desk.clock.time += timedelta(minutes=1)
    until(lambda: [each.id for each in app.evaluations()] == [used.id], 5)
    with app._resources.store.read() as connection:
        (dropped,) = [e for e in entries(connection) if e.event.kind == "evaluation-dropped"]
    assert dropped.actor == "retention"
    event: Any = dropped.event
    assert (event.pictures, event.reason) == (1, "expired")
    with pytest.raises(EvaluationNotFound, match="for an hour"):
        send(app, left, {("ada", "2.png"): desk.studio.draw(1)})


def test_only_so_many_are_not_done(desk: Desk) -> None:
    begun = [desk.app.begin_evaluation(str(number)) for number in range(4)]
    with pytest.raises(GalleryError, match="4 evaluations are not done") as refused:
        desk.app.begin_evaluation("one more")
    for each in begun:  # so that whoever is refused finds what to discard
        assert f"{each.name!r} (open, of {each.created_by}, {each.id})" in str(refused.value)
    desk.app.discard_evaluation(begun[0].id)
    desk.app.begin_evaluation("one more")


def test_only_so_many_pictures_are_taken(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluations, "MOST_PICTURES", 2)
    run = desk.app.begin_evaluation("people")
    both = {("ada", "1.png"): desk.studio.draw(1), ("ada", "2.png"): desk.studio.draw(1)}
    send(desk.app, run, both)
    with pytest.raises(GalleryError, match="has 2 pictures, and no more than 2"):
        send(desk.app, run, {("bob", "1.png"): desk.studio.draw(2)})
    send(desk.app, run, both)  # they take their own places


@pytest.mark.parametrize(("most", "size"), [(2, 1 << 30), (20, 1)])
def test_the_oldest_that_are_done_make_room(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, most: int, size: int
) -> None:
    monkeypatch.setattr(runs, "MOST_KEPT", most)
    monkeypatch.setattr(runs, "MOST_CHARACTERS", size)
    done = []
    for number in range(3):
        run = desk.app.begin_evaluation(str(number))
        send(desk.app, run, {(f"{n}", f"{m}"): desk.studio.draw(n) for n in (1, 2) for m in (1, 2)})
        finished(desk.app, run)
        desk.clock.time += timedelta(seconds=1)
        done.append(run.id)
    kept = done[1:] if most == 2 else done[2:]  # the newest stays, whatever its size
    assert [each.id for each in desk.app.evaluations()] == kept
    assert desk.app.evaluation_report(done[-1])


@pytest.mark.parametrize("name", ["", "x" * 256, "a\0b", "a/b", "\udc80"])
def test_names_have_rules(desk: Desk, name: str) -> None:
    run = desk.app.begin_evaluation("a/b")
    for person, file in ((name, "1.png"), ("ada", name)):
        with pytest.raises(InvalidName, match="is no name of a"):
            send(desk.app, run, {(person, file): desk.studio.draw(1)})
    assert desk.app.evaluation(run.id).pictures.pictures == 0
    send(desk.app, run, {("ada", "1.png"): desk.studio.draw(1)})
    if name != "a/b":
        with pytest.raises(InvalidName):
            desk.app.begin_evaluation(name)
        with pytest.raises(InvalidName):
            desk.app.label_evaluation(run.id, {"ada": name})


def test_only_people_with_pictures_are_labelled(desk: Desk) -> None:
    run = desk.app.begin_evaluation("people")
    send(desk.app, run, {("ada", "1.png"): desk.studio.draw(1)})
    with pytest.raises(GalleryError, match="no person 'bob'"):
        desk.app.label_evaluation(run.id, {"ada": "day", "bob": "night"})
    assert desk.app.evaluation(run.id).labelled == 0
