"""Copies of pictures in which everybody is covered but who agreed to be seen."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sayso.audit.events import Event, FacesDetected, PictureRedacted, PictureSearched
from sayso.core import Sayso
from sayso.core.covering import LEAST_SIMILARITY
from sayso.errors import (
    AccessDenied,
    CollectionNotFound,
    ConsentRequired,
    GalleryError,
    StoreUnavailable,
    UnreadablePicture,
    UnsupportedPicture,
)
from sayso.redacted import MEDIA_TYPES, REASONS
from sayso.redaction.types import STYLES
from sayso.results import Consent, FalseMatchRule, Redacted, RedactedFace
from sayso.vision.encoding import encode
from sayso.vision.picture import decode
from sayso.vision.types import Picture
from tests.desk import DOOR, PHOTOS, Desk, desk
from tests.service.rekognition.drawn import HEIGHT, WIDTH, Drawn

__all__ = ["desk"]

ADA, BOB, STRANGER = 0, 1, 2
DAY = timedelta(days=1)


def at(place: int, person: int, **how: Any) -> Drawn:
    """Return one of three faces side by side, 30 pixels high."""
    return Drawn(person, **{"side": 30, "left": 10 + 70 * place, "top": 40, **how})


def pixels(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def shown(original: bytes, redacted: Redacted, face: Drawn) -> bool:
    """Tell whether a face is to be seen; it must be so with all of it, or with nothing."""
    part = slice(int(face.top), int(face.top + face.side))
    rows, columns = part, slice(int(face.left), int(face.left + face.side))
    before, after = (pixels(data)[rows, columns] for data in (original, redacted.data))
    same = (before == after).all(axis=2)
    assert same.all() or not same.any()
    return bool(same.all())


def redactions(app: Sayso) -> list[Any]:
    return [entry.event for entry in app.audit_entries(kind="picture-redacted")]


def outcome(redacted: Redacted) -> dict[float, tuple[bool, str, str | None]]:
    """Return by the left edge of each face whether it is covered, why, and who it is."""
    return {face.box[0]: (face.covered, face.reason, face.subject) for face in redacted.faces}


@pytest.fixture
def party(desk: Desk) -> Desk:
    """The desk, with Ada who agreed to photos, and Bob who agreed to the door only."""
    desk.enrol("ada", ADA)
    desk.enrol("bob", BOB, DOOR)
    return desk


THREE = (at(0, ADA), at(1, BOB), at(2, STRANGER))


def test_everybody_is_covered_but_whose_consent_covers_the_purpose(party: Desk) -> None:
    picture = party.studio.draw(*THREE)
    redacted = party.app.redact("club", picture, purpose=PHOTOS)
    assert [shown(picture, redacted, face) for face in THREE] == [True, False, False]
    assert outcome(redacted) == {
        10: (False, "consent", "ada"),
        80: (True, "no-match", None),
        150: (True, "no-match", None),
    }
    assert (redacted.covered, redacted.kept) == (2, 1)
    assert (redacted.width, redacted.height) == (WIDTH, HEIGHT)
    redacted = party.app.redact("club", picture, purpose=DOOR)
    assert [shown(picture, redacted, face) for face in THREE] == [False, True, False]


@pytest.mark.parametrize("style", STYLES)
def test_in_every_style(party: Desk, style: Any) -> None:
    # What is covered would be seen by its colour, were it left.
    picture = party.studio.draw(*THREE)
    redacted = party.app.redact("club", picture, purpose=PHOTOS, style=style)
    assert redacted.style == style
    middle = pixels(redacted.data)[55, [25, 165]].tolist()
    before = pixels(picture)[55, [25, 165]].tolist()
    assert middle[0] == before[0]
    assert style == "mosaic" or middle[1] != before[1]


@pytest.mark.parametrize("how", ["withdrawn", "expired"])
def test_whose_consent_has_ended_is_covered(party: Desk, how: str) -> None:
    party.app.add_consent("club", "bob", Consent([PHOTOS], "form 2", until=party.clock() + 2 * DAY))
    picture = party.studio.draw(*THREE)
    assert party.app.redact("club", picture, purpose=PHOTOS).kept == 2
    if how == "withdrawn":
        party.app.withdraw_consent("club", "bob", PHOTOS)
    else:
        party.clock.time += 3 * DAY
    redacted = party.app.redact("club", picture, purpose=PHOTOS)
    assert [shown(picture, redacted, face) for face in THREE] == [True, False, False]


def test_whoever_withdraws_while_faces_are_looked_up_is_covered(
    party: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, other = party.studio.draw(*THREE), party.reopened()
    index = party.app._resources.index
    match = index.match

    def meanwhile(*args: Any, **options: Any) -> Any:
        found = match(*args, **options)
        assert [len(hits) for hits in found.hits] == [1, 0, 0]
        other.withdraw_consent("club", "ada", PHOTOS)
        return found

    monkeypatch.setattr(index, "match", meanwhile)
    redacted = party.app.redact("club", picture, purpose=PHOTOS)
    assert redacted.kept == 0
    assert not shown(picture, redacted, THREE[0])
    assert redactions(party.app)[-1].subjects == ()
    other.close()


def test_the_rule_decides_what_is_similar_enough(party: Desk) -> None:
    alike = at(0, ADA, cosine=0.5)
    picture = party.studio.draw(alike)
    recognised = party.app.recognize("club", picture, purpose=PHOTOS, min_similarity=100)
    assert recognised.faces[0].subject is None
    redacted = party.app.redact("club", picture, purpose=PHOTOS)
    assert redacted.faces[0].subject == "ada"
    assert redacted.threshold.asked == LEAST_SIMILARITY
    party.app.set_false_match_rule("club", FalseMatchRule(1e-9))
    redacted = party.app.redact("club", picture, purpose=PHOTOS)
    assert outcome(redacted) == {10: (True, "no-match", None)}
    assert redacted.threshold.similarity is None


def test_where_the_rule_asks_for_little_the_least_similarity_holds(party: Desk) -> None:
    picture = party.studio.draw(at(0, ADA, cosine=0.42))
    recognised = party.app.recognize("club", picture, purpose=PHOTOS, min_similarity=0)
    assert recognised.faces[0].subject == "ada"  # the rule is kept: hardly anybody is enrolled
    assert recognised.faces[0].similarity is not None
    assert recognised.faces[0].similarity < LEAST_SIMILARITY
    redacted = party.app.redact("club", picture, purpose=PHOTOS)
    assert outcome(redacted) == {10: (True, "no-match", None)}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"side": 23}, "too-small"),
        ({"overall": 19}, "blurred"),
        ({"score": 0.34}, "unsure"),
    ],
)
def test_who_cannot_be_recognised_is_covered_and_makes_the_rule_no_stricter(
    party: Desk, how: dict[str, float], reason: str
) -> None:
    face = at(0, ADA, **how)
    picture = party.studio.draw(face, at(2, ADA))
    redacted = party.app.redact("club", picture, purpose=PHOTOS)
    assert outcome(redacted)[10] == (True, reason, None)
    assert not shown(picture, redacted, face)
    assert shown(picture, redacted, at(2, ADA))
    assert redacted.threshold.probes == 1
    bare = party.app.redact("club", party.studio.draw(at(0, ADA), at(2, BOB)), purpose=PHOTOS)
    assert bare.threshold.probes == 2


def test_of_two_who_are_like_the_same_subject_the_less_similar_is_covered(party: Desk) -> None:
    twice = (at(0, ADA, cosine=0.7), at(1, ADA, cosine=0.95))
    picture = party.studio.draw(*twice)
    redacted = party.app.redact("club", picture, purpose=PHOTOS)
    assert outcome(redacted) == {10: (True, "duplicate", None), 80: (False, "consent", "ada")}
    assert [shown(picture, redacted, face) for face in twice] == [False, True]


def test_a_face_that_was_detected_twice_stays_one_and_whoever_overlaps_is_covered(
    party: Desk,
) -> None:
    # The landmarks of a drawn face are shares of its box: the same middle, other sides.
    face = at(0, ADA, side=60, top=20)
    inner = at(0, STRANGER, side=36, left=22, top=32, score=0.3)
    beside = at(0, STRANGER, side=30, left=62, top=50, score=0.3)
    alone = party.app.redact("club", party.studio.draw(face, inner), purpose=PHOTOS)
    assert outcome(alone) == {10: (False, "consent", "ada")}
    picture = party.studio.draw(face, beside)
    redacted = party.app.redact("club", picture, purpose=PHOTOS)
    assert outcome(redacted)[62] == (True, "unsure", None)
    before, after = pixels(picture), pixels(redacted.data)
    assert (before[40, 20] == after[40, 20]).all()
    assert not (before[60, 66] == after[60, 66]).all()


def test_covers_reach_over_whoever_is_kept(party: Desk) -> None:
    face, other = at(0, ADA, side=60, top=20), at(1, STRANGER, side=60, left=50, top=20)
    picture = party.studio.draw(face, other)
    redacted = party.app.redact("club", picture, purpose=PHOTOS)
    assert redacted.kept == 1
    before, after = pixels(picture), pixels(redacted.data)
    assert not (before[50, 60] == after[50, 60]).any()


# --- the second look ------------------------------------------------------------------------------


def box(face: Drawn) -> tuple[float, float, float, float]:
    return face.left, face.top, face.left + face.side, face.top + face.side


def test_a_second_look_covers_and_uncovers_and_is_on_record(party: Desk) -> None:
    picture = party.studio.draw(*THREE)
    redacted = party.app.redact(
        "club", picture, purpose=PHOTOS, cover=[box(THREE[0])], uncover=[box(THREE[2])]
    )
    assert [shown(picture, redacted, face) for face in THREE] == [False, False, True]
    assert outcome(redacted) == {
        10: (True, "by-hand", None),
        80: (True, "no-match", None),
        150: (False, "by-hand", None),
    }
    (entry,) = party.app.audit_entries(kind="picture-redacted")
    assert entry.actor == party.app.caller.actor
    assert entry.event == PictureRedacted(
        collection="club",
        picture=redacted.record,
        style="solid",
        faces=3,
        covered=2,
        subjects=(),
        covered_by_hand=((10, 40, 40, 70),),
        uncovered_by_hand=((150, 40, 180, 70),),
    )
    manifest = redacted.manifest()
    assert [face["reason"] for face in manifest["faces"]].count("by-hand") == 2
    assert "'ada'" not in str(manifest)


def test_a_face_that_was_kept_stays_so_when_it_is_uncovered(party: Desk) -> None:
    picture = party.studio.draw(*THREE)
    redacted = party.app.redact("club", picture, purpose=PHOTOS, uncover=[box(THREE[0])])
    assert outcome(redacted)[10] == (False, "consent", "ada")
    assert redacted.kept == 1


def test_a_head_that_was_missed_is_covered_as_it_is_drawn(party: Desk) -> None:
    picture = party.studio.draw(at(0, ADA))
    redacted = party.app.redact("club", picture, purpose=PHOTOS, cover=[(100, -5, 120.4, 30)])
    before, after = pixels(picture), pixels(redacted.data)
    changed = np.argwhere((before != after).any(axis=2))
    assert abs(changed.min(axis=0) - [0, 100]).max() <= 1
    assert abs(changed.max(axis=0) - [30, 120]).max() <= 1
    drawn = redacted.faces[-1]
    assert drawn == RedactedFace((100.0, -5.0, 120.4, 30.0), None, None, True, "by-hand")
    assert (redacted.covered, redacted.kept) == (1, 1)
    assert redactions(party.app)[-1].covered_by_hand == ((100, -5, 120, 30),)


def test_a_box_that_is_drawn_larger_than_a_face_is_covered_all_the_same(party: Desk) -> None:
    face = at(0, ADA)
    picture = party.studio.draw(face)
    left, top, right, bottom = box(face)
    drawn = (left, top, right, bottom + 25)  # the name on the shirt as well
    redacted = party.app.redact("club", picture, purpose=PHOTOS, style="ellipse", cover=[drawn])
    assert outcome(redacted) == {10: (True, "by-hand", None)}
    before, after = pixels(picture), pixels(redacted.data)
    row, middle = int(bottom) + 22, int(left + right) // 2
    assert not (before[row, middle] == after[row, middle]).all()
    assert not (before[row, int(left) + 1] == after[row, int(left) + 1]).all()


def test_an_uncovered_face_stays_under_the_cover_of_another(party: Desk) -> None:
    one, other = at(0, BOB, side=60, top=20), at(1, STRANGER, side=60, left=50, top=20)
    picture = party.studio.draw(one, other)
    redacted = party.app.redact("club", picture, purpose=PHOTOS, uncover=[box(one)])
    before, after = pixels(picture), pixels(redacted.data)
    assert (before[50, 15] == after[50, 15]).all()
    assert not (before[50, 65] == after[50, 65]).all()


@pytest.mark.parametrize(
    ("by_hand", "message"),
    [
        ({"uncover": [(100, 10, 130, 40)]}, "no face was found at 100,10,130,40"),
        ({"cover": [(10, 40, 40, 70)], "uncover": [(10, 40, 40, 70)]}, "and uncovered both"),
        ({"cover": [(10, 40, 10, 70)]}, "cover: the box .* has no area"),
        ({"uncover": [(10, 40, 40)]}, "uncover: "),
        ({"cover": [(10, 40, float("nan"), 70)]}, "cover: the box .* four finite numbers"),
        ({"cover": [(10, 40, 1e9, 70)]}, "far off any picture"),
        ({"cover": [(300, 10, 330, 40)]}, "300,10,330,40 lies outside the picture, .* 200 x 100"),
        ({"cover": [(10, 40, 40, 70)] * 101}, "cover has 101 boxes; at most 100"),
        ({"cover": [(-50, 0, 250, 100)] * 5}, "100,000 pixels together; 80,000 are allowed"),
        ({"style": "blur"}, "no style 'blur': it can be solid, mosaic or ellipse"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nobody_is_looked_up(
    party: Desk, by_hand: dict[str, Any], message: str
) -> None:
    picture = party.studio.draw(*THREE)
    with pytest.raises(GalleryError, match=message):
        party.app.redact("club", picture, purpose=PHOTOS, **by_hand)
    told = [entry.event for entry in party.app.audit_entries()]
    assert not [e for e in told if isinstance(e, PictureSearched | PictureRedacted)]
    detected = [e for e in told if isinstance(e, FacesDetected)]
    assert len(detected) == int("uncover" in by_hand and "uncover: " not in message)


# --- who may, and the record ----------------------------------------------------------------------


def test_only_who_may_search_may_redact_and_for_their_own_purpose(party: Desk) -> None:
    picture = party.studio.draw(*THREE)
    for key, purpose in ((party.key("detect", "enrol"), PHOTOS), (party.key("search"), DOOR)):
        with pytest.raises(AccessDenied):
            key.redact("club", picture, purpose=purpose)
    with pytest.raises(ConsentRequired):
        party.app.redact("club", picture)
    with pytest.raises(CollectionNotFound):
        party.app.redact("team", picture, purpose=PHOTOS)
    assert redactions(party.app) == []
    assert party.key("search").redact("club", picture).purpose == PHOTOS


def test_the_answer_does_not_depend_on_who_else_is_enrolled(party: Desk) -> None:
    picture, key = party.studio.draw(*THREE), party.key("search")
    before = key.redact("club", picture)
    party.enrol("eve", STRANGER, DOOR)
    assert key.redact("club", picture) == before


def test_a_redaction_is_in_the_report_of_whom_it_shows_and_tells_of_nobody_else(
    party: Desk,
) -> None:
    party.enrol("eve", STRANGER)
    party.app.redact("club", party.studio.draw(*THREE), purpose=PHOTOS)
    kinds = {}
    for name in ("ada", "bob", "eve"):
        report = party.app.report("club", name)
        events: list[Event] = [entry.event for entry in report.entries]
        kinds[name] = [e.kind for e in events if e.kind.startswith("picture-")]
        for event in events:
            if isinstance(event, PictureRedacted):
                assert sorted(event.subjects) == sorted([report.subject.id, "another"])
    assert kinds == {
        "ada": ["picture-searched", "picture-redacted"],
        "bob": [],
        "eve": ["picture-searched", "picture-redacted"],
    }


def test_what_cannot_be_put_on_record_is_not_answered(
    party: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = party.app._resources.log
    append = log.append

    def full(connection: Any, now: int, who: Any, events: Any) -> int:
        if any(isinstance(event, PictureRedacted) for event in events):
            raise StoreUnavailable("the disk is full")
        return append(connection, now, who, events)

    monkeypatch.setattr(log, "append", full)
    with pytest.raises(StoreUnavailable):
        party.app.redact("club", party.studio.draw(*THREE), purpose=PHOTOS)
    monkeypatch.undo()
    told = [entry.event for entry in party.app.audit_entries()]
    assert not [e for e in told if isinstance(e, PictureSearched)]  # the same transaction


# --- files ----------------------------------------------------------------------------------------


def test_a_copy_has_the_format_of_the_picture_or_the_one_asked_for(party: Desk) -> None:
    for form, suffix in (("PNG", ".png"), ("TIFF", ".tif"), ("BMP", ".png")):
        redacted = party.app.redact(
            "club", party.studio.draw(at(0, ADA), form=form), purpose=PHOTOS
        )
        assert redacted.suffix == suffix
    redacted = party.app.redact(
        "club", party.studio.draw(at(0, ADA)), purpose=PHOTOS, suffix=".WEBP"
    )
    assert decode(redacted.data).format == "WEBP"
    assert redacted.media_type == "image/webp"
    with pytest.raises(UnsupportedPicture, match=r"'\.heic'; use one of \.jpg"):
        party.app.redact("club", party.studio.draw(at(0, ADA)), purpose=PHOTOS, suffix=".heic")


def test_every_format_that_is_named_can_be_written() -> None:
    blank = Picture(np.zeros((8, 8, 3), np.uint8))
    for suffix, media_type in MEDIA_TYPES.items():
        form = decode(encode(blank, suffix)).format
        assert media_type == f"image/{form.lower()}"


@pytest.mark.parametrize("data", [b"", b"not a picture"])
def test_what_is_no_picture_is_refused(party: Desk, data: bytes) -> None:
    with pytest.raises(UnreadablePicture):
        party.app.redact("club", data, purpose=PHOTOS)
    assert redactions(party.app) == []


def test_a_picture_of_nobody_comes_back(party: Desk) -> None:
    picture = party.studio.draw()
    redacted = party.app.redact("club", picture, purpose=PHOTOS)
    assert (pixels(redacted.data) == pixels(picture)).all()
    assert redacted.faces == ()
    assert redactions(party.app)[-1].faces == 0


def test_a_manifest_tells_who_was_kept_and_no_folder(party: Desk, tmp_path: Any) -> None:
    file = tmp_path / "secret-folder" / "party.png"
    file.parent.mkdir()
    file.write_bytes(party.studio.draw(*THREE))
    redacted = party.app.redact("club", file, purpose=PHOTOS)
    manifest = redacted.manifest()
    assert manifest["picture"] == "party.png"
    assert "secret-folder" not in str(manifest)
    (searched,) = party.app.audit_entries(kind="picture-searched")
    assert manifest["record"] == searched.event.picture  # type: ignore[attr-defined]
    assert (manifest["covered"], manifest["kept"]) == (2, 1)
    assert [face["subject"] for face in manifest["faces"]] == ["ada", None, None]
    assert {face["reason"] for face in manifest["faces"]} <= set(REASONS)
    assert redacted.manifest("other/name.jpg")["picture"] == "name.jpg"


def test_a_copy_has_the_one_picture_that_was_looked_at_and_says_so(party: Desk) -> None:
    first = Image.open(io.BytesIO(party.studio.draw(*THREE)))
    out = io.BytesIO()
    first.save(out, "TIFF", save_all=True, append_images=[first.rotate(180)])
    redacted = party.app.redact("club", out.getvalue(), purpose=PHOTOS)
    assert redacted.suffix == ".tif"
    with Image.open(io.BytesIO(redacted.data)) as copy:
        assert getattr(copy, "n_frames", 1) == 1
    assert redacted.notices == ("the file has 2 pages; only the first was looked at",)
    assert redacted.manifest()["notices"] == list(redacted.notices)
