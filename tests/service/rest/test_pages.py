"""Lists, page by page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sayso.results import Consent
from tests.gallery.synthetic import templates
from tests.service.rest.conftest import Api


def walk(api: Api, path: str, limit: int, **params: Any) -> list[Any]:
    """Return every item of a list, read in pages; each page but the last is full."""
    items: list[Any] = []
    cursor = None
    while True:
        asked = {"limit": limit, **params} | ({} if cursor is None else {"cursor": cursor})
        response = api("GET", path, 200, params=asked)
        page = response.json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            assert "link" not in response.headers
            return items
        assert len(page["items"]) == limit
        assert response.headers["link"].endswith('>; rel="next"')
        following = response.headers["link"][1:].partition(">")[0].removeprefix("/v1")
        # A cursor has its time in it, so it is another one; what it leads to is the same.
        linked = api("GET", following, 200).json()["items"]
        assert linked == api("GET", path, 200, params=asked | {"cursor": cursor}).json()["items"]


@pytest.fixture
def crowd(club: Api) -> Api:
    for name in ("b", "a", "C"):
        club.post("/collections", {"collection": name}, 201)
    consent = Consent(["photos"], "form 17")
    club.app.enroll_templates(
        "club",
        subjects=[f"s{number}" for number in range(7)],
        templates=templates(7),
        consent=consent,
    )
    for number in range(7):
        club.app.create_user("club", f"s{number}")
    club.app.create_collection("old")
    club.app.enroll_templates(
        "old", subjects=["x", "y", "z"], templates=templates(3), consent=consent
    )
    for name in "xyz":
        club.clock.time += timedelta(minutes=1)
        club.app.erase_subject("old", name)
    return club


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/collections", 5),
        ("/collections/club/subjects", 7),
        ("/collections/club/faces", 7),
        ("/collections/club/users", 7),
        ("/collections/old/tombstones", 3),
    ],
)
def test_every_item_comes_once_whatever_the_page(
    crowd: Api, path: str, count: int, limit: int
) -> None:
    whole = crowd.get(path)["items"]
    assert len(whole) == count
    assert walk(crowd, path, limit) == whole


def test_keys_are_paged_too(crowd: Api) -> None:
    for _ in range(4):
        crowd.key("search")
    assert walk(crowd, "/keys", 2) == crowd.get("/keys")["items"]


def test_a_list_goes_on_where_an_item_was_deleted(crowd: Api) -> None:
    first = crowd.get("/collections", params={"limit": 2})
    assert [each["collection"] for each in first["items"]] == ["C", "a"]
    crowd.app.delete_collection("a", erase_subjects=True)
    crowd.app.create_collection("aa")
    rest = crowd.get("/collections", params={"cursor": first["next_cursor"]})
    assert [each["collection"] for each in rest["items"]] == ["aa", "b", "club", "old"]


def test_long_names_have_cursors_too(api: Api) -> None:
    names = sorted("n" * 250 + f"{number:05}" for number in range(4))
    for name in names:
        api.app.create_collection(name)
    assert [each["collection"] for each in walk(api, "/collections", 1)] == names


def test_a_cursor_is_for_one_list_one_key_and_an_hour(crowd: Api) -> None:
    cursor = crowd.get("/collections/club/subjects", params={"limit": 2})["next_cursor"]
    params = {"cursor": cursor}
    crowd.problem("invalid-cursor", "GET", "/collections/club/users", params=params)
    crowd.problem("invalid-cursor", "GET", "/collections/old/subjects", params=params)
    other = crowd.key()
    crowd.problem(
        "invalid-cursor", "GET", "/collections/club/subjects", params=params, headers=other
    )
    for wrong in ("", "x", cursor[:-1], cursor + "A", "ä", "\x00"):
        crowd.problem(
            "invalid-cursor", "GET", "/collections/club/subjects", params={"cursor": wrong}
        )
    crowd("GET", "/collections/club/subjects", 200, params=params | {"limit": 5})
    crowd.clock.time += timedelta(minutes=61)
    found = crowd.problem("invalid-cursor", "GET", "/collections/club/subjects", params=params)
    assert "expired" in found["detail"]


def test_a_cursor_is_for_the_same_filters(crowd: Api) -> None:
    params = {"limit": 2, "collection": "club"}
    cursor = crowd.get("/audit", params=params)["next_cursor"]
    crowd.get("/audit", params=params | {"cursor": cursor})
    crowd.problem("invalid-cursor", "GET", "/audit", params={"limit": 2, "cursor": cursor})


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1.5", "", "1e2"])
def test_a_page_has_1_to_1000_items(crowd: Api, limit: str) -> None:
    found = crowd.problem("invalid-request", "GET", "/collections", params={"limit": limit})
    assert found["errors"][0]["pointer"] == "/limit"
