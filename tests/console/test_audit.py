"""The page of the audit log: searched, checked, and taken away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

import sayso
from sayso.audit.events import EVENTS
from sayso.audit.exports import verify_export
from sayso.audit.heads import Head
from sayso.console import words
from sayso.core import Sayso
from tests.console.visiting import Console, Shown


def numbers(page: Shown) -> list[int]:
    """Return the numbers of the entries that are shown, in their order."""
    (entries,) = page.all("ol", class_="entries")
    return [int(each.text.replace(",", "")) for each in entries.all("span", class_="tag")]


@pytest.fixture
def club(console: Console) -> Console:
    """The console of a gallery in which a little was done."""
    app = console.app
    app.create_collection("club")
    app.create_collection("other")
    agreed = sayso.Consent(purposes=["photos"], evidence="form 17")
    app.add_consent("club", "ada", agreed)
    app.add_consent("club", "bob", agreed)
    app.erase_subject("club", "bob")
    return console


def test_every_kind_of_event_is_in_words() -> None:
    assert {kind for kind in EVENTS if f"audit.kind.{kind}" not in words.catalogue()} == set()


def test_the_newest_entry_comes_first_and_that_it_was_read_is_on_record(club: Console) -> None:
    shown = numbers(club.get("audit"))
    assert shown == sorted(shown, reverse=True)
    assert shown[-1] == 1
    again = club.get("audit")
    assert numbers(again)[0] > shown[0]
    assert words.say("audit.kind.audit-read") in again.text


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        ({"collection": "other"}, ["collection-created"]),
        ({"kind": "subject-erased"}, ["subject-erased"]),
        ({"collection": "club", "subject": "ada"}, ["consent-recorded"]),
        ({"first": "2", "last": "2"}, None),
        ({"actor": "nobody"}, []),
    ],
)
def test_entries_are_searched(
    club: Console, asked: dict[str, Any], kinds: list[str] | None
) -> None:
    page = club.get("audit", **asked)
    if kinds is None:
        assert numbers(page) == [2]
        return
    bodies = [json.loads(each.text)["event"] for each in page.all("code") if "{" in each.text]
    assert bodies == kinds
    assert (page.one("select", name="kind").one("option", value="subject-erased")) is not None
    if not kinds:
        assert words.say("audit.none") in page.text


def test_somebody_erased_is_found_by_what_is_left_of_them(club: Console) -> None:
    (stone,) = club.app.tombstones("club")
    page = club.get("audit", collection="club", subject=stone.id)
    assert words.say("audit.kind.subject-erased") in page.text
    assert stone.id in page.text


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"subject": "ada"}, 422, "choose the collection"),
        ({"first": "x"}, 422, "“x” is no number"),
        ({"last": "0"}, 422, "“0” is no number"),
        ({"last": "9" * 30}, 422, "is no number"),
        ({"collection": "club", "subject": "eve"}, 404, "eve"),
    ],
)
def test_a_search_that_cannot_be_made_is_told(
    club: Console, asked: dict[str, Any], status: int, said: str
) -> None:
    assert said in club.get("audit", expect=status, **asked).problem


def test_pages_go_back_to_the_first_entry(club: Console) -> None:
    for _ in range(60):
        club.app.collections()
    page = club.get("audit", kind="collections-read", last="62")
    first = numbers(page)
    assert len(first) == 50
    (older,) = [each for each in page.links if "before=" in each]
    rest = numbers(club.get(older))
    assert rest
    assert rest[0] < first[-1]
    assert first[0] <= 62
    assert not [each for each in club.get(older).links if "before=" in each]


def test_a_whole_record_is_told_and_a_saved_head_is_heeded(club: Console) -> None:
    head = club.get("audit/head")
    assert "attachment" in head.response.headers["content-disposition"]
    saved = Head.parse(head.response.content)
    assert words.say("audit.verify.ok") in club.post("audit", do="verify").text
    page = club.post("audit", do="verify", files=[("head_file", head.response.content)])
    assert words.say("audit.verify.ok") in page.one(id="verified").text
    ahead = json.dumps(saved.document() | {"number": saved.number + 1000})
    page = club.post("audit", do="verify", head=ahead)
    assert words.say("audit.verify.broken") in page.one(id="verified").text
    assert page.one(id="verified")["role"] == "alert"


def test_what_is_no_head_is_refused_with_what_was_given(club: Console) -> None:
    page = club.post("audit", do="verify", head="{}", expect=422)
    assert "no head of an audit log" in page.problem
    assert page.one("textarea", name="head").source == "{}"


def test_an_entry_that_was_changed_is_named(club: Console, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'data' / 'gallery.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE audit SET actor = 'nobody' WHERE number = 3"))
    engine.dispose()
    told = club.post("audit", do="verify").one(id="verified").text
    assert "Entry 3: its column actor is not what its content says" in told


def test_the_export_is_what_anybody_can_verify(club: Console) -> None:
    export = club.get("audit/export")
    assert export.response.headers["content-type"] == "application/x-ndjson"
    assert "attachment" in export.response.headers["content-disposition"]
    lines = export.response.text.splitlines()
    assert verify_export(lines).ok
    last = json.loads(lines[-1])["entry"]["number"]
    rest = club.get("audit/export", after=str(last)).response.text.splitlines()
    assert json.loads(rest[0])["entry"]["number"] == last + 1


def test_whoever_may_audit_one_collection_sees_that_one_only(club: Console) -> None:
    auditor = club.as_key("audit", collections=["club"])
    page = auditor.get("audit")
    assert set(page.one("select", name="collection").text.split()) == {"club"}
    assert words.say("audit.kind.consent-recorded") in page.text
    assert "verify" not in page.deeds
    auditor.get("audit", collection="other", expect=403)
    auditor.get("audit/export", expect=403)
    auditor.post("audit", do="verify", expect=403)


def test_it_takes_the_right_to_audit(club: Console) -> None:
    other = club.as_key("search")
    for page in ("audit", "audit/head", "audit/export"):
        other.get(page, expect=403)


def test_nothing_on_record_becomes_markup(console: Console, app: Sayso) -> None:
    name = "user:<b id=evil>"
    with_name = app.acting_as(type(app.caller).local(name))
    with_name.create_collection("club")
    page = console.get("audit", actor=name)
    assert name in page.text
    assert page.all(id="evil") == []
