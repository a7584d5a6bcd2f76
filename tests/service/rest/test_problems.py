"""One shape for whatever is refused, whatever is sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso import errors
from sayso.analyzer import Analyzer
from sayso.core import Sayso
from sayso.errors import SaysoError, StoreUnavailable
from sayso.service.engine import Overloaded
from sayso.service.rest import kinds
from tests.gallery.clock import Clock
from tests.service.rest.checking import DESCRIPTION
from tests.service.rest.conftest import Api, serving
from tests.service.rest.people import Reader

SECRET = "x-marks-what-was-sent"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API of one gallery for all examples; what they do to it does no harm."""
    folder: Path = tmp_path_factory.mktemp("shared") / "data"
    clock = Clock()
    with Sayso(folder, analyzer=cast("Analyzer", Reader()), clock=clock) as app:
        app.create_collection("club")
        with serving(app, clock, failed_sign_ins=1_000_000) as found:
            yield found


def test_every_error_of_the_core_is_some_kind_of_problem() -> None:
    every = [getattr(errors, name) for name in errors.__all__]
    for error in every:
        kind = kinds.of(error("why"))
        assert kind.status >= 400
        if issubclass(error, SaysoError) and kind is kinds.INTERNAL_ERROR:
            # Those that only commands at the server meet.
            assert error in (SaysoError, errors.AuditError, errors.BackupError), error
    assert kinds.of(Overloaded(1, "busy")) is kinds.TOO_MANY_REQUESTS


def test_an_unknown_path_and_method_are_problems_too(api: Api) -> None:
    for path in ("/nothing", "/collections/", "/collections/a/b", "/", "//", "/keys/a/b"):
        if path != "/":
            api.problem("not-found", "GET", path)
    response = api("PATCH", "/collections/club", 405)
    assert response.headers["allow"] == "DELETE, GET"
    assert response.json()["type"] == "/v1/problems/method-not-allowed"
    api("TRACE", "/faces", 405)


def test_what_nobody_expected_is_told_without_details(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Sayso) -> Any:
        raise ValueError(f"{SECRET} in /home/ada/gallery.sqlite")

    monkeypatch.setattr(Sayso, "collections", broken)
    found = api.problem("internal-error", "GET", "/collections")
    assert SECRET not in str(found)
    assert found["request_id"] in [
        getattr(each, "fields", {}).get("request") for each in caplog.records
    ]


def test_what_is_not_there_is_told_without_details(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Sayso) -> Any:
        raise StoreUnavailable(f"{SECRET} in /home/ada/gallery.sqlite")

    monkeypatch.setattr(Sayso, "collections", broken)
    found = api.problem("unavailable", "GET", "/collections")
    assert SECRET not in str(found)
    assert [each for each in caplog.records if each.levelno == logging.ERROR]


def test_each_kind_has_a_page(api: Api) -> None:
    index = api("GET", "/problems/", 200).text
    for kind in kinds.KINDS.values():
        assert kind.type in index
        page = api("GET", kind.type.removeprefix("/v1"), 200)
        assert kind.title in page.text
        assert page.headers["content-type"].startswith("text/plain")
    api.problem("problem-not-found", "GET", "/problems/none")


def test_each_kind_is_described_where_it_may_come() -> None:
    told = json.dumps(DESCRIPTION)
    elsewhere = {"not-found", "method-not-allowed", "problem-not-found"}
    assert {kind.name for kind in kinds.KINDS.values() if f"{kind.type}`" not in told} == elsewhere


_names = st.sampled_from(["club", "none", "a b", "ä", "%2e%2e", "%00", "x" * 300, SECRET])
_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.just(SECRET),
    st.just({SECRET: SECRET}),
    st.just([SECRET]),
)


def _members() -> list[str]:
    schemas = DESCRIPTION["components"]["schemas"].values()
    return sorted({name for each in schemas for name in each.get("properties", ())})


def _operations() -> list[tuple[str, str]]:
    paths = DESCRIPTION["paths"].items()
    return [(method.upper(), path) for path, item in paths for method in item]


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, Any]]:
    """Draw a request that mostly makes no sense."""
    method, path = draw(st.sampled_from(_operations()))
    for part in ("collection", "subject", "user", "purpose", "face", "key"):
        path = path.replace(f"{{{part}}}", draw(_names))
    options: dict[str, Any] = {}
    if method != "GET":
        document = draw(st.dictionaries(st.sampled_from(_members()), _values, max_size=4))
        text = json.dumps(document)
        options["content"] = draw(
            st.sampled_from([text.encode(), text[:-1].encode(), b"", SECRET.encode(), b"\xff"])
        )
        kind = draw(
            st.sampled_from(
                ["application/json", "application/json; charset=x", "text/plain", "image/png",
                 "multipart/form-data; boundary=a", "multipart/form-data", ""]
            )
        )  # fmt: skip
        options["headers"] = {"Content-Type": kind}
    if draw(st.booleans()):
        options["params"] = {draw(st.sampled_from(["limit", "cursor", "face", "x"])): SECRET}
    return method, path.removeprefix("/v1"), options


@settings(max_examples=500, deadline=None)
@given(requests())
def test_nothing_that_is_sent_breaks_it_or_comes_back(
    shared: Api, request: tuple[str, str, dict[str, Any]]
) -> None:
    method, path, options = request
    response = shared(method, path, **options)  # held against the description by the client
    assert response.status_code < 500
    if response.status_code == 422 and SECRET not in path:
        told = [each["message"] for each in response.json().get("errors", [])]
        assert SECRET not in "".join(told)


@settings(max_examples=50, deadline=None)
@given(name=st.text(max_size=200))
def test_a_member_that_is_not_known_is_named_and_cut_short(shared: Api, name: str) -> None:
    body = json.dumps({"collection": "club", name: SECRET}, ensure_ascii=True)
    headers = {"Content-Type": "application/json"}
    found = shared("POST", "/collections", content=body, headers=headers)
    assert SECRET not in found.text
    assert len(found.text) < 2000
