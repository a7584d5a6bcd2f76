from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sayso.audit.events import FacesErased
from sayso.core import Sayso
from sayso.errors import (
    ConsentNotFound,
    ConsentRequired,
    EnrolmentError,
    InvalidName,
    SubjectNotFound,
)
from sayso.gallery import collections, consents, faces, subjects
from sayso.gallery.consents import EnrolmentGrant
from sayso.gallery.opening import open_gallery
from sayso.results import Consent, EvidenceFile
from sayso.settings import Settings
from tests.gallery.clock import START, Clock
from tests.gallery.synthetic import CONSENT, PURPOSE, VERSION, enrol, named, near, templates

HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)


def test_a_consent_ends_at_its_instant(timed: Sayso, clock: Clock) -> None:
    probes = enrol(timed, ["ada"], consent=Consent([PURPOSE], "form", until=START + HOUR))
    clock.time = START + HOUR - INSTANT
    assert named(timed, probes) == ["ada"]
    clock.time = START + HOUR
    assert named(timed, probes) == [None]


def test_a_consent_begins_at_its_instant(timed: Sayso, clock: Clock) -> None:
    probes = enrol(timed, ["ada"], consent=Consent(["research"], "form"))
    later = Consent([PURPOSE], "form 2", valid_from=START + HOUR, until=START + 2 * HOUR)
    timed.add_consent("club", "ada", later)
    seen = []
    for moment in (START, START + HOUR - INSTANT, START + HOUR, START + 2 * HOUR):
        clock.time = moment
        seen.append(named(timed, probes)[0])
    assert seen == [None, None, "ada", None]


def test_a_clock_set_back_is_followed(timed: Sayso, clock: Clock) -> None:
    probes = enrol(timed, ["ada"], consent=Consent(["research"], "form 2"))
    timed.add_consent("club", "ada", Consent([PURPOSE], "form", until=START + HOUR))
    clock.time = START + 2 * HOUR
    assert named(timed, probes) == [None]
    clock.time = START
    assert named(timed, probes) == ["ada"]


def test_whoever_has_no_consent_left_is_erased_whatever_the_clock_says_then(
    timed: Sayso, clock: Clock
) -> None:
    probes = enrol(timed, ["ada"], consent=Consent([PURPOSE], "form", until=START + HOUR))
    clock.time = START + HOUR - INSTANT
    assert named(timed, probes) == ["ada"]
    clock.time = START + HOUR
    assert named(timed, probes) == [None]
    assert [stone.reason for stone in timed.tombstones("club")] == ["expired"]
    clock.time = START
    assert named(timed, probes) == [None]


def test_another_purpose_sees_nobody(app: Sayso) -> None:
    probes = enrol(app, ["ada", "bob"])
    assert named(app, probes) == ["ada", "bob"]
    assert named(app, probes, purpose="security") == [None, None]


def test_withdrawing_one_purpose_stops_that_one_at_once(app: Sayso) -> None:
    probes = enrol(app, ["ada"], consent=Consent([PURPOSE, "research"], "form"))
    assert named(app, probes) == ["ada"]
    done = app.withdraw_consent("club", "ada", PURPOSE)
    assert (done.purposes, done.tombstone) == ((PURPOSE,), None)
    assert named(app, probes) == [None]
    assert named(app, probes, purpose="research") == ["ada"]
    (record,) = app.consents("club", "ada")
    assert set(record.withdrawn) == {PURPOSE}
    assert app.subject("club", "ada").purposes == ("research",)


def test_withdrawing_the_last_purpose_erases(app: Sayso) -> None:
    probes = enrol(app, ["ada", "bob"], consent=Consent([PURPOSE, "research"], "form"))
    app.withdraw_consent("club", "ada", PURPOSE)
    done = app.withdraw_consent("club", "ada", "research")
    assert done.tombstone is not None
    assert done.tombstone.faces == 1
    with pytest.raises(SubjectNotFound):
        app.subject("club", "ada")
    assert named(app, probes, purpose="research") == [None, "bob"]


def test_withdrawing_everything_erases(app: Sayso) -> None:
    probes = enrol(app, ["ada"], consent=Consent([PURPOSE, "research"], "form"))
    assert app.withdraw_consent("club", "ada").purposes == (PURPOSE, "research")
    assert named(app, probes) == [None]


def test_a_purpose_on_two_forms_is_withdrawn_from_both(app: Sayso) -> None:
    probes = enrol(app, ["ada"])
    app.add_consent("club", "ada", Consent([PURPOSE, "research"], "form 18"))
    app.withdraw_consent("club", "ada", PURPOSE)
    assert named(app, probes) == [None]


