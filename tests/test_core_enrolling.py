"""Enrolment from pictures: what is refused, what is told, and what the audit log has of it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from sayso.analyzer import Analyzer
from sayso.core import Sayso
from sayso.core.looking import PictureSource
from sayso.errors import (
    LooksLikeAnother,
    NoFaceFound,
    SubjectNotFound,
    UnreadablePicture,
)
from sayso.gallery.sealing import audited_digest
from sayso.results import Consent
from sayso.vision.picture import PictureLimits
from sayso.vision.types import Analysis, Face, Picture, Quality
from tests.gallery.synthetic import CONSENT, MODEL, PURPOSE, VERSION, enrol, named, templates

PEOPLE = templates(3, seed=3)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOBODY = 255


def picture(person: int, number: int = 0) -> bytes:
    """Make a picture of one of PEOPLE, or of nobody; each number is another file."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (person, number, 0)).save(file, "PNG")
    return file.getvalue()


class Reader:
    """In the place of the neural networks: reads from a picture's colour whose face is in it."""

    model, template_version, limits = MODEL, VERSION.template_version, PictureLimits()

    def analyze(self, picture: Picture, **_mode: str) -> Analysis:
        person = int(picture.pixels[0, 0, 0])
        if person == NOBODY:
            return Analysis(64, 64, (), templates(0))
        quality = Quality(90, 90, 90, 0, 0, 0, 60, 1)
        face = Face((2.0, 2.0, 62.0, 62.0), 0.99, np.zeros((5, 2), np.float32), quality)
        return Analysis(64, 64, (face,), PEOPLE[person][None])


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Sayso]:
    with Sayso(tmp_path, analyzer=cast("Analyzer", Reader())) as app:
        app.create_collection("club")
        app.enroll("club", subject="olga", pictures=[picture(0)], consent=CONSENT)
        yield app


