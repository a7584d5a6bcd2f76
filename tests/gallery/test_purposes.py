from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from sayso.core import Sayso
from sayso.errors import ConsentRequired, GalleryError, InvalidName, PurposeNotDeclared
from sayso.gallery.purposes import LONGEST_IDLE_DAYS, default_notice
from sayso.gallery.times import microseconds
from sayso.results import Consent
from tests.gallery.clock import START, Clock
from tests.gallery.synthetic import CONSENT, PURPOSE, enrol, named

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
NOTICE = "We name you in the pictures of the race."


def _ends(app: Sayso, name: str = "olga", purpose: str = PURPOSE) -> list[datetime]:
    return [record.ends[purpose] for record in app.consents("club", name)]


def _declare(app: Sayso, most: int | None = None, idle: int = LONGEST_IDLE_DAYS) -> None:
    app.declare_purpose("club", PURPOSE, notice=NOTICE, max_days=most, idle_days=idle)


def test_the_first_consent_declares_a_purpose_with_a_rule_of_ours(timed: Sayso) -> None:
    enrol(timed, ["olga"])
    (found,) = timed.purposes("club")
    assert (found.name, found.version, found.by_default, found.met) == (PURPOSE, 1, True, None)
    assert (found.max_days, found.idle_days) == (None, LONGEST_IDLE_DAYS)
    assert found.notice == default_notice("club", PURPOSE)
    assert "three years" in found.notice
    assert "club" in found.notice
    assert _ends(timed) == [START + 1095 * DAY]


def test_a_purpose_that_is_declared_refuses_others(timed: Sayso) -> None:
    _declare(timed)
    enrol(timed, ["olga"])
    for consent in (Consent(["research"], "form"), Consent([PURPOSE, "research"], "form")):
        with pytest.raises(PurposeNotDeclared, match=r"'research'.*photo-delivery"):
            enrol(timed, ["yuri"], consent=consent, seed=1)
        with pytest.raises(PurposeNotDeclared):
            timed.add_consent("club", "yuri", consent)
    assert [subject.name for subject in timed.subjects("club")] == ["olga"]
    assert [purpose.name for purpose in timed.purposes("club")] == [PURPOSE]
    timed.declare_purpose("club", "research", notice="We compare.")
    timed.add_consent("club", "olga", Consent(["research"], "form"))


def test_what_a_consent_had_declared_before_is_refused_then_too(timed: Sayso) -> None:
    probes = enrol(timed, ["olga"], consent=Consent(["research"], "form"))
    _declare(timed)
    with pytest.raises(PurposeNotDeclared, match=r"'research'.*photo-delivery.*declare it, too"):
        enrol(timed, ["yuri"], consent=Consent(["research"], "form"), seed=1)
    # The consent that was given to it is good as before.
    assert named(timed, probes, purpose="research") == ["olga"]
    assert [purpose.by_default for purpose in timed.purposes("club")] == [False, True]
    timed.declare_purpose("club", "research", notice="We compare.")
    enrol(timed, ["yuri"], consent=Consent(["research"], "form"), seed=1)


def test_purposes_are_of_one_collection(timed: Sayso) -> None:
    timed.create_collection("other")
    _declare(timed)
    timed.add_consent("other", "olga", Consent(["research"], "form"))
    assert [purpose.name for purpose in timed.purposes("other")] == ["research"]


def test_a_consent_ends_so_many_days_after_it_was_given(timed: Sayso, clock: Clock) -> None:
    _declare(timed, most=10)
    given = START - 4 * DAY
    probes = enrol(timed, ["olga"], consent=Consent([PURPOSE], "form", given=given))
    clock.time = START + 6 * DAY - INSTANT
    assert named(timed, probes) == ["olga"]
    timed.record_interaction("club", "olga")  # which does not lengthen that
    clock.time = START + 6 * DAY
    assert named(timed, probes) == [None]
    assert [stone.reason for stone in timed.tombstones("club")] == ["expired"]


