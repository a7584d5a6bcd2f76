"""The rule of a collection: how many strangers its searches may name, whoever asks and how."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sayso.audit.events import EnrolledSearched, PictureSearched
from sayso.core import Sayso
from sayso.errors import (
    AccessDenied,
    CalibrationError,
    CollectionNotFound,
    GalleryError,
    ModelConflict,
)
from sayso.evidence.calibration import POINTS_PER_DECADE, default, dumps
from sayso.results import Consent, FalseMatchRule, Threshold
from tests.desk import PHOTOS, Desk, desk
from tests.gallery.synthetic import CONSENT, PURPOSE, VERSION, near, templates
from tests.service.rekognition.drawn import Drawn

__all__ = ["desk"]

#: Fewer strangers than any score is known to keep to.
STRICT = FalseMatchRule(1e-9)

#: Every way to search for the person 0, whose other picture is of the face ``face``.
Search = Callable[[Desk, str, float], tuple[list[Any], Threshold]]


def recognized(desk: Desk, _: str, similarity: float) -> tuple[list[Any], Threshold]:
    picture = desk.studio.draw(Drawn(0, cosine=0.9))
    found = desk.app.recognize("club", picture, purpose=PHOTOS, min_similarity=similarity)
    return [each.candidate for each in found if each.candidate], found.threshold


def by_templates(desk: Desk, _: str, similarity: float) -> tuple[list[Any], Threshold]:
    rows = near(templates(20, seed=3)[[0]], 0.9, 400)
    found = desk.app.recognize_templates("club", rows, purpose=PHOTOS, min_similarity=similarity)
    return list(found[0]), found.threshold


def by_picture(desk: Desk, _: str, similarity: float) -> tuple[list[Any], Threshold]:
    picture = desk.studio.draw(Drawn(0, cosine=0.9))
    found = desk.app.search_picture("club", picture, purpose=PHOTOS, min_similarity=similarity)
    return list(found.candidates), found.threshold


def by_face(desk: Desk, face: str, similarity: float) -> tuple[list[Any], Threshold]:
    found = desk.app.search_face("club", face, purpose=PHOTOS, min_similarity=similarity)
    return list(found), found.threshold


def users_by_picture(desk: Desk, _: str, similarity: float) -> tuple[list[Any], Threshold]:
    picture = desk.studio.draw(Drawn(0, cosine=0.9))
    found = desk.app.search_users_by_picture(
        "club", picture, purpose=PHOTOS, min_similarity=similarity
    )
    return list(found.candidates), found.threshold


def users_by_face(desk: Desk, face: str, similarity: float) -> tuple[list[Any], Threshold]:
    found = desk.app.search_users("club", face=face, purpose=PHOTOS, min_similarity=similarity)
    return list(found), found.threshold


def users_by_user(desk: Desk, _: str, similarity: float) -> tuple[list[Any], Threshold]:
    found = desk.app.search_users("club", user="ada", purpose=PHOTOS, min_similarity=similarity)
    return list(found), found.threshold


EVERY_WAY = [
    *(recognized, by_templates, by_picture, by_face),
    *(users_by_picture, users_by_face, users_by_user),
]


@pytest.fixture
def face(desk: Desk) -> str:
    """A face of Ada, who has others, which are users'; and somebody else."""
    desk.enrol("ben", 1)
    for name in ("ada", "again"):
        other = desk.enrol(name, 0)
        desk.app.create_user("club", name)
        desk.app.associate_faces("club", name, [other])
    return desk.enrol("ada", 0)


@pytest.mark.parametrize("search", EVERY_WAY)
def test_the_rule_holds_for_every_way_to_search(desk: Desk, face: str, search: Search) -> None:
    found, told = search(desk, face, 80)
    assert found
    assert (told.similarity, told.measured, told.raised) == (80, True, False)
    assert all(each.expected_false_matches <= 0.01 for each in found)
    desk.app.set_false_match_rule("club", STRICT)
    found, told = search(desk, face, 80)
    assert found == []
    assert (told.similarity, told.measured, told.raised) == (None, False, True)
    assert (told.max_expected_false_matches, told.per, told.asked) == (1e-9, "picture", 80)
    searched = [
        (entry.event.min_similarity, entry.event.threshold)
        for entry in desk.app.audit_entries()
        if isinstance(entry.event, PictureSearched | EnrolledSearched)
    ]
    assert searched == [(80, 80), (80, None)]


