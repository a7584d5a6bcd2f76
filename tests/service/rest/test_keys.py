"""Access keys, and who comes with one."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from tests.service.rest.conftest import Api, bearer, make_key, serving

NEW = {"actor": "shop", "purpose": "photos", "actions": ["search", "detect"]}


def test_a_key_is_made_used_and_revoked(api: Api) -> None:
    made = api("POST", "/keys", 201, json=NEW | {"expires": "2026-04-01T00:00:00Z"})
    key = made.json()
    assert made.headers["location"] == f"/v1/keys/{key['id']}"
    assert made.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {key['id']}.{key['secret']}"}
    assert api.get("/key", headers=headers) == {
        "id": key["id"],
        "actor": "shop",
        "purpose": "photos",
        "actions": ["detect", "search"],
        "collections": None,
        "attested": False,
        "expires": "2026-04-01T00:00:00Z",
    }
    told = api.get(f"/keys/{key['id']}")
    assert told == {name: value for name, value in key.items() if name != "secret"}
    assert told in api.get("/keys")["items"]
    assert "secret" not in str(api.get("/keys"))
    revoked = api("DELETE", f"/keys/{key['id']}", 200).json()
    assert revoked["revoked"] == "2026-03-01T12:00:00Z"
    api.problem("unauthenticated", "GET", "/key", headers=headers)
    api.problem("key-not-found", "DELETE", "/keys/NONE")
    api.problem("key-not-found", "GET", "/keys/NONE")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"actor": ""}, "invalid-request"),
        ({"actor": " "}, "request-refused"),
        ({"actions": []}, "invalid-request"),
        ({"actions": ["fly"]}, "invalid-request"),
        ({"collections": []}, "invalid-request"),
        ({"collections": ["a b"]}, "invalid-request"),
        ({"expires": "2020-01-01T00:00:00Z"}, "request-refused"),
        ({"purpose": None}, "invalid-request"),
        ({"secret": "mine"}, "invalid-request"),
    ],
)
def test_a_key_that_cannot_be_is_refused(api: Api, change: dict[str, object], name: str) -> None:
    api.problem(name, "POST", "/keys", json=NEW | change)


def test_nobody_gives_what_they_do_not_have(api: Api) -> None:
    headers = api.key("admin", "search")
    api.problem("access-denied", "POST", "/keys", json=NEW, headers=headers)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer SAYSX.y", "Bearer \xe9.x", "Bearer a.b c"],
)
def test_without_a_good_key_nothing_is_answered(api: Api, header: str) -> None:
    response = api("GET", "/collections", 401, headers={"Authorization": header.encode("latin-1")})
    assert response.json()["type"] == "/v1/problems/unauthenticated"
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_a_key_that_has_expired_is_told_so_to_its_holder_only(api: Api) -> None:
    made = make_key(api.app, until=api.clock.time + timedelta(days=1))
    api.clock.time += timedelta(days=2)
    assert "expired" in api("GET", "/key", 401, headers=bearer(made)).json()["detail"]
    wrong = {"Authorization": f"Bearer {made.key.id}.wrong"}
    assert "expired" not in api("GET", "/key", 401, headers=wrong).json()["detail"]


def test_a_wrong_secret_is_never_logged_or_told(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = make_key(api.app)
    wrong = {"Authorization": f"Bearer {made.key.id}.hunter2hunter2"}
    response = api("GET", "/key", 401, headers=wrong)
    assert "hunter2" not in response.text + caplog.text


def test_who_signs_in_wrongly_too_often_is_told_to_wait(api: Api) -> None:
    with serving(api.app, api.clock, failed_sign_ins=3) as strict:
        wrong = {"Authorization": "Bearer SAYSNONE.x"}
        statuses = [strict("GET", "/key", headers=wrong).status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]


def test_a_key_that_asks_too_often_is_told_to_wait(api: Api) -> None:
    with serving(api.app, api.clock, key_rate=0.5) as slow:
        statuses = [slow("GET", "/key").status_code for _ in range(3)]
        assert statuses == [200, 429, 429]
        assert int(slow("GET", "/key").headers["retry-after"]) >= 1