def test_idleness_counts_from_the_last_interaction(timed: Sayso, clock: Clock) -> None:
    _declare(timed, idle=10)
    probes = enrol(timed, ["olga"])
    clock.time = START + 9 * DAY
    timed.record_interaction("club", "olga", START + 7 * DAY)
    assert _ends(timed) == [START + 17 * DAY]
    timed.record_interaction("club", "olga", START + 3 * DAY)  # an earlier one changes nothing
    assert _ends(timed) == [START + 17 * DAY]
    clock.time = START + 17 * DAY - INSTANT
    assert named(timed, probes) == ["olga"]
    clock.time = START + 17 * DAY
    assert named(timed, probes) == [None]
    assert timed.subjects("club") == ()


def test_an_interaction_still_to_come_is_refused(timed: Sayso) -> None:
    enrol(timed, ["olga"])
    before = _ends(timed)
    with pytest.raises(ConsentRequired, match="still to come"):
        timed.record_interaction("club", "olga", START + INSTANT)
    assert _ends(timed) == before


def test_an_interaction_does_not_bring_back_what_has_ended(timed: Sayso, clock: Clock) -> None:
    _declare(timed, idle=1)
    timed.declare_purpose("club", "research", notice="We compare.")
    probes = enrol(timed, ["olga"], consent=Consent([PURPOSE, "research"], "form"))
    clock.time = START + DAY
    timed.record_interaction("club", "olga")
    assert named(timed, probes) == [None]
    assert timed.subject("club", "olga").purposes == ("research",)


@pytest.mark.parametrize(
    ("until", "most", "idle", "days"),
    [(5, 10, 20, 5), (20, 5, 10, 5), (20, 10, 5, 5), (None, None, 7, 7), (None, 7, 1095, 7)],
)
def test_the_strictest_bound_wins(
    timed: Sayso, until: int | None, most: int | None, idle: int, days: int
) -> None:
    _declare(timed, most, idle)
    end = None if until is None else START + until * DAY
    timed.add_consent("club", "olga", Consent([PURPOSE], "form", until=end))
    assert _ends(timed) == [START + days * DAY]


def test_a_stricter_rule_binds_the_consents_that_stand(timed: Sayso, clock: Clock) -> None:
    probes = enrol(timed, ["olga"])
    _declare(timed, most=5)
    assert _ends(timed) == [START + 5 * DAY]
    clock.time = START + 5 * DAY - INSTANT
    assert named(timed, probes) == ["olga"]
    clock.time = START + 5 * DAY
    assert named(timed, probes) == [None]


def test_a_looser_rule_does_not_lengthen_them(timed: Sayso, clock: Clock) -> None:
    _declare(timed, most=5, idle=4)
    enrol(timed, ["olga"])
    _declare(timed, most=50, idle=40)
    assert _ends(timed) == [START + 4 * DAY]
    clock.time = START + 3 * DAY
    timed.record_interaction("club", "olga")
    assert _ends(timed) == [START + 5 * DAY]
    timed.add_consent("club", "olga", Consent([PURPOSE], "form 2"))
    assert _ends(timed)[1:] == [START + 43 * DAY]


def test_what_makes_a_rule_stricter_is_remembered_apart_from_the_gallery(timed: Sayso) -> None:
    keyring = timed._resources.keyring
    _declare(timed, most=10, idle=20)
    for most, idle in ((10, 20), (11, 20), (None, 30)):  # as it was, or looser
        _declare(timed, most, idle)
        assert keyring.ended("rule") == {}
    found = timed.purposes("club")[0].id
    wanted = set()
    for most, idle in ((30, 30), (30, 29), (None, 28), (20, 40)):
        _declare(timed, most, idle)
        wanted.add(f"{found}/{most or '-'}/{idle}/{microseconds(START)}")
        assert set(keyring.ended("rule")) == wanted


def test_whom_a_stricter_rule_leaves_without_consent_is_erased_then(
    timed: Sayso, clock: Clock
) -> None:
    """Not only hidden: the rule puts the end of the consent into the past."""
    probes = enrol(timed, ["olga"])
    clock.time = START + 10 * DAY
    assert named(timed, probes) == ["olga"]
    _declare(timed, most=5)
    assert named(timed, probes) == [None]
    assert timed.subjects("club") == ()
    assert timed.collection("club").faces == 0
    assert [stone.reason for stone in timed.tombstones("club")] == ["expired"]


