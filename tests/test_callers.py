from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from sayso.callers import ACTIONS, Caller, permit
from sayso.errors import AccessDenied, ConsentRequired, InvalidName

KEY = Caller("camera", "photos", frozenset({"search"}), frozenset({"club"}), "SAYS1")


def test_whoever_sits_at_the_machine_may_everything() -> None:
    caller = Caller.local("user:olga")
    for action in ACTIONS:
        permit(caller, [action], "club")
        permit(caller, [action], None, everywhere=True)
    assert caller.sees_everybody
    assert (caller.actor, caller.purpose, caller.key) == ("user:olga", None, None)


def test_one_of_the_rights_is_enough() -> None:
    permit(KEY, ["enrol", "search"], "club")
    with pytest.raises(AccessDenied, match="right to enrol or erase, and theirs are search"):
        permit(KEY, ["enrol", "erase"], "club")


def test_a_caller_without_rights_may_nothing() -> None:
    for action in ACTIONS:
        with pytest.raises(AccessDenied, match="theirs are none"):
            permit(Caller("nobody"), [action], None)


def test_a_caller_is_kept_to_their_collections() -> None:
    permit(KEY, ["search"], None)
    with pytest.raises(AccessDenied, match="no access to collection 'team'"):
        permit(KEY, ["search"], "team")
    with pytest.raises(AccessDenied, match="every collection"):
        permit(KEY, ["search"], None, everywhere=True)
    nowhere = dataclasses.replace(KEY, collections=frozenset[str]())
    with pytest.raises(AccessDenied):
        permit(nowhere, ["search"], "club")


def test_no_name_of_a_collection_is_looked_for() -> None:
    with pytest.raises(InvalidName):
        permit(KEY, ["search"], "../club")


def test_a_search_needs_a_purpose() -> None:
    local = Caller.local("user:olga")
    with pytest.raises(ConsentRequired, match="needs a purpose"):
        local.searching_for(None)
    assert local.searching_for("photos").purpose == "photos"
    with pytest.raises(InvalidName):
        local.searching_for("No Purpose")


def test_a_key_searches_for_its_own_purpose_only() -> None:
    assert KEY.searching_for(None) is KEY
    assert KEY.searching_for("photos") is KEY
    with pytest.raises(AccessDenied, match="'photos', not for 'security'"):
        KEY.searching_for("security")
    admin = dataclasses.replace(KEY, actions=frozenset(ACTIONS))
    with pytest.raises(AccessDenied):
        admin.searching_for("security")


def test_a_key_records_consent_to_its_own_purpose_only() -> None:
    KEY.require_purposes(["photos"])
    with pytest.raises(AccessDenied, match="record consent to security"):
        KEY.require_purposes(["photos", "security"])
    dataclasses.replace(KEY, actions=frozenset({"admin"})).require_purposes(["security"])


def test_only_who_may_admin_sees_everybody() -> None:
    for action in ACTIONS:
        caller = dataclasses.replace(KEY, actions=frozenset({action}))
        assert caller.sees_everybody == (action == "admin")


def test_nobody_gives_rights_that_they_lack() -> None:
    KEY.require_within(["search"], ["club"], None)
    with pytest.raises(AccessDenied, match="right to admin, erase"):
        KEY.require_within(["search", "erase", "admin"], ["club"], None)
    for collections in (None, ["team"], ["club", "team"]):
        with pytest.raises(AccessDenied, match="only to club"):
            KEY.require_within(["search"], collections, None)


def test_nobody_gives_rights_beyond_their_own_end() -> None:
    end = datetime(2026, 5, 1, tzinfo=UTC)
    ending = dataclasses.replace(KEY, expires=end)
    ending.require_within(["search"], ["club"], end)
    for until in (None, end + timedelta(microseconds=1)):
        with pytest.raises(AccessDenied, match="until their own end, at 2026-05-01"):
            ending.require_within(["search"], ["club"], until)


def test_a_caller_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        KEY.purpose = "security"  # type: ignore[misc]


@pytest.mark.parametrize("purpose", ["", "Photos", "a b", "x" * 65])
def test_a_purpose_that_is_none_is_refused(purpose: str) -> None:
    with pytest.raises(InvalidName, match="purpose"):
        Caller("camera", purpose)