def test_withdrawing_what_was_not_given_is_told(app: Sayso) -> None:
    enrol(app, ["ada"])
    with pytest.raises(ConsentNotFound, match="research"):
        app.withdraw_consent("club", "ada", "research")


def test_an_expired_consent_cannot_enrol(timed: Sayso, clock: Clock) -> None:
    consent = Consent([PURPOSE], "form", until=START + HOUR)
    clock.time = START + HOUR
    with pytest.raises(ConsentRequired, match="ended at"):
        enrol(timed, ["ada"], consent=consent)
    assert timed.subjects("club") == ()


def test_a_consent_that_begins_later_cannot_enrol_yet(timed: Sayso, clock: Clock) -> None:
    consent = Consent([PURPOSE], "form", valid_from=START + HOUR)
    with pytest.raises(ConsentRequired, match="begins only at"):
        enrol(timed, ["ada"], consent=consent)
    clock.time = START + HOUR
    assert named(timed, enrol(timed, ["ada"], consent=consent)) == ["ada"]


def test_a_consent_on_record_enrols(app: Sayso) -> None:
    app.add_consent("club", "ada", CONSENT)
    assert named(app, enrol(app, ["ada"], consent=None)) == ["ada"]
    assert len(app.consents("club", "ada")) == 1


def test_a_consent_on_record_that_begins_later_does_not(timed: Sayso, clock: Clock) -> None:
    timed.add_consent("club", "ada", Consent([PURPOSE], "form", valid_from=START + HOUR))
    clock.time = START + HOUR - INSTANT
    with pytest.raises(ConsentRequired, match="'ada'"):
        enrol(timed, ["ada"], consent=None)
    clock.time = START + HOUR
    assert named(timed, enrol(timed, ["ada"], consent=None)) == ["ada"]


def test_who_may_be_shown_does_not_stand_behind_who_may_not(timed: Sayso, clock: Clock) -> None:
    """Five more alike come before zoe, and each loses, or has not yet, the consent to be shown."""
    probe = templates(1)
    others = {
        "early": Consent([PURPOSE], "form", until=START + HOUR),
        "late": Consent(["research"], "form"),
        "left": Consent([PURPOSE, "research"], "form"),
        "gone": CONSENT,
        "else": Consent(["research"], "form"),
    }
    for seed, (name, consent) in enumerate([*others.items(), ("zoe", CONSENT)]):
        face = near(probe, 0.95 - 0.05 * seed, seed=1 + seed)
        timed.enroll_templates(
            "club",
            subjects=[name],
            templates=face,
            consent=consent,
            version=VERSION,
            allow_lookalike=True,
        )
    timed.add_consent("club", "late", Consent([PURPOSE], "form", valid_from=START + 3 * HOUR))

    def shown(top: int) -> list[object]:
        (found,) = timed.recognize_templates(
            "club", probe, purpose=PURPOSE, version=VERSION, top=top
        )
        return [*(c.subject for c in found), found[-1].expected_false_matches]

    *names, four = shown(9)
    assert names == ["early", "left", "gone", "zoe"]
    assert isinstance(four, float)
    timed.withdraw_consent("club", "left", PURPOSE)
    timed.erase_subject("club", "gone")
    assert shown(1)[0] == "early"
    clock.time = START + HOUR
    assert shown(1) == ["zoe", pytest.approx(four / 4)]
    clock.time = START + 3 * HOUR
    assert shown(2) == ["late", "zoe", pytest.approx(four / 2)]


def test_no_consent_on_record_does_not(app: Sayso) -> None:
    app.add_consent("club", "ada", CONSENT)
    with pytest.raises(ConsentRequired, match="'bob'"):
        enrol(app, ["ada", "bob"], consent=None)
    assert app.collection("club").faces == 0


def test_consent_to_one_club_is_none_to_another(app: Sayso) -> None:
    app.create_collection("other")
    enrol(app, ["ada"])
    with pytest.raises(ConsentRequired):
        enrol(app, ["ada"], collection="other", consent=None)


def test_the_same_consent_is_recorded_once(app: Sayso) -> None:
    enrol(app, ["ada"], seed=1)
    enrol(app, ["ada"], seed=2)
    assert len(app.consents("club", "ada")) == 1
    enrol(app, ["ada"], seed=3, consent=Consent([PURPOSE], "form 18"))
    enrol(app, ["ada"], seed=4, consent=Consent([PURPOSE, "research"], "form 17"))
    assert len(app.consents("club", "ada")) == 3
    assert app.subject("club", "ada").faces == 4


