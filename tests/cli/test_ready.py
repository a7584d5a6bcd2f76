"""``sayso ready``: the service of this gallery, and no other one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import sayso
from tests.cli.conftest import Cli
from tests.service.process import serving

ELSE = "something else than the service of this gallery answers"


@pytest.fixture
def impostor() -> Iterator[str]:
    """The port of a program that answers as a service would."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            body = b'{"status":"ready","proof":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield str(running.server_address[1])
    running.shutdown()
    running.server_close()


def test_another_program_is_not_taken_for_the_service(recognising: Cli, impostor: str) -> None:
    # However long it might wait: it says so at once, which a hang here would show.
    outcome = recognising("ready", "--port", impostor, "--wait", "3600")
    assert outcome.status == 1
    assert ELSE in outcome.err
    assert "SAYSO_PORT" in outcome.err


def test_where_nothing_answers_that_is_said(recognising: Cli) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        outcome = recognising("ready", "--port", str(free.getsockname()[1]), "--wait", "0.3")
    assert outcome.status == 1
    assert "nothing answers there; see what sayso serve says" in outcome.err


def test_it_waits_for_the_service_of_this_gallery_alone(
    recognising: Cli, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(data_dir) as server:
        port = str(server.address[1])
        outcome = recognising("ready", "--port", port, "--wait", "120")
        assert outcome.status == 0, outcome.err
        assert outcome.out == f"ready at http://127.0.0.1:{port}\n"
        # A proof is for one challenge, and nobody but who has the keys can check it.
        told = server.get("/readyz", params={"challenge": "A" * 22}).json()
        assert set(told) == {"status", "proof"}
        assert server.get("/readyz", params={"challenge": "<"}).json() == {"status": "ready"}
        assert server.get("/readyz").json() == {"status": "ready"}
        sayso.open(tmp_path / "other").close()
        monkeypatch.setenv("SAYSO_DATA", str(tmp_path / "other"))
        refused = recognising("ready", "--port", port)
        assert refused.status == 1
        assert ELSE in refused.err
