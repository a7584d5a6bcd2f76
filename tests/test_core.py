"""The application without pictures; see test_core_pictures for those."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from sayso import core
from sayso.analyzer import Analyzer
from sayso.callers import local_actor
from sayso.core import Sayso
from sayso.enrolment import Version
from sayso.errors import (
    CollectionExists,
    CollectionNotFound,
    EnrolmentError,
    GalleryError,
    InvalidName,
    ModelConflict,
    PictureError,
    StoreUnavailable,
)
from sayso.gallery import schema
from sayso.results import Consent
from tests.gallery.conftest import app
from tests.gallery.synthetic import CONSENT, MODEL, PURPOSE, VERSION, enrol, named, templates

__all__ = ["app"]  # the fixture


def test_what_is_enrolled_is_there_after_a_restart(tmp_path: Path) -> None:
    with core.open(tmp_path / "data") as first:
        first.create_collection("club")
        probes = enrol(first, ["ada", "bob"])
    with core.open(str(tmp_path / "data")) as again:
        assert named(again, probes) == ["ada", "bob"]
        (collection,) = again.collections()
    assert (collection.name, collection.subjects, collection.faces) == ("club", 2, 2)
    assert (collection.model, collection.template_version, collection.dimension) == (
        MODEL,
        VERSION.template_version,
        128,
    )


def test_without_a_location_the_settings_say_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAYSO_DATA", str(tmp_path / "mine"))
    with core.open() as app:
        app.create_collection("club")
    assert (tmp_path / "mine" / "gallery.sqlite").exists()


def test_a_server_address_is_refused_without_showing_its_password() -> None:
    with pytest.raises(StoreUnavailable, match="postgresql://") as caught:
        core.open("postgresql://ada:secret@host/sayso")
    assert "secret" not in str(caught.value)


def test_a_collection_is_made_once(app: Sayso) -> None:
    with pytest.raises(CollectionExists, match="'club'"):
        app.create_collection("club")
    with pytest.raises(InvalidName):
        app.create_collection("no spaces")


def test_a_missing_collection_is_told_by_every_method(app: Sayso) -> None:
    calls: list[Callable[[], object]] = [
        lambda: app.collection("no"),
        lambda: app.delete_collection("no"),
        lambda: app.enroll("no", subject="ada", pictures=[b"x"], consent=CONSENT),
        lambda: enrol(app, ["ada"], collection="no"),
        lambda: app.recognize("no", b"x", purpose=PURPOSE),
        lambda: named(app, templates(1), collection="no"),
        lambda: app.subjects("no"),
        lambda: app.subject("no", "ada"),
        lambda: app.faces("no", "ada"),
        lambda: app.erase_subject("no", "ada"),
        lambda: app.add_consent("no", "ada", CONSENT),
        lambda: app.withdraw_consent("no", "ada"),
        lambda: app.consents("no", "ada"),
    ]
    for call in calls:
        with pytest.raises(CollectionNotFound, match="'no'"):
            call()


def test_the_first_enrolment_pins_the_model(app: Sayso) -> None:
    assert app.collection("club").model is None
    synthetic = Version(MODEL, "synthetic/1")
    app.enroll_templates(
        "club", subjects=["ada"], templates=templates(1), consent=CONSENT, version=synthetic
    )
    with pytest.raises(ModelConflict, match="synthetic/1"):
        app.enroll_templates(
            "club",
            subjects=["bob"],
            templates=templates(1),
            consent=CONSENT,
            version=Version("other", "other/1"),
        )
    with pytest.raises(ModelConflict, match=r"synthetic/1.*sface"):
        app.enroll_templates("club", subjects=["bob"], templates=templates(1), consent=CONSENT)
    with pytest.raises(ModelConflict, match="synthetic/1"):
        app.recognize("club", b"never looked at", purpose=PURPOSE)
    with pytest.raises(ModelConflict, match="128 numbers, not of 64"):
        app.enroll_templates(
            "club",
            subjects=["bob"],
            templates=np.eye(64, dtype=np.float32)[:1],
            consent=CONSENT,
            version=synthetic,
        )
    assert app.collection("club").faces == 1


def test_templates_are_of_this_installation_unless_told(app: Sayso) -> None:
    app.enroll_templates("club", subjects=["ada"], templates=templates(1), consent=CONSENT)
    analyzer = Analyzer()
    found = app.collection("club")
    assert (found.model, found.template_version) == (analyzer.model, analyzer.template_version)


def test_an_import_with_one_bad_row_imports_nothing(app: Sayso) -> None:
    for names, matrix, error in [
        (["ada", "b b"], templates(2), InvalidName),
        (["ada"], templates(2), EnrolmentError),
        (["ada", "bob"], 2 * templates(2), ModelConflict),
    ]:
        with pytest.raises(error):
            app.enroll_templates(
                "club", subjects=names, templates=matrix, consent=CONSENT, version=VERSION
            )
        assert app.subjects("club") == ()


def test_a_subject_may_have_several_rows_of_an_import(app: Sayso) -> None:
    probes = enrol(app, ["ada", "bob", "ada"])
    assert named(app, probes) == ["ada", "bob", "ada"]
    assert {(s.name, s.faces, s.purposes) for s in app.subjects("club")} == {
        ("ada", 2, (PURPOSE,)),
        ("bob", 1, (PURPOSE,)),
    }
    face, _ = app.faces("club", "ada")
    assert (face.template_version, face.box, face.quality) == (VERSION.template_version, None, None)
    assert face.consent == app.consents("club", "ada")[0].id


def test_subjects_come_in_pages_the_oldest_first(app: Sayso) -> None:
    names = [f"s{i}" for i in range(25)]
    enrol(app, names[:12])
    enrol(app, names[12:], seed=1)
    pages: list[str] = []
    last = ""
    while page := app.subjects("club", after=last, limit=10):
        assert len(page) <= 10
        pages += [subject.name for subject in page]
        last = page[-1].id
        app.erase_subject("club", page[-1].name)  # whoever goes meanwhile loses nobody else
    assert sorted(pages) == sorted(names)
    assert set(pages[:12]) == set(names[:12])


def test_the_actor_is_in_the_record(tmp_path: Path) -> None:
    with core.open(tmp_path, actor="desk-3") as app:
        app.create_collection("club")
        assert app.add_consent("club", "ada", CONSENT).recorded_by == "desk-3"


def test_a_bad_purpose_is_refused(app: Sayso) -> None:
    for purpose in ("", "Photo Delivery"):
        with pytest.raises(InvalidName):
            named(app, templates(1), purpose=purpose)
        with pytest.raises(InvalidName):
            Consent([purpose], "form")


def test_limits_of_a_search_are_checked(app: Sayso) -> None:
    for wrong in ({"min_similarity": 101.0}, {"min_similarity": float("nan")}, {"top": 0}):
        with pytest.raises(GalleryError, match="runs from"):
            app.recognize_templates("club", templates(1), purpose=PURPOSE, **wrong)
    with pytest.raises(GalleryError, match="runs from"):
        app.recognize("club", b"never looked at", purpose=PURPOSE, min_similarity=500)
    for limit in (-1, 0):
        with pytest.raises(GalleryError, match="at least 1"):
            app.subjects("club", limit=limit)


def test_templates_of_another_version_are_not_compared(app: Sayso) -> None:
    probes = enrol(app, ["ada"])
    with pytest.raises(ModelConflict, match="cannot be compared"):
        app.recognize_templates(
            "club", probes, purpose=PURPOSE, version=Version(MODEL, "synthetic/2")
        )


def test_a_model_without_a_calibration_cannot_tell_how_similar(app: Sayso, tmp_path: Path) -> None:
    other = Version("other", "other/1")
    probes = templates(1)
    app.enroll_templates("club", subjects=["ada"], templates=probes, consent=CONSENT, version=other)
    with pytest.raises(ModelConflict, match="no calibration for templates of 'other/1'"):
        app.recognize_templates("club", probes, purpose=PURPOSE, version=other)
    with (
        Sayso(tmp_path / "x", analyzer=Analyzer(recogniser="other")) as another,
        pytest.raises(ModelConflict, match="'other/"),
    ):
        another.compare(b"never looked at", b"nor this")


def test_an_erasure_clears_the_disk_whatever_becomes_of_the_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        probes = enrol(app, ["ada", "bob"])
        named(app, probes)  # the cache is there
        with app._resources.store.write() as change:
            change.connection.execute(
                update(schema.faces)
                .where(schema.faces.c.key == 2)
                .values(template=b"damaged", sequence=change.sequence + 1)
            )
        app.erase_subject("club", "ada")  # what was asked for is done
        assert "dropped" in caplog.text
        with pytest.raises(StoreUnavailable, match="damaged"):
            named(app, probes)
        log = tmp_path / "gallery.sqlite-wal"
        assert log.stat().st_size == 0


def test_the_actor_is_whom_the_system_names(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = local_actor()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    assert local_actor() == expected
    monkeypatch.setattr(os, "getuid", lambda: 3_999_999)
    assert local_actor() == "uid:3999999"


def test_an_actor_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidName, match=r"udcff.*actor"):
        core.open(tmp_path, actor=os.fsdecode(b"desk \xff"))


def test_no_picture_at_all_is_refused(app: Sayso) -> None:
    with pytest.raises(EnrolmentError, match="at least one picture"):
        app.enroll("club", subject="ada", pictures=[], consent=CONSENT)
    with pytest.raises(EnrolmentError, match="list"):
        app.enroll("club", subject="ada", pictures="ada.jpg", consent=CONSENT)


def test_unreadable_pictures_are_told_one_by_one_and_leave_nothing(
    app: Sayso, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.jpg"
    with pytest.raises(
        PictureError, match=r"none of 2 pictures.*missing\.jpg.*picture 2"
    ) as caught:
        app.enroll("club", subject="ada", pictures=[missing, b"no picture"], consent=CONSENT)
    assert str(caught.value).count("missing.jpg") == 1
    assert app.subjects("club") == ()