def test_a_withdrawn_consent_that_is_given_again_is_a_new_one(app: Sayso) -> None:
    probes = enrol(app, ["ada"], consent=Consent([PURPOSE, "research"], "form"))
    app.withdraw_consent("club", "ada", PURPOSE)
    app.add_consent("club", "ada", CONSENT)
    assert named(app, probes) == ["ada"]


def _withdrawn(timed: Sayso, clock: Clock) -> NDArray[np.float32]:
    """Enrol ada, who withdraws a purpose after an hour and another on another form still later."""
    both = Consent([PURPOSE, "research"], "form", given=START)
    probes = enrol(timed, ["ada"], consent=both)
    timed.add_consent("club", "ada", Consent([PURPOSE], EvidenceFile("f.pdf", "a" * 64)))
    clock.time = START + HOUR
    timed.withdraw_consent("club", "ada", PURPOSE)
    clock.time = START + 2 * HOUR
    return probes


OFFERED = (
    Consent([PURPOSE], "form"),
    Consent([PURPOSE, "research"], "form"),
    Consent([PURPOSE, "research"], "form", given=START),
    Consent([PURPOSE], "form", valid_from=START + HOUR),
    Consent([PURPOSE], "form 18", given=START + HOUR),
    Consent([PURPOSE], EvidenceFile("f.pdf", "a" * 64)),
)


@pytest.mark.parametrize("offered", OFFERED)
def test_what_was_withdrawn_is_not_taken_for_a_new_consent(
    timed: Sayso, clock: Clock, offered: Consent
) -> None:
    probes = _withdrawn(timed, clock)
    before = timed.consents("club", "ada")
    for ask in (
        lambda: enrol(timed, ["ada", "bob"], consent=offered, seed=2),
        lambda: timed.add_consent("club", "ada", offered),
    ):
        with pytest.raises(
            ConsentRequired, match=r"was withdrawn at 2026-03-01T13:00:00\+00:00; r"
        ):
            ask()
    assert named(timed, probes) == [None]
    assert timed.consents("club", "ada") == before
    # To others it is as good as ever.
    assert named(timed, enrol(timed, ["bob"], consent=CONSENT, seed=3)) == ["bob"]


@pytest.mark.parametrize(
    "offered",
    [
        Consent([PURPOSE], "form", given=START + HOUR + INSTANT),
        Consent([PURPOSE], "form 18"),
        Consent([PURPOSE], EvidenceFile("f.pdf", "b" * 64)),
    ],
)
def test_what_was_agreed_to_since_a_withdrawal_counts(
    timed: Sayso, clock: Clock, offered: Consent
) -> None:
    probes = _withdrawn(timed, clock)
    enrol(timed, ["ada"], consent=offered, seed=2, like=probes)
    assert named(timed, probes) == ["ada"]
    # It is on record now, so that it is not a new one.
    enrol(timed, ["ada"], consent=offered, seed=4, like=probes)
    assert len(timed.consents("club", "ada")) == 3


def test_consent_to_what_is_left_is_no_consent_to_what_was_withdrawn(
    timed: Sayso, clock: Clock
) -> None:
    probes = _withdrawn(timed, clock)
    enrol(timed, ["ada"], consent=Consent(["research"], "form", given=START), seed=2)
    assert named(timed, probes) == [None]
    assert named(timed, probes, purpose="research") == ["ada"]


def test_faces_go_with_the_consent_that_they_were_enrolled_on(app: Sayso) -> None:
    first = enrol(app, ["ada"], consent=Consent([PURPOSE, "door"], "form"))
    second = enrol(app, ["ada"], consent=Consent(["research"], "form 18"), like=first)
    ada = app.subject("club", "ada").id
    app.withdraw_consent("club", "ada", "door")  # it still stands to something
    assert app.subject("club", "ada").faces == 2
    assert named(app, first) == ["ada"]
    assert named(app, first, purpose="research") == ["ada"]
    app.withdraw_consent("club", "ada", PURPOSE)
    assert app.subject("club", "ada").faces == 1
    assert named(app, np.concatenate([first, second]), purpose="research") == [None, "ada"]
    (entry,) = app.audit_entries(kind="faces-erased")
    assert entry.event == FacesErased("club", ada, 1, "withdrawn")
    assert entry.actor == app.caller.actor
    assert app.audit_entries(subject=("club", "ada"), kind="faces-erased") == (entry,)


