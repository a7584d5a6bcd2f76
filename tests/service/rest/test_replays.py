"""Requests that come again under an Idempotency-Key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sayso.core import Sayso
from sayso.service.rest.problems import Refused
from sayso.service.rest.replays import Repeatable, Replays
from tests.service.rest.conftest import Api
from tests.service.rest.people import consent, picture

ADA = "/collections/club/subjects/ada"


def key(value: str = "k1", **more: str) -> dict[str, Any]:
    return {"headers": {"Idempotency-Key": value, **more}}


def entries(api: Api) -> int:
    return len(api.app.audit_entries())


def test_what_was_done_is_answered_again_and_not_done_again(api: Api) -> None:
    first = api("POST", "/collections", 201, json={"collection": "club"}, **key())
    assert "idempotency-replayed" not in first.headers
    before = entries(api)
    again = api("POST", "/collections", 201, json={"collection": "club"}, **key())
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert again.content == first.content
    assert entries(api) == before + 1  # only that these were read
    api.problem(
        "collection-exists", "POST", "/collections", json={"collection": "club"}, **key("2")
    )


def test_the_same_document_may_be_written_differently(api: Api) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    api("POST", "/collections", 201, content=b'{"collection": "club"}', headers=headers)
    body = b' { "tags" : null, "collection": "\\u0063lub" } '
    again = api("POST", "/collections", 201, content=body, headers=headers)
    assert "idempotency-replayed" in again.headers


def test_a_form_with_another_boundary_is_the_same_request(club: Api) -> None:
    club.post(f"{ADA}/consents", consent(), 201)
    files = {"pictures": ("a.png", picture("ada"))}
    first = club("POST", f"{ADA}/faces", 201, files=files, **key())
    again = club("POST", f"{ADA}/faces", 201, files=files, **key())
    assert again.json() == first.json()  # not that the picture is repeated
    other = {"pictures": ("a.png", picture("ada", extra=1))}
    club.problem("idempotency-key-reused", "POST", f"{ADA}/faces", files=other, **key())
    params = {"mode": "fast"}
    club.problem(
        "idempotency-key-reused", "POST", f"{ADA}/faces", files=files, params=params, **key()
    )


def test_a_key_belongs_to_a_path_and_to_an_access_key(club: Api) -> None:
    club.post("/collections", {"collection": "team"}, 201)
    for name in ("club", "team"):
        club("PUT", f"/collections/{name}/tags", 200, json={"tags": {"a": name}}, **key())
    other = club.key()
    done = club("PUT", "/collections/club/tags", 200, json={"tags": {"b": "2"}}, **key(**other))
    assert done.json() == {"tags": {"a": "club", "b": "2"}}


def test_what_was_refused_may_be_tried_again(club: Api) -> None:
    club.problem("subject-not-found", "DELETE", ADA, **key())
    club.post(f"{ADA}/consents", consent(), 201)
    stone = club("DELETE", ADA, 200, **key()).json()
    assert club("DELETE", ADA, 200, **key()).json() == stone
    club.problem("subject-not-found", "DELETE", ADA)


def test_what_was_answered_goes_with_whoever_is_erased(club: Api) -> None:
    done = club.post(f"{ADA}/consents", consent(), 201, **key())
    club("DELETE", ADA, 200)
    again = club("POST", f"{ADA}/consents", 201, json=consent(), **key())
    assert "idempotency-replayed" not in again.headers
    assert again.json()["id"] != done["id"]


def test_what_is_kept_after_an_erasure_names_nobody(
    club: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bytes] = []
    remember = Sayso.remember

    def listening(*arguments: Any, **options: Any) -> None:
        kept.append(arguments[4])
        remember(*arguments, **options)

    monkeypatch.setattr(Sayso, "remember", listening)
    for number, (method, path) in enumerate(
        [("DELETE", ADA), ("POST", f"{ADA}/consents/withdraw")]
    ):
        club.post(f"{ADA}/consents", consent(), 201)
        club(method, path, 200, **key(f"k{number}"))
    assert len(kept) == 2
    assert not [each for each in kept if b"ada" in each]


def test_a_secret_is_not_kept(api: Api) -> None:
    new = {"actor": "shop", "purpose": "photos", "actions": ["search"]}
    made = api("POST", "/keys", 201, json=new, **key()).json()
    found = api.problem("secret-told-already", "POST", "/keys", json=new, **key())
    assert found["made"] == f"/v1/keys/{made['id']}"
    assert made["secret"] not in str(found)
    assert len([each for each in api.get("/keys")["items"] if each["actor"] == "shop"]) == 1


@pytest.mark.parametrize("value", ["", "x" * 256, "a\tb", "ä"])
def test_a_key_is_1_to_255_printable_characters(api: Api, value: str) -> None:
    headers = {"Idempotency-Key": value.encode("latin-1")}
    found = api.problem(
        "invalid-request", "POST", "/collections", json={"collection": "club"}, headers=headers
    )
    assert found["errors"][0]["where"] == "header"
    api.problem("collection-not-found", "GET", "/collections/club")


def test_two_at_the_same_time_are_done_once(club: Api) -> None:
    asked = {"json": {"collection": "team"}, **key()}
    answers = club.together(*[("POST", "/collections", asked)] * 6)
    assert {each.status_code for each in answers} == {201}
    assert len({each.content for each in answers}) == 1
    assert sum("idempotency-replayed" in each.headers for each in answers) == 5


def test_whoever_waits_too_long_is_told(app: Sayso) -> None:
    async def scenario() -> None:
        replays = Replays(patience=0.05)
        request = Repeatable("POST /v1/x", "k", b"x", None)
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(_: Any) -> Any:
            begun.set()
            await go_on.wait()
            raise RuntimeError("it was not done")

        async def light(work: Any) -> Any:
            return work()

        def work() -> Any:
            raise AssertionError("it is not called")

        first = asyncio.create_task(replays.once(app, request, light, slow, work))
        await begun.wait()
        with pytest.raises(Refused) as caught:
            await replays.once(app, request, light, slow, work)
        assert caught.value.kind.name == "idempotency-in-progress"
        go_on.set()
        with pytest.raises(RuntimeError):
            await first
        assert not replays._turns

    asyncio.run(scenario())
