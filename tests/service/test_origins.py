"""Which pages of other origins may call the REST API from a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.process import PATIENCE, ServerProcess, serving

LISTED, OTHER = "https://app.example.org", "https://evil.example.org"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model_data: Path) -> Iterator[ServerProcess]:
    data = tmp_path_factory.mktemp("origins")
    (data / "models").symlink_to(model_data / "models", target_is_directory=True)
    with serving(
        data, cors_origins=f"{LISTED}, http://localhost:5173", max_body_bytes=2048
    ) as started:
        yield started
        assert started.stop() == 0


def ask(server: ServerProcess, method: str, path: str, **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, server.url + path, headers=given, timeout=PATIENCE)


def allowed(answer: httpx.Response) -> str | None:
    assert "access-control-allow-credentials" not in answer.headers
    found: str | None = answer.headers.get("access-control-allow-origin")
    return found


@pytest.mark.parametrize("origin", [LISTED, "http://localhost:5173"])
def test_a_preflight_is_answered_without_a_key(server: ServerProcess, origin: str) -> None:
    answer = ask(server, "OPTIONS", "/v1/faces", Origin=origin, **PREFLIGHT)
    assert answer.status_code == 204
    assert allowed(answer) == origin
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "sayso" not in answer.headers["access-control-allow-headers"].lower()
    assert answer.headers["x-request-id"]


def test_answers_and_refusals_may_be_read(server: ServerProcess) -> None:
    bearer = server.bearer["Authorization"]
    answer = ask(server, "GET", "/v1/collections", Origin=LISTED, Authorization=bearer)
    assert (answer.status_code, allowed(answer)) == (200, LISTED)
    assert "ETag" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]
    for method, path, status in (
        ("GET", "/v1/collections", 401),
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/faces", 401),
    ):
        refused = ask(server, method, path, Origin=LISTED)
        assert (refused.status_code, allowed(refused)) == (status, LISTED)
    large = httpx.post(
        f"{server.url}/v1/faces", content=bytes(5000), headers={"Origin": LISTED}, timeout=PATIENCE
    )
    assert (large.status_code, allowed(large)) == (413, LISTED)


@pytest.mark.parametrize("origin", [OTHER, "null", f"{LISTED}.evil.org", f"{LISTED}:8443"])
def test_others_are_told_nothing(server: ServerProcess, origin: str) -> None:
    preflight = ask(server, "OPTIONS", "/v1/faces", Origin=origin, **PREFLIGHT)
    assert preflight.status_code >= 400
    assert allowed(preflight) is None
    bearer = server.bearer["Authorization"]
    answer = ask(server, "GET", "/v1/collections", Origin=origin, Authorization=bearer)
    assert allowed(answer) is None
    assert "Origin" in answer.headers["vary"]


def test_the_rest_of_the_service_is_for_no_other_page(server: ServerProcess) -> None:
    for path in ("/", "/healthz", "/metrics", "/console/sign-in"):
        assert allowed(ask(server, "GET", path, Origin=LISTED)) is None
        assert allowed(ask(server, "OPTIONS", path, Origin=LISTED, **PREFLIGHT)) is None


def test_cookies_of_the_console_are_not_taken_from_another_page(server: ServerProcess) -> None:
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as browser:
        key, secret = server.key()
        browser.post("/console/sign-in", data={"key": key, "secret": secret})
        assert browser.get("/v1/collections").status_code == 200
        answer = browser.get("/v1/collections", headers={"Origin": LISTED})
        assert (answer.status_code, allowed(answer)) == (401, LISTED)


def test_it_is_off_unless_set(tmp_path: Path, data_dir: Path) -> None:
    with serving(data_dir) as plain:
        answer = ask(plain, "OPTIONS", "/v1/faces", Origin=LISTED, **PREFLIGHT)
        assert answer.status_code >= 400
        assert allowed(answer) is None
        assert "vary" not in answer.headers
        assert plain.stop() == 0