def test_what_is_enrolled_without_a_new_consent_lives_on_the_last_one(app: Sayso) -> None:
    app.add_consent("club", "ada", Consent([PURPOSE], "form"))
    app.add_consent("club", "ada", Consent(["research"], "form 18"))
    enrol(app, ["ada"], consent=None)
    app.withdraw_consent("club", "ada", PURPOSE)
    assert app.subject("club", "ada").faces == 1


def test_the_record_says_what_was_agreed(app: Sayso, tmp_path: Path) -> None:
    document = tmp_path / "form.pdf"
    document.write_bytes(b"signed")
    evidence = EvidenceFile.of(document)
    until = datetime.now(UTC) + timedelta(days=30)
    given = datetime.now(UTC) - timedelta(days=2)
    consent = Consent(["b", "a", "b"], evidence, until=until, policy_version="2026-1", given=given)
    record = app.add_consent("club", "ada", consent)
    assert app.consents("club", "ada") == (record,)
    assert record.purposes == ("a", "b")
    assert record.evidence == EvidenceFile("form.pdf", hashlib.sha256(b"signed").hexdigest())
    assert (record.until, record.given, record.policy_version) == (until, given, "2026-1")
    assert record.recorded_by.startswith("user:")
    assert record.covers("a", datetime.now(UTC))
    assert not record.covers("a", until)
    assert not record.covers("c", datetime.now(UTC))


@pytest.mark.parametrize("evidence", ["", "  \n", None])
def test_a_consent_needs_evidence(evidence: str) -> None:
    with pytest.raises(ConsentRequired, match="evidence"):
        Consent([PURPOSE], evidence)


def test_what_is_no_text_is_refused() -> None:
    wrong = os.fsdecode(b"form \xff")
    with pytest.raises(ConsentRequired, match=r"evidence must be text.*udcff"):
        Consent([PURPOSE], wrong)
    with pytest.raises(ConsentRequired, match="policy version"):
        Consent([PURPOSE], "form", policy_version=wrong)
    with pytest.raises(ConsentRequired, match="name of a document"):
        EvidenceFile(wrong, "0" * 64)


def test_leave_to_enrol_on_the_consent_of_another_is_refused(tmp_path: Path) -> None:
    store, keyring = open_gallery(tmp_path, Settings())
    with store.write() as change:
        collections.create(change, "club")
        club = collections.find(change.connection, "club")
        people = subjects.find_or_create(change, club, ["ada", "bob"])
        own = consents.record(change, club, [people["ada"]], CONSENT, "test").consents
    with store.write() as change:
        club = collections.find(change.connection, "club")
        forged = EnrolmentGrant(
            change.sequence,
            club.key,
            {people["bob"].key: own[people["ada"].key]},
            frozenset(),
            (),
        )
        with pytest.raises(EnrolmentError, match="another subject"):
            faces.insert_faces(
                change,
                club,
                forged,
                subjects=[people["bob"]],
                templates=templates(1),
                template_version="synthetic/1",
            )
    store.close()
    keyring.close()


def test_a_consent_needs_a_purpose() -> None:
    with pytest.raises(InvalidName):
        Consent([], "form")


def test_a_window_that_never_opens_is_refused() -> None:
    with pytest.raises(ConsentRequired, match="never live"):
        Consent([PURPOSE], "form", valid_from=START, until=START)


def test_a_time_without_a_zone_is_local() -> None:
    naive = datetime(2026, 3, 1, 12)
    assert Consent([PURPOSE], "form", until=naive).until == naive.astimezone(UTC)


def test_expected_false_matches_count_only_those_who_could_be_shown(app: Sayso) -> None:
    probes = enrol(app, ["ada", "bob", "cy"])
    enrol(app, [f"r{i}" for i in range(50)], consent=Consent(["research"], "form"), seed=5)

    def expected(purpose: str, probe: int) -> float:
        (found,) = app.recognize_templates(
            "club", probes[probe : probe + 1], purpose=purpose, version=VERSION
        )
        return found[0].expected_false_matches

    three = expected(PURPOSE, 0)
    app.add_consent("club", "r0", CONSENT)
    assert expected(PURPOSE, 0) == pytest.approx(three * 4 / 3)
    # A second template of bob's is a second chance to be mistaken for him.
    matrix = templates(1, seed=6)
    app.enroll_templates(
        "club", subjects=["bob"], templates=matrix, consent=CONSENT, version=VERSION
    )
    assert expected(PURPOSE, 0) == pytest.approx(three * 5 / 3)
