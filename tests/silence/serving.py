"""Serves a gallery, and asks it as each kind of client does; in one network, which may be its own.

Of all this the server alone is watched: clients look for much.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.service.process import PATIENCE, ServerProcess, serving

PAGES = ("", "look", "publish", "people", "collections", "keys", "audit", "reports")


def main() -> None:
    data, portrait, os.environ["WATCHED"] = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    with serving(data, "--sign-in-link") as server:
        server.ready()
        _by_command(data, server)
        _by_rest(server, portrait)
        _by_wire(server, portrait)
        _by_browser(server)
        assert server.stop() == 0, server.log


def _by_command(data: Path, server: ServerProcess) -> None:
    """The one command that asks the service; it is watched, too."""
    port = str(server.address[1])
    command = [sys.executable, "-m", "sayso", "ready", "--port", port]
    subprocess.run(command, env=os.environ | {"SAYSO_DATA": str(data)}, check=True)


def _by_rest(server: ServerProcess, portrait: Path) -> None:
    for path in ("/", "/healthz", "/metrics", "/v1/docs", "/v1/openapi.json", "/v1/problems/"):
        assert server.get(path).status_code == 200, path
    assert server.get("/v1/collections", headers=server.bearer).status_code == 200
    assert server.get("/v1/collections").status_code == 401
    found = httpx.post(
        f"{server.url}/v1/faces",
        content=portrait.read_bytes(),
        headers={**server.bearer, "Content-Type": "image/png"},
        timeout=PATIENCE,
    )
    assert found.status_code == 200, found.text


def _by_wire(server: ServerProcess, portrait: Path) -> None:
    rekognition = server.rekognition()
    rekognition.create_collection(CollectionId="wire")
    picture = {"Bytes": portrait.read_bytes()}
    assert rekognition.search_faces_by_image(CollectionId="wire", Image=picture)


def _by_browser(server: ServerProcess) -> None:
    link = re.search(r"/console/enter#(\S+)", server.output)
    assert link, server.output
    with httpx.Client(base_url=server.url, follow_redirects=True, timeout=PATIENCE) as browser:
        assert browser.post("/console/enter", data={"token": link[1]}).status_code == 200
        for page in PAGES:
            assert browser.get(f"/console/{page}").status_code == 200, page
        shown = browser.get("/console/start").text
        token = re.search(r'name="csrf" value="([^"]+)"', shown)
        assert token, shown
        for deed in ("enrol", "look", "publish"):
            done = browser.post("/console/start", data={"csrf": token[1], "do": deed})
            assert done.status_code == 200, done.text


if __name__ == "__main__":
    main()