@pytest.mark.parametrize("search", EVERY_WAY)
def test_the_rule_raises_what_is_asked_and_never_lowers_it(
    desk: Desk, face: str, search: Search
) -> None:
    desk.app.set_false_match_rule("club", FalseMatchRule(1e-3))
    found, told = search(desk, face, 0)
    assert told.similarity is not None
    assert told.similarity > 20
    assert all(each.similarity >= told.similarity for each in found)
    desk.app.set_false_match_rule("club", FalseMatchRule(1e6))
    _, told = search(desk, face, 95)
    assert (told.similarity, told.raised) == (95, False)


@pytest.mark.parametrize("search", EVERY_WAY)
def test_a_rule_that_is_made_stricter_during_a_search_holds_for_its_answer(
    desk: Desk, face: str, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = desk.app._resources.index

    def meanwhile(search: Callable[..., Any]) -> Callable[..., Any]:
        def found(*args: Any, **options: Any) -> Any:
            answer = search(*args, **options)
            desk.app.set_false_match_rule("club", STRICT)
            return answer

        return found

    for name in ("match", "match_faces", "match_users"):
        monkeypatch.setattr(index, name, meanwhile(getattr(index, name)))
    found, told = search(desk, face, 80)
    assert (found, told.measured) == ([], False)
    last = [entry.event for entry in desk.app.audit_entries()][-1]
    assert getattr(last, "found", None) == ()


@pytest.mark.parametrize("search", EVERY_WAY)
def test_whoever_may_not_be_shown_does_not_raise_it(desk: Desk, face: str, search: Search) -> None:
    before = search(desk, face, 0)[1]
    for person in range(2, 9):
        hidden = desk.enrol(f"p{person}", person, "door")
        desk.app.create_user("club", f"p{person}")
        desk.app.associate_faces("club", f"p{person}", [hidden])
    assert search(desk, face, 0)[1] == before


def test_faces_of_a_picture_count_together_unless_each_is_to_count_by_itself(desk: Desk) -> None:
    desk.enrol("ada", 0)
    alone, crowd = desk.studio.draw(0), desk.studio.draw(*range(8))

    def told(picture: bytes) -> Threshold:
        return desk.app.recognize("club", picture, purpose=PHOTOS, min_similarity=0).threshold

    one, eight = told(alone), told(crowd)
    assert (one.probes, eight.probes, one.population) == (1, 8, 1)
    assert one.similarity is not None
    assert eight.similarity is not None
    # An eighth of the rate: log10(8) steps of it.
    assert eight.similarity - one.similarity == pytest.approx(
        POINTS_PER_DECADE * np.log10(8), abs=0.1
    )
    desk.app.set_false_match_rule("club", FalseMatchRule(0.01, "face"))
    assert told(crowd).similarity == pytest.approx(one.similarity)
    assert (told(crowd).probes, told(crowd).per) == (8, "face")


def test_a_picture_without_faces_tells_how_many_are_enrolled(desk: Desk) -> None:
    desk.enrol("ada", 0)
    told = desk.app.recognize("club", desk.studio.draw(), purpose=PHOTOS).threshold
    assert (told.population, told.probes, told.similarity) == (1, 0, 0)


@pytest.mark.parametrize("per", ["picture", "face"])
@pytest.mark.parametrize("expected", [1e-9, 1e-6, 0.01])
def test_what_a_search_must_reach_is_told_without_one(
    desk: Desk, face: str, per: Any, expected: float
) -> None:
    desk.enrol("dora", 5, "door")
    desk.app.set_false_match_rule("club", FalseMatchRule(expected, per))
    told = desk.app.threshold("club", purpose=PHOTOS, faces=3, min_similarity=10)
    picture = desk.studio.draw(0, 1, 2)
    found = desk.app.recognize("club", picture, purpose=PHOTOS, min_similarity=10)
    assert told.threshold == found.threshold
    assert told.normalised
    if found.threshold.similarity is None:
        assert (told.score, told.false_match_rate, told.expected_false_matches) == (None,) * 3
        return
    calibration = desk.app.calibration
    assert calibration is not None
    assert told.score is not None
    assert told.false_match_rate is not None
    assert told.expected_false_matches is not None
    similarity = calibration.similarity(np.array(told.score))
    assert similarity == pytest.approx(found.threshold.similarity)
    assert told.expected_false_matches <= expected * (1 + 1e-6)
    chances = found.threshold.population * (3 if per == "picture" else 1)
    assert told.expected_false_matches == pytest.approx(told.false_match_rate * chances)


def test_who_may_be_shown_counts_for_what_must_be_reached(desk: Desk, face: str) -> None:
    desk.enrol("dora", 5, "door")
    counted = [
        desk.app.threshold("club").threshold.population,  # at the machine: all who are enrolled
        desk.app.threshold("club", purpose=PHOTOS).threshold.population,
        desk.app.threshold("club", purpose="door").threshold.population,
        desk.key("audit", purpose="door").threshold("club").threshold.population,
    ]
    assert counted == [5, 4, 1, 1]
    with pytest.raises(AccessDenied, match="photos"):
        desk.key("search").threshold("club", purpose="door")
    with pytest.raises(AccessDenied):
        desk.key("detect", "compare").threshold("club")
    with pytest.raises(CollectionNotFound):
        desk.app.threshold("team")
    for faces, similarity in ((0, 80), (1, 101), (1, -1)):
        with pytest.raises(GalleryError):
            desk.app.threshold("club", faces=faces, min_similarity=similarity)


def test_in_an_empty_collection_what_was_asked_for_decides(desk: Desk) -> None:
    told = desk.app.threshold("club", min_similarity=80)
    assert (told.threshold.similarity, told.threshold.population) == (80, 0)
    assert told.expected_false_matches == 0
    assert desk.app.threshold("club").score is None


@pytest.mark.parametrize(
    "search",
    [
        *("recognize", "recognize_templates", "threshold", "search_picture", "search_face"),
        *("search_users", "search_users_by_picture"),
    ],
)
def test_no_search_asks_for_a_similarity_by_itself(search: str) -> None:
    assert inspect.signature(getattr(Sayso, search)).parameters["min_similarity"].default == 0


def test_the_rule_alone_decides_unless_the_caller_asks_for_more(desk: Desk, face: str) -> None:
    calibration = desk.app.calibration
    assert calibration is not None
    picture = desk.studio.draw(Drawn(0, cosine=0.4))
    found = desk.app.recognize("club", picture, purpose=PHOTOS)
    told = found.threshold
    ruled = np.array(calibration.least_score(0.01 / told.population))
    assert told.similarity == pytest.approx(float(calibration.similarity(ruled)))
    assert [each.subject for each in found] == ["ada"]
    assert 40 < (next(iter(found)).similarity or 0) < 80
    asked = desk.app.recognize("club", picture, purpose=PHOTOS, min_similarity=80)
    assert [each.subject for each in asked] == [None]


def test_a_growing_gallery_asks_for_more(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club", rule=FalseMatchRule(1e-3))
        thresholds = []
        for count in (1, 10, 100):
            app.enroll_templates(
                "club",
                subjects=[f"s{count}-{row}" for row in range(count)],
                templates=templates(count, seed=count),
                consent=CONSENT,
                version=VERSION,
            )
            found = app.recognize_templates(
                "club", templates(1), purpose=PURPOSE, min_similarity=0, version=VERSION
            )
            thresholds.append(found.threshold)
        assert [each.population for each in thresholds] == [1, 11, 111]
        similarities = [each.similarity or 0 for each in thresholds]
        assert np.diff(similarities) == pytest.approx(
            POINTS_PER_DECADE * np.log10([11, 111 / 11]), abs=0.1
        )


def test_the_rule_is_the_administrators_and_on_record(desk: Desk) -> None:
    with pytest.raises(AccessDenied):
        desk.key("search", "enrol", "erase").set_false_match_rule("club", STRICT)
    with pytest.raises(CollectionNotFound):
        desk.app.set_false_match_rule("team", STRICT)
    assert desk.app.collection("club").rule == FalseMatchRule()
    assert desk.app.set_false_match_rule("club", STRICT).rule == STRICT
    desk.app.create_collection("team", rule=FalseMatchRule(2, "face"))
    (first, second) = desk.app.audit_entries(kind="false-match-rule-set")
    told = [(e.event.max_expected_false_matches, e.event.per) for e in (first, second)]  # type: ignore[attr-defined]
    assert told == [("1e-09", "picture"), ("2", "face")]
    with desk.reopened() as again:
        assert [each.rule for each in again.collections()] == [STRICT, FalseMatchRule(2, "face")]


def test_a_calibration_of_ones_own_takes_the_place_of_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.json"
    harder = replace(default(), rates=np.minimum(default().rates * 10, 1.0), worst_group=None)
    file.write_text(dumps(harder), "utf-8")
    matrix = templates(3)

    def recognised() -> tuple[float, float]:
        found = app.recognize_templates("club", matrix[:1], purpose=PURPOSE, version=VERSION)
        return found[0][0].similarity, found[0][0].expected_false_matches

    with Sayso(tmp_path / "data") as app:
        app.create_collection("club")
        app.enroll_templates(
            "club", subjects=["a", "b", "c"], templates=matrix, consent=CONSENT, version=VERSION
        )
        before = recognised()
    monkeypatch.setenv("SAYSO_CALIBRATION", str(file))
    with Sayso(tmp_path / "data") as app:
        after = recognised()
    assert after[1] == pytest.approx(10 * before[1], rel=1e-3)


def test_a_calibration_of_other_templates_is_no_silent_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.json"
    file.write_text(dumps(replace(default(), template_version="sface-2021dec/old/0")), "utf-8")
    monkeypatch.setenv("SAYSO_CALIBRATION", str(file))
    with Sayso(tmp_path / "data") as app:
        app.create_collection("club")
        with pytest.raises(ModelConflict, match="must be of the same version"):
            app.recognize_templates("club", templates(1), purpose=PURPOSE, version=VERSION)


@pytest.mark.parametrize(
    ("content", "told"), [(None, "cannot be read"), ("{}", "unset it"), (b"\xff", "cannot be read")]
)
def test_a_calibration_that_cannot_be_used_is_an_error_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | bytes | None, told: str
) -> None:
    file = tmp_path / "own.json"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setenv("SAYSO_CALIBRATION", str(file))
    with pytest.raises(CalibrationError, match=told):
        Sayso(tmp_path / "data")


def test_what_was_not_measured_of_fused_templates_names_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, desk: Desk
) -> None:
    face = desk.enrol("ada", 0)
    desk.app.create_user("club", "ada")
    desk.app.associate_faces("club", "ada", [face])
    assert desk.found(0) == ["ada"]
    file = tmp_path / "own.json"
    file.write_text(dumps(replace(default(), fused=None)), "utf-8")
    monkeypatch.setenv("SAYSO_CALIBRATION", str(file))
    with desk.reopened() as again:
        picture = desk.studio.draw(0)
        answer = again.search_users_by_picture("club", picture, purpose=PHOTOS)
        assert (answer.candidates, answer.threshold.measured) == ((), False)
        assert again.search_picture("club", picture, purpose=PHOTOS).candidates


