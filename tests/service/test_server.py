from __future__ import annotations

import datetime as dt
import ipaddress
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import sayso
from sayso.errors import SaysoError
from sayso.service.server import ServerError, bound, port_of, tls_context, url_of, warning_of
from sayso.settings import ServiceSettings
from tests.service.process import (
    PATIENCE,
    ServerProcess,
    answer,
    keep_sending,
    serving,
    settled,
    until,
)

SLOW = 1.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model_data: Path) -> Path:
    """A data folder for all tests of this module."""
    data = tmp_path_factory.mktemp("served")
    (data / "models").symlink_to(model_data / "models", target_is_directory=True)
    return data


@pytest.fixture(scope="module")
def impatient(folder: Path) -> Iterator[ServerProcess]:
    """A server that waits for nothing for long."""
    with serving(folder, header_timeout=SLOW, body_timeout=SLOW, max_body_bytes=2048) as server:
        server.ready()
        yield server
        # Whatever the tests did to it, it still ends well.
        assert server.stop() == 0
        assert "Traceback" not in server.log
        assert not [line for line in server.lines if line["level"] == "error"]


# --- the first start ---------------------------------------------------------------------------


def test_the_first_start_shows_a_key_that_works_and_the_second_none(data_dir: Path) -> None:
    with serving(data_dir) as server:
        key, secret = server.key()
        assert server.rekognition().list_collections()["CollectionIds"] == []
        assert f'"Authorization: Bearer {key}.{secret}"' in server.output
        assert "as with Amazon Rekognition, but for IndexFaces" in server.output
        assert "--purpose and --attestation" in server.output
        assert server.get("/v1/collections", headers=server.bearer).status_code == 200
        assert server.get("/v1/collections").status_code == 401
        assert f"sayso keys revoke {key}" in server.output
        assert server.stop() == 0
        assert secret not in server.log
    with serving(data_dir) as again:
        assert "secret" not in again.output
        assert again.rekognition((key, secret)).list_collections()["CollectionIds"] == []


def test_a_first_key_with_an_attestation_enrols_as_with_amazon(
    data_dir: Path, portrait: Path
) -> None:
    options = ("--purpose", "photo-delivery", "--attestation", "form 17 is signed at the desk")
    picture = {"Bytes": portrait.read_bytes()}
    with serving(data_dir, *options) as server:
        assert "but for IndexFaces" not in server.output
        rekognition = server.rekognition()
        rekognition.create_collection(CollectionId="club")
        rekognition.index_faces(CollectionId="club", Image=picture, ExternalImageId="eileen")
        (found,) = rekognition.search_faces_by_image(CollectionId="club", Image=picture)[
            "FaceMatches"
        ]
        assert found["Face"]["ExternalImageId"] == "eileen"
        assert server.stop() == 0
    with serving(data_dir, *options) as again:
        assert again.stop() == 0
        assert "make another key" in again.log


# --- the end -----------------------------------------------------------------------------------


BODY = b'{"collection": "begun"}'