def _digest(app: Sayso, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    return audited_digest(app._resources.keyring.digests(), sha256)


def _told(app: Sayso, kind: str, after: int = 0) -> list[Any]:
    return [entry.event for entry in app.audit_entries(kind=kind, after=after)]


def test_each_picture_that_is_refused_beside_others_is_on_record(app: Sayso) -> None:
    olga = app.subject("club", "olga").id
    alike = [picture(0, 1), picture(0, 2)]
    done = app.enroll(
        "club", subject="yuri", pictures=[alike[0], picture(1), alike[1]], consent=CONSENT
    )
    assert [type(each.error) for each in done.pictures] == [
        LooksLikeAnother,
        type(None),
        LooksLikeAnother,
    ]
    told = _told(app, "lookalike-refused")
    yuri = app.subject("club", "yuri").id
    assert [(each.subject, each.lookalike) for each in told] == [(yuri, olga)] * 2
    assert [each.picture for each in told] == [_digest(app, each) for each in alike]
    (enrolled,) = _told(app, "faces-enrolled")[1:]
    assert enrolled.pictures == (_digest(app, picture(1)),)
    assert enrolled.lookalikes == ()


@pytest.mark.parametrize("known", [True, False])
def test_where_all_are_refused_each_picture_is_on_record(app: Sayso, known: bool) -> None:
    yuri = None
    if known:
        app.enroll("club", subject="yuri", pictures=[picture(1)], consent=CONSENT)
        yuri = app.subject("club", "yuri").id
    alike = [picture(0, 1), picture(0, 2)]
    with pytest.raises(LooksLikeAnother):
        app.enroll("club", subject="yuri", pictures=[*alike, picture(NOBODY)], consent=CONSENT)
    told = _told(app, "lookalike-refused")
    assert [each.picture for each in told] == [_digest(app, each) for each in alike]
    assert {each.subject for each in told} == {yuri}
    assert {each.lookalike for each in told} == {app.subject("club", "olga").id}
    (seen,) = _told(app, "faces-detected")
    assert (seen.picture, seen.faces) == (_digest(app, picture(NOBODY)), 0)
    if not known:
        with pytest.raises(SubjectNotFound):
            app.subject("club", "yuri")


def test_the_error_of_a_lookalike_has_nothing_of_whom_it_is(app: Sayso) -> None:
    with pytest.raises(LooksLikeAnother) as caught:
        app.enroll("club", subject="yuri", pictures=[picture(0, 1)], consent=CONSENT)
    assert type(caught.value) is LooksLikeAnother
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert caught.value.__dict__ == {}


def test_all_whom_allowed_faces_are_more_like_are_on_record(app: Sayso) -> None:
    app.enroll("club", subject="yuri", pictures=[picture(1)], consent=CONSENT)
    app.enroll(
        "club",
        subject="zita",
        pictures=[picture(0, 1), picture(1, 1), picture(2)],
        consent=CONSENT,
        allow_lookalike=True,
    )
    *_, told = _told(app, "faces-enrolled")
    others = [app.subject("club", name).id for name in ("olga", "yuri")]
    assert told.lookalikes == tuple(sorted(others))
    for name in ("olga", "yuri"):
        entries = app.audit_entries(subject=("club", name), kind="faces-enrolled")
        assert entries[-1].event == told


def test_whoever_is_erased_by_the_same_change_is_no_lookalike(tmp_path: Path) -> None:
    now = [START]
    reader = cast("Analyzer", Reader())
    with Sayso(tmp_path, clock=lambda: now[0], analyzer=reader) as app:
        app.create_collection("club")
        ending = Consent([PURPOSE], "form", until=START + HOUR)
        app.enroll("club", subject="olga", pictures=[picture(0)], consent=ending)
        app._resources._closing.set()  # so that only the enrolment erases
        app._resources._watch.join()
        now[0] = START + HOUR
        done = app.enroll("club", subject="yuri", pictures=[picture(0, 1)], consent=CONSENT)
        assert done.enrolled == 1
        assert [stone.reason for stone in app.tombstones("club")] == ["expired"]
        assert named(app, PEOPLE[:1]) == ["yuri"]


def test_a_picture_of_no_use_that_was_looked_at_is_on_record(app: Sayso) -> None:
    useless: list[PictureSource] = [b"no picture", picture(NOBODY), picture(NOBODY, 1)]
    with pytest.raises(UnreadablePicture):
        app.enroll("club", subject="yuri", pictures=useless, consent=CONSENT)
    told = _told(app, "faces-detected")
    assert [each.faces for each in told] == [0, 0]
    assert [each.picture for each in told] == [_digest(app, bytes(each)) for each in useless[1:]]  # type: ignore[arg-type]
    before = app.audit_head().number
    with pytest.raises(UnreadablePicture):
        app.enroll("club", subject="yuri", pictures=[b"no picture"], consent=CONSENT)
    assert _told(app, "faces-detected", before) == []
    app.enroll("club", subject="yuri", pictures=[picture(1), picture(NOBODY)], consent=CONSENT)
    assert len(_told(app, "faces-detected", before)) == 1


@pytest.mark.parametrize("first", [0, NOBODY])
def test_a_comparison_without_a_face_is_on_record(app: Sayso, first: int) -> None:
    pictures = [picture(first), picture(NOBODY, 1)]
    with pytest.raises(NoFaceFound):
        app.compare(pictures[0], pictures[1])
    told = _told(app, "faces-detected")
    assert [each.picture for each in told] == [_digest(app, each) for each in pictures]
    assert [each.faces for each in told] == [int(first != NOBODY), 0]
    before = app.audit_head().number
    with pytest.raises(UnreadablePicture):
        app.compare(picture(NOBODY), b"no picture")
    assert _told(app, "faces-detected", before) == []


def test_the_entries_of_very_many_templates_add_up(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        probes = enrol(app, ["olga", "yuri"])
        names = [f"s{number}" for number in range(1001)]
        matrix = np.concatenate([probes, templates(1001, seed=7)])
        app.enroll_templates(
            "club",
            subjects=["s0", "s1000", *names],
            templates=matrix,
            consent=CONSENT,
            version=VERSION,
            allow_lookalike=True,
        )
        _, *told = _told(app, "templates-enrolled")
        sizes = [(len(each.subjects), each.faces) for each in told]
        assert sizes == [(1000, 1002), (1, 1)]
        ids = {name: app.subject("club", name).id for name in ("olga", "yuri", "s0", "s1000")}
        for own, other in (("s0", "olga"), ("s1000", "yuri")):
            (entry,) = [each for each in told if ids[own] in each.subjects]
            assert ids[other] in entry.lookalikes
