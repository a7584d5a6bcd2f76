from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError

from sayso.core import Sayso
from sayso.models.registry import load_registry
from sayso.service.app import is_loopback
from tests.service.process import PATIENCE, ServerProcess, serving
from tests.vision.hostile import scans


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model_data: Path) -> Iterator[ServerProcess]:
    data = tmp_path_factory.mktemp("served")
    (data / "models").symlink_to(model_data / "models", target_is_directory=True)
    with serving(data, failed_sign_ins=10_000) as started:
        started.ready()
        yield started
        assert started.stop() == 0


def test_whoever_comes_by_is_told_what_this_is(server: ServerProcess) -> None:
    answered = server.get("/")
    assert answered.status_code == 200
    assert answered.headers["content-type"].startswith("text/plain")
    for path in ("/v1/docs", "/healthz", "/readyz", "/metrics"):
        assert path in answered.text
        assert server.get(path).status_code == 200
    assert "uvicorn" not in str(answered.headers)


def test_both_sides_answer_the_same_key_about_the_same_gallery(server: ServerProcess) -> None:
    server.rekognition().create_collection(CollectionId="both-sides")
    answered = server.get("/v1/collections", headers=server.bearer)
    assert "both-sides" in answered.text
    server.rekognition().delete_collection(CollectionId="both-sides")
    assert "both-sides" not in server.get("/v1/collections", headers=server.bearer).text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/", 405),
        ("POST", "/healthz", 405),
        ("POST", "/metrics", 405),
    ],
)
def test_what_is_not_here_is_a_problem(
    server: ServerProcess, method: str, path: str, status: int
) -> None:
    answered = httpx.request(method, server.url + path, headers=server.bearer, timeout=PATIENCE)
    assert answered.status_code == status
    assert answered.headers["content-type"] == "application/problem+json"
    problem = answered.json()
    assert problem["status"] == status
    assert problem["request_id"] == answered.headers["x-request-id"]
    if status == 405:
        assert "GET" in answered.headers["allow"]


def test_every_answer_has_an_id_of_its_own_and_headers_for_safety(server: ServerProcess) -> None:
    paths = ["/", "/healthz", "/nothing", "/v1/collections", "/v1/docs"]
    answers = [server.get(path) for path in paths]
    assert len({each.headers["x-request-id"] for each in answers}) == len(paths)
    for each in answers:
        assert each.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in each.headers["content-security-policy"]
        assert each.headers["referrer-policy"] == "no-referrer"
        assert "server" not in each.headers
    with pytest.raises(ClientError) as caught:
        server.rekognition().describe_collection(CollectionId="nothing")
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-request-id"] == headers["x-amzn-requestid"]


def test_what_was_asked_and_found_is_counted(server: ServerProcess, portrait: Path) -> None:
    found = server.rekognition().detect_faces(Image={"Bytes": portrait.read_bytes()})
    assert len(found["FaceDetails"]) == 1
    counted = [line for line in server.get("/metrics").text.splitlines() if "DetectFaces" in line]
    assert any(line.startswith("sayso_requests_total{") for line in counted), counted
    assert any(line.startswith("sayso_faces_total{") for line in counted), counted


NAME, SECRET_LOOKING = "ada-lovelace", "x-very-secret-text"


def test_nothing_personal_is_logged(server: ServerProcess, portrait: Path) -> None:
    client, picture = server.rekognition(), portrait.read_bytes()
    client.create_collection(CollectionId="logged")
    with pytest.raises(ClientError):
        client.index_faces(CollectionId="logged", Image={"Bytes": picture}, ExternalImageId=NAME)
    client.detect_faces(Image={"Bytes": picture})
    headers = server.bearer
    server.get(f"/v1/collections/logged/subjects/{NAME}", headers=headers)
    server.get(f"/{NAME}", params={"q": NAME}, headers={"X-Told": NAME})
    server.get("/v1/collections", params={"q": NAME}, headers=headers)
    raw = headers | {"Content-Type": "image/png"}
    httpx.post(server.url + "/v1/faces", content=picture, headers=raw, timeout=PATIENCE)
    httpx.post(server.url, content=NAME, headers={"X-Amz-Target": NAME}, timeout=PATIENCE)
    httpx.request(NAME.upper(), server.url + "/v1/collections", timeout=PATIENCE)
    wrong = {"Authorization": f"Bearer {server.key()[0]}.{SECRET_LOOKING}"}
    assert server.get("/v1/collections", headers=wrong).status_code == 401
    server.get("/healthz")
    requests = [line for line in server.lines if line["message"] == "request"]
    assert len(requests) > 9
    log = server.log.casefold()
    for hidden in (NAME, SECRET_LOOKING, server.key()[1], "127.0.0.1", "logged"):
        assert hidden.casefold() not in log
    assert base64.b64encode(picture)[:40].decode().casefold() not in log
    # But what is needed to look into something is there.
    detected = [line for line in requests if "DetectFaces" in line["route"]]
    assert detected
    assert all(line["key"] == server.key()[0] for line in detected)
    assert all(line["bytes_in"] > len(picture) for line in detected)