def test_scores_of_users_with_several_faces_are_corrected(desk: Desk) -> None:
    faces = [desk.enrol("ada", 0, cosine=0.9), desk.enrol("ada", 0, cosine=0.9)]
    desk.app.create_user("club", "ada", consent=Consent([PHOTOS], "form"))
    picture = desk.studio.draw(Drawn(0, cosine=0.8))

    def similarity() -> tuple[float, float]:
        (found,) = desk.app.search_users_by_picture(
            "club", picture, purpose=PHOTOS, min_similarity=0
        ).candidates
        return found.similarity, found.cosine

    desk.app.associate_faces("club", "ada", faces[:1])
    single = similarity()
    desk.app.associate_faces("club", "ada", faces[1:])
    fused = similarity()
    assert fused[1] > single[1]  # nearer to the person
    index = desk.app._resources.index
    with desk.app._resources.store.read() as connection:
        key = int(connection.exec_driver_sql("SELECT key FROM users").scalar_one())
    template, several = index.fused_template("club", key, PHOTOS)
    assert template is not None
    assert several
    probe = desk.studio.analyze(_decoded(picture)).templates
    score = float(default().between(probe, template[None])[0, 0])
    assert default().fused is not None
    expected = default().similarity(np.array([score * (default().fused or 1)]))
    assert fused[0] == pytest.approx(float(expected[0]), abs=0.05)


def _decoded(data: bytes) -> Any:
    from sayso.vision.picture import PictureLimits, decode

    return decode(data, PictureLimits())
