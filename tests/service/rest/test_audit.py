"""The audit log: read, exported, verified."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sayso.audit.exports import verify_export
from tests.service.rest.conftest import Api
from tests.service.rest.people import consent


def test_entries_are_read_in_pages_and_by_filters(club: Api) -> None:
    for name in ("ada", "bob"):
        club.post(f"/collections/club/subjects/{name}/consents", consent(), 201)
    first = club.get("/audit", params={"limit": 2})
    assert [each["entry"]["number"] for each in first["items"]] == [1, 2]
    assert first["items"][0]["entry"]["event"] == "log-begun"
    second = club.get("/audit", params={"limit": 2, "cursor": first["next_cursor"]})
    assert [each["entry"]["number"] for each in second["items"]] == [3, 4]
    about = club.get("/audit", params={"collection": "club", "subject": "ada"})
    assert [each["entry"]["event"] for each in about["items"]] == ["consent-recorded"]
    kinds = club.get("/audit", params={"kind": "consent-recorded", "actor": "tester"})
    assert len(kinds["items"]) == 2
    latest = club.get("/audit", params={"newest_first": "true", "limit": 1})
    assert latest["items"][0]["entry"]["event"] == "audit-read"


def test_the_newest_entry_may_come_first_and_pages_go_back_from_it(club: Api) -> None:
    for _ in range(4):
        club.app.collections()
    params = {"newest_first": "true", "limit": 2, "after": 1, "before": 5}
    first = club.get("/audit", params=params)
    assert [each["entry"]["number"] for each in first["items"]] == [4, 3]
    rest = club.get("/audit", params=params | {"cursor": first["next_cursor"]})
    assert [each["entry"]["number"] for each in rest["items"]] == [2]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"subject": "ada"}, "invalid-request"),
        ({"subject": "ada", "collection": "club"}, "subject-not-found"),
        ({"subject": "ada", "collection": "none"}, "collection-not-found"),
        ({"limit": 0}, "invalid-request"),
        ({"limit": 1001}, "invalid-request"),
        ({"cursor": "x"}, "invalid-cursor"),
        ({"kind": "A"}, "invalid-request"),
    ],
)
def test_what_cannot_be_read_is_told(club: Api, params: dict[str, Any], name: str) -> None:
    club.problem(name, "GET", "/audit", params=params)


def test_an_export_can_be_verified_without_the_gallery(club: Api) -> None:
    for _ in range(600):  # more than one chunk
        club.app.collections()
    response = club("GET", "/audit/export", 200)
    lines = response.text.splitlines()
    assert len(lines) > 600
    found = verify_export(lines)
    assert found.ok
    last = json.loads(lines[-1])["entry"]["number"]
    rest = club("GET", "/audit/export", 200, params={"after": last}).text.splitlines()
    assert json.loads(rest[0])["entry"]["number"] == last + 1
    assert club("GET", "/audit/export", 200, params={"after": 2**63 - 1}).text == ""
    club.problem("invalid-request", "GET", "/audit/export", params={"after": 2**63})


def test_the_log_is_verified_against_a_saved_head(club: Api) -> None:
    assert club("POST", "/audit/verify", 200).json()["ok"]
    head = club.get("/audit/head")
    assert head["sayso-audit-head"] == 1
    verified = club.post("/audit/verify", {"head": head})
    assert (verified["ok"], verified["problems"]) == (True, [])
    ahead = head | {"number": head["number"] + 1000}
    assert not club.post("/audit/verify", {"head": ahead})["ok"]


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"number": "1"},
        {"hash": "0" * 64},
        {"hash": "A" * 64},
        {"public_key": "f" * 64},
        {"signature": "0" * 128},
        {"time": "2026-13-01T00:00:00.000000Z"},
        {"sayso-audit-head": 2},
        {"more": 1},
    ],
)
def test_a_head_that_was_changed_is_refused(club: Api, change: dict[str, Any]) -> None:
    head = club.get("/audit/head") | change
    found = club.problem("invalid-request", "POST", "/audit/verify", json={"head": head})
    assert found["errors"][0]["pointer"].startswith("/head")


def test_it_takes_the_right_to_audit(club: Api) -> None:
    others = club.key("admin", "search", "enrol", "erase")
    for method, path in (
        *(("GET", "/audit"), ("GET", "/audit/export"), ("GET", "/audit/head")),
        ("POST", "/audit/verify"),
    ):
        club.problem("access-denied", method, path, headers=others)
