"""Callers with access keys: what they see, and what they cannot learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sayso.audit.events import LookalikeRefused
from sayso.callers import Action, Caller
from sayso.core import Sayso
from sayso.errors import (
    AccessDenied,
    ConsentRequired,
    LooksLikeAnother,
    SubjectNotFound,
)
from sayso.results import Consent
from tests.gallery.conftest import app
from tests.gallery.synthetic import CONSENT, PURPOSE, VERSION, enrol, named, near, templates

__all__ = ["app"]  # the fixture

ALL_BUT_ADMIN: tuple[Action, ...] = ("detect", "compare", "enrol", "search", "erase", "audit")
SECURITY = Consent(["security"], "form 9")


def _keyed(
    app: Sayso,
    purpose: str = PURPOSE,
    actions: tuple[Action, ...] = ALL_BUT_ADMIN,
    *,
    attestation: str | None = None,
) -> Sayso:
    made = app.create_key("desk", purpose=purpose, actions=actions, attestation=attestation)
    return app.acting_as(app.authenticate(made.key.id, made.secret))


ASKS: list[Callable[[Sayso, str], object]] = [
    lambda app, name: app.subject("club", name),
    lambda app, name: app.faces("club", name),
    lambda app, name: app.consents("club", name),
    lambda app, name: app.report("club", name),
    lambda app, name: app.erase_subject("club", name),
    lambda app, name: app.withdraw_consent("club", name),
    lambda app, name: app.withdraw_consent("club", name, PURPOSE),
    lambda app, name: app.record_interaction("club", name),
    lambda app, name: app.audit_entries(subject=("club", name)),
]


@pytest.mark.parametrize("ask", ASKS)
def test_somebody_of_another_purpose_is_as_if_they_did_not_exist(
    app: Sayso, ask: Callable[[Sayso, str], object]
) -> None:
    enrol(app, ["olga"], consent=SECURITY)
    caller = _keyed(app)
    told = []
    for name in ("olga", "nobody"):
        with pytest.raises(SubjectNotFound) as caught:
            ask(caller, name)
        told.append(str(caught.value).replace(name, "NAME"))
    assert told[0] == told[1]
    assert app.subject("club", "olga").purposes == ("security",)


def test_a_key_lists_and_finds_only_those_of_its_purpose(app: Sayso) -> None:
    both = Consent([PURPOSE, "security"], "form")
    probes = np.concatenate(
        [
            enrol(app, ["olga"], consent=SECURITY, seed=1),
            enrol(app, ["yuri"], seed=2),
            enrol(app, ["zita"], consent=both, seed=3),
        ]
    )
    photos, security = _keyed(app), _keyed(app, "security")
    assert [s.name for s in photos.subjects("club")] == ["yuri", "zita"]
    assert [s.name for s in security.subjects("club")] == ["olga", "zita"]
    assert named(photos, probes) == [None, "yuri", "zita"]
    assert named(security, probes, purpose="security") == ["olga", None, "zita"]
    # Of whom both know, each learns only its own purpose.
    assert photos.subject("club", "zita").purposes == (PURPOSE,)
    assert [s.purposes for s in security.subjects("club")] == [("security",)] * 2
    app.withdraw_consent("club", "zita", PURPOSE)
    with pytest.raises(SubjectNotFound):
        photos.subject("club", "zita")
    assert named(photos, probes) == [None, "yuri", None]


def test_a_page_of_subjects_is_full_whoever_else_is_there(app: Sayso) -> None:
    """Otherwise the gaps would tell how many others there are."""
    for number in range(6):
        consent = CONSENT if number % 2 else SECURITY
        app.add_consent("club", f"s{number}", consent)
    caller = _keyed(app)
    first = caller.subjects("club", limit=2)
    assert [subject.name for subject in first] == ["s1", "s3"]
    assert [s.name for s in caller.subjects("club", after=first[-1].id)] == ["s5"]


def test_the_answer_to_a_search_is_the_same_whoever_else_is_enrolled(app: Sayso) -> None:
    probes = enrol(app, ["yuri"])
    caller = _keyed(app)

    def ask() -> object:
        return caller.recognize_templates("club", probes, version=VERSION, top=5)

    before = ask()
    enrol(app, ["olga"], consent=SECURITY, allow_lookalike=True)
    assert ask() == before


def test_a_key_with_admin_sees_everybody_and_still_searches_for_its_own(app: Sayso) -> None:
    probes = enrol(app, ["olga"], consent=SECURITY)
    caller = _keyed(app, actions=("admin", "search"))
    assert [subject.name for subject in caller.subjects("club")] == ["olga"]
    assert named(caller, probes) == [None]
    with pytest.raises(AccessDenied, match="not for 'security'"):
        named(caller, probes, purpose="security")


def test_a_key_withdraws_only_its_own_purpose(app: Sayso) -> None:
    probes = enrol(app, ["olga"], consent=Consent([PURPOSE, "security"], "form"))
    caller = _keyed(app)
    with pytest.raises(AccessDenied):
        caller.withdraw_consent("club", "olga", "security")
    assert caller.withdraw_consent("club", "olga").purposes == (PURPOSE,)
    assert named(app, probes, purpose="security") == ["olga"]


def test_a_key_enrols_on_consent_to_its_own_purpose_only(app: Sayso) -> None:
    caller = _keyed(app)
    app.add_consent("club", "olga", SECURITY)
    told = []
    for name in ("olga", "nobody"):
        with pytest.raises(ConsentRequired) as caught:
            enrol(caller, [name], consent=None)
        told.append(str(caught.value).replace(name, "NAME"))
    assert told[0] == told[1]
    for consent in (SECURITY, Consent([PURPOSE, "security"], "form")):
        with pytest.raises(AccessDenied, match="record consent to security"):
            enrol(caller, ["olga"], consent=consent)
        with pytest.raises(AccessDenied):
            caller.add_consent("club", "olga", consent)
    app.add_consent("club", "olga", CONSENT)
    assert named(caller, enrol(caller, ["olga"], consent=None)) == ["olga"]


def test_the_attestation_of_a_key_serves_as_evidence(app: Sayso) -> None:
    caller = _keyed(app, attestation="everybody signs at the till")
    probes = enrol(caller, ["olga"], consent=None)
    enrol(caller, ["olga"], consent=None, seed=1)
    (record,) = app.consents("club", "olga")
    assert record.evidence == "everybody signs at the till"
    assert (record.purposes, record.recorded_by) == ((PURPOSE,), "desk")
    assert named(caller, probes) == ["olga"]
    (entry,) = app.audit_entries(kind="consent-recorded")
    assert (entry.actor, entry.key) == ("desk", caller.caller.key)
    # Somebody who withdraws, and comes back, agrees anew.
    caller.withdraw_consent("club", "olga")
    assert named(caller, probes) == [None]


def test_an_attestation_does_not_outdo_a_withdrawal(app: Sayso) -> None:
    caller = _keyed(app, attestation="everybody signs at the till")
    probes = enrol(caller, ["olga"], consent=Consent([PURPOSE], "her form"))
    app.add_consent("club", "olga", SECURITY)
    caller.withdraw_consent("club", "olga")
    for seed in (0, 1):
        with pytest.raises(ConsentRequired, match="was withdrawn at"):
            enrol(caller, ["olga"], consent=None, seed=seed)
    assert named(app, probes) == [None]
    assert len(app.consents("club", "olga")) == 2
    # What she signs since does, and then enrols by the attested key as well.
    caller.add_consent("club", "olga", Consent([PURPOSE], "her new form"))
    enrol(caller, ["olga"], consent=None)
    assert named(app, probes) == ["olga"]


def test_a_key_without_an_attestation_must_bring_consent(app: Sayso) -> None:
    with pytest.raises(ConsentRequired):
        enrol(_keyed(app), ["olga"], consent=None)


def test_an_attestation_is_for_the_purpose_of_its_key(app: Sayso) -> None:
    caller = _keyed(app, "security", attestation="everybody signs")
    probes = enrol(caller, ["olga"], consent=None)
    assert named(app, probes, purpose="security") == ["olga"]
    assert named(app, probes) == [None]


def test_a_face_that_is_more_like_another_is_refused_without_telling_whose_it_is(
    app: Sayso,
) -> None:
    probes = enrol(app, ["olga"], consent=SECURITY)
    other = app.subject("club", "olga").id
    caller = _keyed(app)
    for who in (app, caller):
        with pytest.raises(LooksLikeAnother, match="more like another") as caught:
            who.enroll_templates(
                "club",
                subjects=["zita", "yuri"],
                templates=np.concatenate([templates(1, 50), near(probes, 0.9)]),
                consent=CONSENT,
                version=VERSION,
            )
        assert "template 1" in str(caught.value)
        assert "'yuri'" in str(caught.value)
        assert type(caught.value) is LooksLikeAnother
        assert (caught.value.__context__, caught.value.__cause__) == (None, None)
        assert "olga" not in str(caught.value)
        assert other not in str(caught.value)
    assert app.collection("club").subjects == 1  # all or none
    entries = app.audit_entries(kind="lookalike-refused")
    refused = LookalikeRefused("club", None, other, None)
    assert [entry.event for entry in entries] == [refused, refused]
    assert [entry.actor for entry in entries] == [app.caller.actor, "desk"]
    assert app.audit_entries(subject=("club", "olga"), kind="lookalike-refused") == entries


def test_whom_a_lookalike_was_refused_for_is_on_record(app: Sayso) -> None:
    probes = enrol(app, ["olga", "yuri"])
    olga, yuri = (app.subject("club", name).id for name in ("olga", "yuri"))
    with pytest.raises(LooksLikeAnother):
        app.enroll_templates(
            "club", subjects=["yuri"], templates=near(probes[:1], 0.9), version=VERSION
        )
    (entry,) = app.audit_entries(kind="lookalike-refused")
    assert entry.event == LookalikeRefused("club", yuri, olga, None)
    assert app.audit_entries(subject=("club", "yuri"), kind="lookalike-refused") == (entry,)


def test_a_lookalike_is_enrolled_when_told_so(app: Sayso) -> None:
    probes = enrol(app, ["olga"])
    twin = near(probes, 0.9)
    app.enroll_templates(
        "club",
        subjects=["yuri"],
        templates=twin,
        consent=CONSENT,
        version=VERSION,
        allow_lookalike=True,
    )
    assert named(app, np.concatenate([probes, twin])) == ["olga", "yuri"]
    # From now on that face is more like yuri than like anybody.
    app.enroll_templates(
        "club", subjects=["yuri"], templates=near(twin, 0.99, 5), consent=CONSENT, version=VERSION
    )


def test_whom_nobody_is_more_like_than_themselves_is_enrolled_again(app: Sayso) -> None:
    probes = enrol(app, ["olga", "yuri"])
    app.enroll_templates(
        "club",
        subjects=["olga", "yuri"],
        templates=near(probes, 0.8),
        consent=CONSENT,
        version=VERSION,
    )
    assert app.collection("club").faces == 4


def test_what_is_refused_is_on_record_with_the_key(app: Sayso) -> None:
    caller = _keyed(app, actions=("search",))
    for ask in (
        lambda: caller.erase_subject("club", "olga"),
        lambda: caller.recognize_templates(
            "club", templates(1), purpose="security", version=VERSION
        ),
    ):
        before = app.audit_head().number
        with pytest.raises(AccessDenied):
            ask()
        (entry,) = app.audit_entries(after=before, kind="call-refused")
        assert (entry.actor, entry.key, entry.purpose) == ("desk", caller.caller.key, PURPOSE)


def test_a_search_without_a_purpose_is_refused_and_on_record(app: Sayso) -> None:
    with pytest.raises(ConsentRequired, match="needs a purpose"):
        app.recognize_templates("club", templates(1), version=VERSION)
    (entry,) = app.audit_entries(kind="call-refused")
    assert entry.event.error == "ConsentRequired"  # type: ignore[attr-defined]


def test_whoever_made_up_a_caller_has_no_key(app: Sayso) -> None:
    forged = Caller("desk", PURPOSE, frozenset(ALL_BUT_ADMIN), key="SAYSMADEUP")
    with pytest.raises(AccessDenied):
        app.acting_as(forged).subjects("club")


def test_a_caller_does_not_close_the_gallery_of_others(app: Sayso) -> None:
    with _keyed(app) as caller:
        assert caller.subjects("club") == ()
    assert app.add_consent("club", "olga", CONSENT).subject == "olga"