def test_until_it_is_ready_it_says_why_and_answers_what_needs_no_models(
    tmp_path: Path,
) -> None:
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for model in load_registry().values():
        (wrong / model.file).write_bytes(b"no model")
    with serving(tmp_path / "data", model_dir=wrong) as server:
        answered = server.get("/readyz")
        assert answered.status_code == 503
        assert answered.json()["status"] == "not ready"
        assert str(tmp_path) not in answered.text
        assert server.get("/healthz").json() == {"status": "ok"}
        assert server.get("/v1/collections", headers=server.bearer).status_code == 200
        assert server.stop() == 0


def test_metrics_are_for_auditors_where_others_can_ask(data_dir: Path) -> None:
    with Sayso(data_dir) as app:
        keys = {
            action: app.create_key("a", purpose="door", actions=[action])
            for action in ("search", "audit")
        }

    def ask(server: ServerProcess, made: str, secret: str = "") -> int:
        key = keys[made]
        token = f"{key.key.id}.{secret or key.secret}"
        return server.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code

    with serving(data_dir, "--host", "0.0.0.0", failed_sign_ins=3) as server:
        assert ask(server, "audit") == 200
        assert ask(server, "search") == 403
        assert [ask(server, "audit", "wrong") for _ in range(5)] == [401, 401, 401, 429, 429]
        assert server.get("/metrics").status_code == 401
    with Sayso(data_dir) as app:
        refused = app.audit_entries(kind="call-refused")
        assert len(refused) == 3  # what was not even looked at is not in the log
    with serving(data_dir, "--host", "0.0.0.0", metrics_public=1) as server:
        assert server.get("/metrics").status_code == 200


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("::ffff:192.0.2.1", False),
        ("localhost.example.org", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(host: str, answer: bool) -> None:
    assert is_loopback(host) is answer


def test_the_settings_of_the_log_are_kept(data_dir: Path) -> None:
    with serving(data_dir, log_level="error") as server:
        server.get("/healthz")
        assert server.stop() == 0
        assert server.lines == []


def test_every_line_of_the_log_is_json(server: ServerProcess) -> None:
    lines = [line for line in server.err if not line.startswith("sayso: a master key was made")]
    assert lines
    assert all(json.loads(line) for line in lines)


def test_a_browser_is_led_from_the_root_to_the_console(server: ServerProcess) -> None:
    answered = server.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert answered.status_code == 307
    assert answered.headers["location"] == "/console/"


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_pictures_are_decoded_in_a_process_that_may_break(
    server: ServerProcess, portrait: Path
) -> None:
    def found() -> int:
        answered = httpx.post(
            f"{server.url}/v1/faces",
            content=portrait.read_bytes(),
            headers={**server.bearer, "Content-Type": "image/png"},
            timeout=PATIENCE,
        )
        assert answered.status_code == 200, answered.text
        return len(answered.json()["faces"])

    assert found() == 1
    (decoder,) = children_of(server.process.pid)
    assert b"sayso.vision.decoding" in Path(f"/proc/{decoder}/cmdline").read_bytes()
    os.kill(decoder, signal.SIGSEGV)
    assert found() == 1
    assert decoder not in children_of(server.process.pid)


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started, those that have ended among them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def test_a_picture_of_thousands_of_scans_is_refused_on_both_sides(server: ServerProcess) -> None:
    bomb = scans(5_000)
    answered = httpx.post(
        f"{server.url}/v1/faces",
        content=bomb,
        headers={**server.bearer, "Content-Type": "image/jpeg"},
        timeout=PATIENCE,
    )
    assert answered.status_code == 413
    assert answered.json()["type"] == "/v1/problems/picture-too-costly"
    with pytest.raises(ClientError) as refused:
        server.rekognition().detect_faces(Image={"Bytes": bomb})
    assert refused.value.response["Error"]["Code"] == "ImageTooLargeException"
