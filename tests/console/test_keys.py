"""Keys: made with some rights, their secret shown once, and revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sayso.callers import ACTIONS
from sayso.console import words
from tests.console.visiting import Console

NEW: dict[str, Any] = {
    "actor": "ms.miller",
    "purpose": "photos",
    "actions": "search",
    "where": "everywhere",
}


def secret_of(console: Console, **fields: Any) -> tuple[str, str]:
    """Make a key; return its id and its secret as the page shows them."""
    page = console.post("keys", do="make", **NEW | fields)
    return page.one("code", id="made-id").text, page.one("code", id="made-secret").text


def test_each_right_is_explained(console: Console) -> None:
    page = console.get("keys")
    boxes = page.all("input", name="actions")
    assert [each["value"] for each in boxes] == list(ACTIONS)
    for action in ACTIONS:
        assert words.say(f"keys.right.{action}") in page.text
        assert page.one("p", id=f"why-{action}").text
    assert not [each for each in boxes if "checked" in each.attributes]


def test_a_key_is_made_with_what_was_ticked(console: Console) -> None:
    console.app.create_collection("club")
    console.app.create_collection("school")
    page = console.post(
        "keys",
        do="make",
        **NEW
        | {
            "actions": ["enrol", "search"],
            "where": "some",
            "collections": ["club"],
            "until": "2026-12-24",
            "attestation": "everybody signs form 17",
        },
    )
    (key,) = console.app.keys()
    assert (key.actor, key.purpose) == ("ms.miller", "photos")
    assert key.actions == ("enrol", "search")
    assert key.collections == ("club",)
    assert key.attestation == "everybody signs form 17"
    assert key.expires is not None
    assert key.expires.isoformat() == "2026-12-24T00:00:00+00:00"
    assert key.id in page.text


def test_the_secret_is_shown_once_and_signs_in(console: Console) -> None:
    key, secret = secret_of(console)
    other = console.stranger()
    other.sign_in(key=key, secret=secret)
    assert other.token
    for path in ("keys", "keys/revoke", "start", "people", "audit"):
        shown = console.get(path, key=key) if path == "keys/revoke" else console.get(path)
        assert secret not in shown.response.text
    assert not any(secret in note for note in _notes(console))


def _notes(console: Console) -> list[str]:
    session = console.state.sessions.find(console.token)
    assert session is not None
    return session.notes


def test_the_page_with_the_secret_is_kept_nowhere(console: Console) -> None:
    page = console.post("keys", do="make", **NEW, follow=False)
    assert page.response.headers["cache-control"] == "no-store"
    secret = page.one("code", id="made-secret").text
    assert len(secret) == 40
    # As what it is and in one with the id; in no attribute, field, address or script.
    assert page.response.text.count(secret) == 2
    assert secret not in str(page.response.url)
    for each in page.page.walk():
        assert not [value for value in each.attributes.values() if secret in value]


def test_a_key_for_all_collections_must_be_asked_for(console: Console) -> None:
    console.app.create_collection("club")
    page = console.post("keys", do="make", **NEW | {"where": "some"}, expect=422)
    assert "Tick the collections that the key is for" in page.problem
    assert console.app.keys() == ()
    secret_of(console)
    assert console.app.keys()[0].collections is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"actor": " "}, "name the actor"),
        ({"purpose": "Photos!"}, "is no name for a purpose"),
        ({"actions": ""}, "Tick at least one thing"),
        ({"actions": "everything"}, "everything is no action"),
        ({"until": "2020-01-01"}, "has expired already"),
        ({"until": "soon"}, "soon is no date"),
    ],
)
def test_what_cannot_be_a_key_is_refused_and_stays_in_the_form(
    console: Console, fields: dict[str, Any], told: str
) -> None:
    given = NEW | {"attestation": "they sign"} | fields
    page = console.post("keys", do="make", **given, expect=422)
    assert told in page.problem
    assert console.app.keys() == ()
    again = page.fields("make")
    assert again["attestation"] == "they sign"
    assert again["actor"] == given["actor"].strip()
    assert ("actions" in again) == (given["actions"] in ACTIONS)


def test_a_purpose_that_a_collection_does_not_have_is_pointed_out(console: Console) -> None:
    console.app.create_collection("club")
    console.app.declare_purpose("club", "photos", notice="Pictures")
    one = {"where": "some", "collections": "club"}
    page = console.post("keys", do="make", **NEW | one | {"purpose": "fotos"})
    assert "Nobody in club can have agreed to “fotos”" in page.text
    assert page.one("code", id="made-secret").text
    page = console.post("keys", do="make", **NEW | one)
    assert "Nobody in club" not in page.text


def test_a_key_for_a_collection_to_come(console: Console) -> None:
    page = console.post("keys", do="make", **NEW | {"where": "some", "collections": "later"})
    assert page.one("code", id="made-secret").text


def test_keys_are_listed_with_what_they_may(console: Console) -> None:
    assert "There is no key yet" in console.get("keys").text
    console.app.create_collection("club")
    first, _ = secret_of(console, until="2026-12-24", attestation="everybody signs")
    console.clock.time += timedelta(seconds=1)
    second, _ = secret_of(console, actor="website", where="some", collections="club")
    rows = [each.text for each in console.get("keys").one("tbody").all("tr")]
    assert rows[0].startswith("ms.miller States how consent is collected everybody signs photos")
    assert f"search all collections 2026-12-24 {first}" in rows[0]
    assert f"search club somebody revokes it {second}" in rows[1]


def test_a_revoked_key_is_out_at_once(console: Console) -> None:
    key, secret = secret_of(console)
    other = console.stranger()
    other.sign_in(key=key, secret=secret)
    page = console.get("keys/revoke", key=key)
    assert "ms.miller" in page.title
    assert "the key that you are signed in with" not in page.text
    assert console.app.keys()[0].revoked is None
    page = console.post("keys/revoke", do="revoke", key=key)
    assert page.notes == [f"The key {key} of ms.miller was revoked."]
    assert "revoked 2026-03-01" in page.text
    assert other.get("people").came_to == "/console/sign-in?why=ended"
    assert console.get("keys/revoke", key=key).deeds == set()


def test_who_revokes_their_own_key_is_warned_and_signed_out(console: Console) -> None:
    admin = console.as_key("admin")
    (key,) = console.app.keys()
    assert "the one you use" in admin.get("keys").text
    assert (
        "This is the key that you are signed in with" in admin.get("keys/revoke", key=key.id).text
    )
    page = admin.post("keys/revoke", do="revoke", key=key.id)
    assert page.came_to == "/console/sign-in?why=ended"


def test_a_key_that_is_not_there(console: Console) -> None:
    assert "no access key NOPE" in console.get("keys/revoke", key="NOPE", expect=404).problem
    page = console.post("keys/revoke", do="revoke", key="NOPE", expect=404)
    assert "NOPE" in page.problem


def test_only_who_may_admin_sees_or_makes_keys(console: Console) -> None:
    key = console.as_key("search", "audit", "erase")
    assert "Keys" not in key.get("people", expect=200).menu
    assert "it takes the right to admin" in key.get("keys", expect=403).problem
    page = key.post("keys", do="make", **NEW, expect=403)
    assert "it takes the right to admin" in page.problem
    (own,) = console.app.keys()
    key.post("keys/revoke", do="revoke", key=own.id, expect=403)
    assert console.app.keys()[0].revoked is None


def test_nobody_gives_what_they_do_not_have(console: Console) -> None:
    console.app.create_collection("club")
    console.app.create_collection("school")
    admin = console.as_key("admin", "search", collections=["club"])
    page = admin.get("keys")
    assert "Your own key is for some collections only" in page.text
    assert not page.all("table")
    assert [each["value"] for each in page.all("input", name="actions")] == ["search", "admin"]
    assert [each["value"] for each in page.all("input", name="where")] == ["some"]
    assert [each["value"] for each in page.all("input", name="collections")] == ["club"]
    forged = admin.post("keys", do="make", **NEW, expect=403)
    assert "can give access only to club" in forged.problem
    forged = admin.post("keys", do="make", **NEW | {"actions": "erase"}, expect=403)
    assert "cannot give the right to erase" in forged.problem
    made = admin.post("keys", do="make", **NEW | {"where": "some", "collections": "club"})
    assert made.one("code", id="made-secret").text