def test_a_consent_that_the_rule_has_ended_already_is_refused(timed: Sayso) -> None:
    _declare(timed, most=5)
    old = Consent([PURPOSE], "form", given=START - 5 * DAY)
    with pytest.raises(ConsentRequired, match="by the rule of the purpose"):
        enrol(timed, ["olga"], consent=old)
    assert timed.subjects("club") == ()


def test_a_purpose_that_is_met_erases_whoever_agreed_to_nothing_else(timed: Sayso) -> None:
    probes = enrol(timed, ["olga", "yuri"])
    timed.add_consent("club", "yuri", Consent(["research"], "form"))
    (stone,) = timed.purpose_met("club", PURPOSE)
    assert (stone.reason, stone.faces) == ("expired", 1)
    assert [subject.name for subject in timed.subjects("club")] == ["yuri"]
    assert named(timed, probes) == [None, None]
    # Nor is the face kept for a purpose that it was not enrolled for.
    assert named(timed, probes, purpose="research") == [None, None]
    assert timed.subject("club", "yuri").faces == 0
    assert {p.name: p.met for p in timed.purposes("club")} == {PURPOSE: START, "research": None}
    assert timed.purpose_met("club", PURPOSE) == ()


def test_a_purpose_that_was_met_takes_consents_only_when_declared_anew(timed: Sayso) -> None:
    enrol(timed, ["olga"])
    timed.purpose_met("club", PURPOSE)
    with pytest.raises(PurposeNotDeclared, match="was met at 2026-03-01"):
        enrol(timed, ["olga"])
    _declare(timed)
    assert named(timed, enrol(timed, ["olga"])) == ["olga"]


def test_declaring_it_anew_does_not_bring_back_what_a_met_purpose_ended(timed: Sayso) -> None:
    probes = enrol(timed, ["olga"], consent=Consent([PURPOSE, "research"], "form"))
    timed.purpose_met("club", PURPOSE)
    _declare(timed)
    assert named(timed, probes) == [None]
    timed.record_interaction("club", "olga")
    assert named(timed, probes) == [None]


def test_what_nobody_declared_cannot_be_met(timed: Sayso) -> None:
    with pytest.raises(PurposeNotDeclared, match="none yet"):
        timed.purpose_met("club", PURPOSE)


def test_every_notice_that_somebody_agreed_to_is_kept(timed: Sayso) -> None:
    _declare(timed)
    timed.add_consent("club", "olga", CONSENT)
    again = timed.declare_purpose("club", PURPOSE, notice="We also sell them.", max_days=9)
    assert again.version == 2
    assert timed.declare_purpose("club", PURPOSE, notice="We also sell them.").version == 2
    timed.add_consent("club", "yuri", CONSENT)
    assert timed.report("club", "olga").notices == {(PURPOSE, 1): NOTICE}
    assert timed.report("club", "yuri").notices == {(PURPOSE, 2): "We also sell them."}


def test_a_rule_ends_consents_without_anybody_asking(timed: Sayso, clock: Clock) -> None:
    _declare(timed, idle=1)
    enrol(timed, ["olga"])
    clock.time = START + DAY
    until = time.monotonic() + 1
    with timed._resources.store.read() as connection:
        asked = connection.exec_driver_sql
        while asked("SELECT count(*) FROM subjects").scalar():
            assert time.monotonic() < until
            connection.rollback()
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"notice": " "}, "a notice tells people"),
        ({"notice": "x" * 10_001}, "a notice tells people"),
        ({"max_days": 0}, "max_days is 0"),
        ({"max_days": 36_501}, "max_days is 36501"),
        ({"idle_days": 0}, "idle_days is 0"),
        ({"idle_days": 1096}, "three years"),
    ],
)
def test_what_cannot_be_declared_is_refused(
    app: Sayso, options: dict[str, object], match: str
) -> None:
    with pytest.raises(GalleryError, match=match):
        app.declare_purpose("club", PURPOSE, **{"notice": NOTICE} | options)  # type: ignore[arg-type]
    with pytest.raises(InvalidName):
        app.declare_purpose("club", "No Purpose", notice=NOTICE)
    assert app.purposes("club") == ()
