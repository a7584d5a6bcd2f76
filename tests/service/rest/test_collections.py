"""Collections and their tags."""

from __future__ import annotations

from tests.service.rest.conftest import Api


def test_a_collection_is_made_shown_and_deleted(api: Api) -> None:
    made = api("POST", "/collections", 201, json={"collection": "club", "tags": {"team": "a/b"}})
    assert made.headers["location"] == "/v1/collections/club"
    document = api.get("/collections/club")
    assert document == made.json()
    assert (document["subjects"], document["faces"], document["model"]) == (0, 0, None)
    assert document["created"] == "2026-03-01T12:00:00Z"
    assert api.get("/collections/club/tags") == {"tags": {"team": "a/b"}}
    gone = api("DELETE", "/collections/club", 200).json()
    assert gone == {"collection": "club", "erased_subjects": 0}
    api.problem("collection-not-found", "GET", "/collections/club")


def test_a_name_is_taken_once_and_by_the_rules(api: Api) -> None:
    api.post("/collections", {"collection": "club"}, 201)
    api.problem("collection-exists", "POST", "/collections", json={"collection": "club"})
    found = api.problem("invalid-request", "POST", "/collections", json={"collection": "a b"})
    assert [(each["where"], each["pointer"]) for each in found["errors"]] == [
        ("body", "/collection")
    ]
    found = api.problem("invalid-request", "GET", "/collections/a%20b")
    assert [(each["where"], each["pointer"]) for each in found["errors"]] == [
        ("path", "/collection")
    ]


def test_tags_are_set_replaced_and_taken(club: Api) -> None:
    path = "/collections/club/tags"
    assert club("PUT", path, 200, json={"tags": {"b": "1", "a": "2"}}).json() == {
        "tags": {"a": "2", "b": "1"}
    }
    assert club("PUT", path, 200, json={"tags": {"b": "3"}}).json()["tags"] == {"a": "2", "b": "3"}
    assert club("DELETE", path, 200, params={"key": ["a", "c"]}).json() == {"tags": {"b": "3"}}
    club.problem("invalid-tag", "PUT", path, json={"tags": {"aws:x": "1"}})
    club.problem("invalid-request", "DELETE", path)
    many = {f"t{number}": "" for number in range(50)}
    club.problem("too-many-tags", "PUT", path, json={"tags": many})
    club.problem("invalid-request", "PUT", path, json={"tags": many | {"one": "more"}})


def test_a_key_sees_only_its_collections(club: Api) -> None:
    club.post("/collections", {"collection": "team"}, 201)
    headers = club.key("search", collections=["team"])
    found = club.get("/collections", headers=headers)
    assert [each["collection"] for each in found["items"]] == ["team"]
    club.problem("access-denied", "GET", "/collections/club", headers=headers)
    club.problem("access-denied", "DELETE", "/collections/team", headers=headers)
