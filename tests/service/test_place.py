"""The service below a path of its host, behind proxies that keep the path and that take it away."""

from __future__ import annotations

import contextvars
import http.client
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError

from sayso.service import place, sessions
from tests.service.process import PATIENCE, ServerProcess, serving

PREFIX = "/faces"
PAGES = ("", "start", "look", "publish", "people", "collections", "keys", "audit", "reports")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model_data: Path) -> Iterator[ServerProcess]:
    data = tmp_path_factory.mktemp("placed")
    (data / "models").symlink_to(model_data / "models", target_is_directory=True)
    with serving(data, "--sign-in-link", public_url=f"http://example.org{PREFIX}/") as started:
        yield started
        assert started.stop() == 0
        assert "Traceback" not in started.log


def proxy(server: ServerProcess, *, strip: bool) -> ThreadingHTTPServer:
    """A proxy that passes on what is below the prefix, as nginx does with and without a slash."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def pass_on(self) -> None:
            path = self.path
            if strip:
                path = path.removeprefix(PREFIX) or "/"
            size = int(self.headers.get("Content-Length", 0))
            upstream = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
            upstream.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(self.rfile.read(size))
            answer = upstream.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"transfer-encoding", "connection", "date"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            upstream.close()

        do_GET = do_POST = do_PUT = do_DELETE = pass_on  # noqa: N815 - what the library calls

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture(scope="module", params=["kept", "taken away"])
def proxied(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[ServerProcess]:
    """The service as clients reach it, at an address with the prefix."""
    running = proxy(server, strip=request.param != "kept")
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield replace(server, url=f"http://127.0.0.1:{running.server_address[1]}{PREFIX}")
    running.shutdown()
    running.server_close()


def test_aws_clients_sign_the_path(proxied: ServerProcess) -> None:
    rekognition = proxied.rekognition()
    rekognition.create_collection(CollectionId="placed")
    assert "placed" in rekognition.list_collections()["CollectionIds"]
    rekognition.delete_collection(CollectionId="placed")
    key, secret = proxied.key()
    with pytest.raises(ClientError, match="what it signed was changed"):
        proxied.rekognition((key, secret[::-1])).list_collections()


def test_a_slash_at_the_end_of_the_path_is_signed_too(proxied: ServerProcess) -> None:
    slashed = replace(proxied, url=f"{proxied.url}/")
    assert slashed.rekognition().list_collections()["CollectionIds"] is not None


def test_another_path_than_was_signed_is_refused(server: ServerProcess) -> None:
    rekognition = replace(server, url=f"{server.url}{PREFIX}").rekognition()

    def elsewhere(request: object, **_: object) -> None:
        request.url = request.url.replace(PREFIX, f"{PREFIX}/")  # type: ignore[attr-defined]

    rekognition.meta.events.register("before-send.rekognition", elsewhere)
    with pytest.raises(ClientError, match="what it signed was changed"):
        rekognition.list_collections()


def test_what_the_api_names_is_below_the_path(proxied: ServerProcess) -> None:
    described = proxied.get("/v1/openapi.json").json()
    assert described["servers"] == [{"url": PREFIX}]
    made = httpx.post(
        f"{proxied.url}/v1/collections", json={"collection": "named"}, headers=proxied.bearer
    )
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"{PREFIX}/v1/collections/named"
    listed = proxied.get("/v1/keys?limit=1", headers=proxied.bearer)
    assert listed.status_code == 200
    place = f"{proxied.url}/v1/collections/named"
    assert httpx.delete(place, headers=proxied.bearer).status_code in {200, 204}
    assert proxied.get("/v1/").headers["location"] == f"{PREFIX}/v1/docs"
    assert proxied.get("/v1/docs").status_code == 200
    assert proxied.get("/readyz").status_code in {200, 503}


def test_every_address_of_the_console_is_below_the_path(proxied: ServerProcess) -> None:
    origin = proxied.url.removesuffix(PREFIX)
    with httpx.Client(base_url=origin, follow_redirects=True, timeout=PATIENCE) as browser:
        asked = browser.get(f"{PREFIX}/console/people?collection=x")
        assert asked.url.path == f"{PREFIX}/console/sign-in"
        door = browser.get(PREFIX, headers={"Accept": "text/html"})
        assert door.url.path == f"{PREFIX}/console/sign-in"
        key, secret = proxied.key()
        fields = {"key": key, "secret": secret, "next": f"{PREFIX}/console/keys"}
        came = browser.post(f"{PREFIX}/console/sign-in", data=fields)
        assert came.url.path == f"{PREFIX}/console/keys", came.text
        assert [each.path for each in browser.cookies.jar] == [PREFIX]
        for page in PAGES:
            shown = browser.get(f"{PREFIX}/console/{page}")
            assert shown.status_code == 200, page
            found = re.findall(r'(?:href|src|action)="(/[^"]*)"', shown.text)
            assert found
            assert [each for each in found if not each.startswith(f"{PREFIX}/")] == [], page
            for asset in (each for each in found if "/static/" in each):
                assert browser.get(asset).status_code == 200, asset


def test_without_the_path_it_answers_too(server: ServerProcess) -> None:
    """This machine's own checks need not know of the proxy."""
    assert server.get("/healthz").status_code == 200
    assert server.rekognition().list_collections()["CollectionIds"] is not None
    link = re.search(r"http://\S+#", server.output)
    assert link
    assert link[0] == f"http://example.org{PREFIX}/console/enter#"


def test_a_cookie_is_for_the_path_alone() -> None:
    def below() -> tuple[str, str | None]:
        place._PREFIX.set(PREFIX)
        given = sessions.cookie("token", secure=True)
        sent = given.partition(";")[0]
        return given, sessions.token_of({"cookie": sent}, secure=True)

    given, read = contextvars.Context().run(below)
    assert given.startswith("__Secure-sayso-session=token; Path=/faces; HttpOnly; SameSite=Strict")
    assert read == "token"
    assert sessions.cookie("token", secure=True).startswith("__Host-sayso-session=token; Path=/;")