def begin_request(server: ServerProcess) -> socket.socket:
    """Send a request up to the last byte of its body, which the service then waits for."""
    sent = {
        "Host": "x",
        "Content-Type": "application/json",
        "Content-Length": str(len(BODY)),
        **server.bearer,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    connection = server.connect()
    connection.sendall(f"POST /v1/collections HTTP/1.1\r\n{head}\r\n".encode() + BODY[:-1])
    assert server.get("/healthz").status_code == 200  # by then the other one was heard, too
    return connection


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_that_was_begun_is_finished(data_dir: Path, number: int) -> None:
    with serving(data_dir) as server:
        with begin_request(server) as connection:
            server.signal(number)
            until(server.refuses_connections)
            time.sleep(0.3)
            connection.sendall(BODY[-1:])
            answered = answer(connection)
        assert answered.startswith(b"HTTP/1.1 201 Created\r\n")
        assert server.wait() == 0
    with sayso.open(data_dir) as app:
        assert [each.name for each in app.collections()] == ["begun"]


def test_work_that_runs_or_waits_is_finished(data_dir: Path, wider: Path) -> None:
    picture = max(wider.rglob("*.jpg"), key=lambda path: path.stat().st_size).read_bytes()
    with serving(data_dir, workers=1) as server:
        server.ready()
        url, headers = server.url + "/v1/faces", server.bearer | {"Content-Type": "image/jpeg"}
        answers: list[httpx.Response] = []

        def ask() -> None:
            answers.append(httpx.post(url, content=picture, headers=headers, timeout=PATIENCE))

        asking = [threading.Thread(target=ask) for _ in range(4)]
        for each in asking:
            each.start()
        until(
            lambda: 'sayso_work_waiting{line="heavy",pace="batch"} 3' in server.get("/metrics").text
        )
        server.signal(signal.SIGTERM)
        for each in asking:
            each.join(PATIENCE)
        assert server.wait() == 0
        assert [each.status_code for each in answers] == [200] * 4
        assert all(each.json()["faces"] for each in answers)


def test_a_second_signal_ends_it_at_once(data_dir: Path) -> None:
    with serving(data_dir) as server, begin_request(server):
        server.signal(signal.SIGTERM)
        until(server.refuses_connections)
        assert server.process.poll() is None
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 1
        assert time.monotonic() - began < 5


def test_it_waits_only_so_long_for_what_was_begun(data_dir: Path) -> None:
    with serving(data_dir, shutdown_timeout=1) as server, begin_request(server) as connection:
        began = time.monotonic()
        assert server.stop() == 1
        assert 1 <= time.monotonic() - began < 10
        assert answer(connection).startswith(b"HTTP/1.1 503")
        assert not [line for line in server.lines if "ASGI" in line["message"]]


# --- slow and broken clients -------------------------------------------------------------------


HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("sent", [b"", b"GE", HEAD, b"\r\n", HEAD + b"\r\nGET /he"])
def test_a_client_whose_headers_do_not_come_is_cut_while_others_are_served(
    impatient: ServerProcess, sent: bytes
) -> None:
    with impatient.connect() as slow:
        began = time.monotonic()
        slow.sendall(sent)
        while time.monotonic() - began < SLOW / 2:
            assert impatient.get("/healthz").status_code == 200
        answered = answer(slow)
        assert SLOW / 2 < time.monotonic() - began < SLOW + 3
    assert answered.count(b"HTTP/1.1") == sent.count(b"\r\n\r\n")


def test_a_client_that_drips_its_headers_is_cut_too(impatient: ServerProcess) -> None:
    began = time.monotonic()
    with impatient.connect() as slow:
        slow.sendall(HEAD)
        with pytest.raises(ConnectionError):
            keep_sending(slow, b"X-A: b\r\n", pause=0.05, patience=SLOW + 5)
    assert time.monotonic() - began < SLOW + 4


@pytest.mark.parametrize("path", ["/", "/v1/collections"])
def test_a_client_whose_body_does_not_come_is_told_and_cut(
    impatient: ServerProcess, path: str
) -> None:
    key, secret = impatient.key()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {key}.{secret}\r\n\r\n{{"
    )
    with impatient.connect() as slow:
        began = time.monotonic()
        slow.sendall(head.encode())
        answered = answer(slow)
        assert time.monotonic() - began < SLOW + 3
    assert answered.startswith((b"HTTP/1.1 408", b"HTTP/1.1 400")), answered
    assert b"Traceback" not in answered


def test_a_body_that_goes_on_after_it_was_answered_is_cut(impatient: ServerProcess) -> None:
    began = time.monotonic()
    with impatient.connect() as slow:
        slow.sendall(b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert slow.recv(12) == b"HTTP/1.1 405"
        with pytest.raises(ConnectionError):
            keep_sending(slow, b"x", pause=0.05, patience=SLOW + 5)
    assert time.monotonic() - began < SLOW + 4


def test_a_client_that_does_not_read_is_cut(impatient: ServerProcess) -> None:
    with impatient.connect() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # As much as no buffer on the way takes.
        slow.sendall(b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 16)
        with pytest.raises(ConnectionError):
            keep_sending(slow, b"\r\n", pause=0.05, patience=PATIENCE)


def test_a_client_that_does_not_wait_for_answers_is_cut(impatient: ServerProcess) -> None:
    with impatient.connect() as hasty:
        hasty.settimeout(PATIENCE)
        with pytest.raises(ConnectionError):
            keep_sending(hasty, (HEAD + b"\r\n") * 1000, pause=0, patience=PATIENCE)


def test_headers_without_end_are_refused(impatient: ServerProcess) -> None:
    with impatient.connect() as client:
        client.sendall(HEAD)
        try:
            for _ in range(40):
                client.sendall(b"X-A: " + b"b" * 4000 + b"\r\n")
        except ConnectionError:
            return
        assert answer(client).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET http://%zz HTTP/1.1\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(impatient: ServerProcess, sent: bytes) -> None:
    with impatient.connect() as client:
        client.sendall(sent)
        assert answer(client).startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("path", ["/", "/v1/collections"])
def test_a_body_over_the_limit_is_told(impatient: ServerProcess, path: str) -> None:
    answered = httpx.post(impatient.url + path, content=b"x" * 4000, timeout=PATIENCE)
    assert answered.status_code == 413
    assert answered.headers["connection"] == "close"


def test_there_are_only_so_many_connections_and_health_is_told_all_the_same(folder: Path) -> None:
    # More than there are by far: those beyond the limit, too, would hold what there is.
    with serving(folder, header_timeout=PATIENCE, address_connections=10) as server:
        server.ready()
        held = [server.connect() for _ in range(200)]
        try:
            until(lambda: answer_of(server, "/").startswith(b"HTTP/1.1 503"), patience=5)
            for path in ("/healthz", "/readyz", "/metrics"):
                for _ in range(5):
                    assert answer_of(server, path).startswith(b"HTTP/1.1 200"), path
            assert answer_of(server, "/v1/docs").startswith(b"HTTP/1.1 503")
        finally:
            for each in held:
                each.close()
        until(lambda: answer_of(server, "/").startswith(b"HTTP/1.1 200"))
        assert server.stop() == 0
        assert "Traceback" not in server.log


def answer_of(server: ServerProcess, path: str) -> bytes:
    with server.connect() as one_more:
        one_more.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return answer(one_more)


# --- TLS ---------------------------------------------------------------------------------------


def certificate(folder: Path, name: str, password: bytes | None = None) -> tuple[Path, Path]:
    """A certificate of this machine's that it signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return files


def test_tls_is_spoken_and_nothing_else(data_dir: Path, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "server")
    options = ("--tls-cert", str(cert), "--tls-key", str(key))
    with serving(data_dir, *options, header_timeout=SLOW) as server:
        assert server.url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(cert))
        answered = server.get("/healthz", verify=context)
        assert answered.json() == {"status": "ok"}
        assert "max-age" in answered.headers["strict-transport-security"]
        with server.connect() as plain:
            plain.sendall(HEAD + b"\r\n")
            assert b"200 OK" not in answer(plain)
        began = time.monotonic()
        with server.connect() as silent:  # not even a handshake
            assert answer(silent) == b""
        assert time.monotonic() - began < SLOW + 3
        assert server.stop() == 0


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "one")
    other, locked = certificate(tmp_path, "other", b"password")
    (tmp_path / "text.pem").write_text("no certificate")
    pairs = [(cert, locked), (other, key), (tmp_path / "text.pem", key), (tmp_path / "no", key)]
    for one, two in pairs:
        settings = ServiceSettings(tls_cert=one, tls_key=two)
        with pytest.raises(ServerError, match=r"TLS|SAYSO_TLS_CERT=.*/no'"):
            tls_context(settings)
    assert tls_context(ServiceSettings()) is None
    assert tls_context(ServiceSettings(tls_cert=cert, tls_key=key)) is not None


# --- where it listens --------------------------------------------------------------------------


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "sayso", "serve", "--port", str(port)],
            env=settled({"SAYSO_DATA": str(tmp_path / "data")}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert told.startswith(f"sayso: port {port} of 127.0.0.1 is in use: ")
    assert done.stdout == ""
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_told(host: str) -> None:
    with (
        pytest.raises(SaysoError, match=f"{host} is no address"),
        bound(ServiceSettings(host=host)),
    ):
        pytest.fail("it listens")


def test_sockets_are_closed_in_the_end() -> None:
    with bound(ServiceSettings(port=0)) as sockets:
        port = port_of(sockets)
        assert port > 0
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.parametrize(
    ("host", "safe"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("faces.example.org", False),
    ],
)
def test_who_can_be_overheard_is_warned(host: str, safe: bool) -> None:
    warning = warning_of(ServiceSettings(host=host))
    assert (warning is None) is safe
    assert safe or host in str(warning)
    encrypted = ServiceSettings(host=host, tls_cert=Path("c"), tls_key=Path("k"))
    assert warning_of(encrypted) is None


def test_an_address_is_written_so_that_it_can_be_opened() -> None:
    everywhere = ServiceSettings(host="0.0.0.0")
    assert url_of(everywhere, 1) == "http://0.0.0.0:1"
    assert url_of(everywhere, 1, everywhere="localhost") == "http://localhost:1"
    assert url_of(ServiceSettings(host="::1"), 1) == "http://[::1]:1"


def test_everybody_may_reach_it_if_somebody_said_so(data_dir: Path) -> None:
    with serving(data_dir, "--host", "0.0.0.0") as server:
        assert "without TLS" in server.log
        assert server.url.startswith("http://0.0.0.0:")
        assert 'endpoint_url="http://localhost:' in server.output
        assert server.get("/healthz").status_code == 200
        assert server.get("/metrics").status_code == 401
        answered = server.get("/metrics", headers=server.bearer)
        assert answered.status_code == 200
        assert "sayso_requests_total" in answered.text
