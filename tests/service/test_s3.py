"""Objects of buckets: what is read, what is refused, and that nothing leaves its bucket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from sayso.errors import PictureTooLarge
from sayso.service import s3
from sayso.service.s3 import ObjectUnavailable, read_object
from sayso.settings import Bucket, EndpointBucket, FolderBucket

LIMIT = 1000
SECRET = b"not of this bucket"
#: What moto takes: it checks no signatures unless told to.
KEY, PASSWORD = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI-EXAMPLEKEY"


def get(
    buckets: dict[str, Bucket], name: str, *, bucket: str = "photos", version: str | None = None
) -> bytes:
    return read_object(buckets, bucket, name, version, LIMIT)


# --- folders ----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bucket's folder with two files, beside a file that is nobody's business."""
    made = tmp_path / "photos"
    (made / "club" / "2026").mkdir(parents=True)
    (made / "ada.jpg").write_bytes(b"ada")
    (made / "club" / "2026" / "grace hopper é.png").write_bytes(b"grace")
    (tmp_path / "secret").write_bytes(SECRET)
    return made


@pytest.fixture
def buckets(folder: Path) -> dict[str, Bucket]:
    return {"photos": FolderBucket(folder=folder)}


def test_a_file_of_a_folder_is_an_object(buckets: dict[str, Bucket]) -> None:
    assert get(buckets, "ada.jpg") == b"ada"
    assert get(buckets, "club/2026/grace hopper é.png") == b"grace"


def test_the_bucket_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    assert get({"photos": FolderBucket(folder=tmp_path / "link")}, "ada.jpg") == b"ada"


@pytest.mark.parametrize(
    "name",
    [
        *("nobody.jpg", "club", "club/", "club//2026", "/ada.jpg", "ada.jpg/", "ada.jpg/x", ""),
        *("../secret", "club/../../secret", "./ada.jpg", "club/../ada.jpg", "..", "."),
        *(
            "..\\secret",
            "club\\2026",
            "ada.jpg\0.png",
            "ada\n.jpg",
            "\ud800.jpg",
            "\udcff",
            "a" * 300,
        ),
    ],
)
def test_what_is_no_object_of_a_folder_is_refused(buckets: dict[str, Bucket], name: str) -> None:
    with pytest.raises(ObjectUnavailable):
        get(buckets, name)


def test_an_absolute_path_is_no_object(buckets: dict[str, Bucket], folder: Path) -> None:
    with pytest.raises(ObjectUnavailable):
        get(buckets, str(folder / "ada.jpg"))


def test_no_link_is_followed(buckets: dict[str, Bucket], folder: Path, tmp_path: Path) -> None:
    (folder / "out.jpg").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path, target_is_directory=True)
    (folder / "in.jpg").symlink_to(folder / "ada.jpg")
    for name in ("out.jpg", "up/secret", "up/photos/ada.jpg", "in.jpg"):
        with pytest.raises(ObjectUnavailable):
            get(buckets, name)


def test_only_regular_files_are_read(buckets: dict[str, Bucket], folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as bound:
        bound.bind(str(folder / "socket"))
        for name in ("pipe", "socket"):
            with pytest.raises(ObjectUnavailable):
                get(buckets, name)


def test_a_file_over_the_limit_is_not_read(buckets: dict[str, Bucket], folder: Path) -> None:
    (folder / "fits").write_bytes(b"x" * LIMIT)
    (folder / "big").write_bytes(b"x" * (LIMIT + 1))
    assert len(get(buckets, "fits")) == LIMIT
    with pytest.raises(PictureTooLarge, match="1,001 bytes, over the limit of 1,000"):
        get(buckets, "big")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused(buckets: dict[str, Bucket], folder: Path) -> None:
    (folder / "ada.jpg").chmod(0)
    with pytest.raises(ObjectUnavailable):
        get(buckets, "ada.jpg")


def test_a_folder_has_no_versions(buckets: dict[str, Bucket]) -> None:
    with pytest.raises(ObjectUnavailable, match="leave Version out"):
        get(buckets, "ada.jpg", version="3")


def test_messages_tell_no_path(buckets: dict[str, Bucket], tmp_path: Path) -> None:
    gone: dict[str, Bucket] = {"photos": FolderBucket(folder=tmp_path / "gone")}
    for where, name in ((buckets, "nobody"), (gone, "nobody"), (buckets, "x" * 1000)):
        with pytest.raises(ObjectUnavailable) as refused:
            get(where, name)
        assert str(tmp_path) not in str(refused.value)
        assert len(str(refused.value)) < 300


def test_an_unknown_bucket_is_refused(buckets: dict[str, Bucket]) -> None:
    with pytest.raises(ObjectUnavailable, match="no bucket 'other'"):
        get(buckets, "ada.jpg", bucket="other")


PARTS = st.sampled_from(
    [
        "..",
        ".",
        "",
        "ada.jpg",
        "club",
        "2026",
        "out",
        "up",
        "secret",
        "photos",
        "\\",
        "..\\",
        "%2e%2e",
    ]
)
HOSTILE = st.lists(PARTS | st.text(max_size=5), max_size=6).map("/".join) | st.text(max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=500)
@example("up/secret")
@example("out")
@example("//../secret")
@given(name=HOSTILE)
def test_no_name_leaves_the_folder(
    buckets: dict[str, Bucket], folder: Path, tmp_path: Path, name: str
) -> None:
    for link, target in (("out", tmp_path / "secret"), ("up", tmp_path)):
        if not (folder / link).is_symlink():
            (folder / link).symlink_to(target)
    with contextlib.suppress(ObjectUnavailable):
        assert get(buckets, name) in (b"ada", b"grace")


# --- endpoints --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def moto_address() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def endpoint(address: str, bucket: str | None = None) -> dict[str, Bucket]:
    return {
        "photos": EndpointBucket(
            endpoint=address, access_key=KEY, secret_key=SecretStr(PASSWORD), bucket=bucket
        )
    }


def client(address: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=PASSWORD,
        config=Config(s3={"addressing_style": "path"}),
    )


@pytest.fixture(scope="module")
def stored(moto_address: str) -> Any:
    """A client of an endpoint whose bucket ``photos`` keeps versions."""
    made = client(moto_address)
    made.create_bucket(Bucket="photos")
    made.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    return made


@pytest.mark.parametrize("name", ["ada.jpg", "a/b/ada lovelace+é&?=#%.jpg", "/slash//es", "a\\b"])
def test_an_object_of_an_endpoint_is_read(moto_address: str, stored: Any, name: str) -> None:
    stored.put_object(Bucket="photos", Key=name, Body=b"ada")
    assert get(endpoint(moto_address), name) == b"ada"
    renamed = {"other": endpoint(moto_address, "photos")["photos"]}
    assert get(renamed, name, bucket="other") == b"ada"


def test_the_version_asked_for_is_read(moto_address: str, stored: Any) -> None:
    first = stored.put_object(Bucket="photos", Key="grace", Body=b"first")["VersionId"]
    stored.put_object(Bucket="photos", Key="grace", Body=b"second")
    assert get(endpoint(moto_address), "grace") == b"second"
    assert get(endpoint(moto_address), "grace", version=first) == b"first"
    with pytest.raises(ObjectUnavailable):
        get(endpoint(moto_address), "grace", version="none-of-them")


def test_missing_objects_and_buckets_are_refused(
    moto_address: str, stored: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for where, name in (
        (endpoint(moto_address), "nobody"),
        (endpoint(moto_address, "no-such-bucket"), "ada.jpg"),
        (endpoint(moto_address), "../photos/ada.jpg"),
    ):
        with pytest.raises(ObjectUnavailable) as refused:
            get(where, name)
        assert "127.0.0.1" not in str(refused.value)
    assert not [record for record in caplog.records if record.name == s3.__name__]


def test_an_object_over_the_limit_is_not_read(moto_address: str, stored: Any) -> None:
    stored.put_object(Bucket="photos", Key="fits", Body=b"x" * LIMIT)
    stored.put_object(Bucket="photos", Key="big", Body=b"x" * (LIMIT + 1))
    assert len(get(endpoint(moto_address), "fits")) == LIMIT
    with pytest.raises(PictureTooLarge, match="1,001 bytes"):
        get(endpoint(moto_address), "big")


def test_the_request_is_signed_with_the_buckets_credentials(moto_address: str, stored: Any) -> None:
    stored.put_object(Bucket="photos", Key="signed name", Body=b"ada")
    iam = boto3.client(
        "iam",
        endpoint_url=moto_address,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=PASSWORD,
    )
    iam.create_user(UserName="sayso")
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="sayso", PolicyName="s3", PolicyDocument=policy)
    key = iam.create_access_key(UserName="sayso")["AccessKey"]

    def bucket(secret: str) -> dict[str, Bucket]:
        place = EndpointBucket(
            endpoint=moto_address, access_key=key["AccessKeyId"], secret_key=SecretStr(secret)
        )
        return {"photos": place}

    _moto(moto_address, "reset-auth", "0")
    try:
        assert get(bucket(key["SecretAccessKey"]), "signed name") == b"ada"
        with pytest.raises(ObjectUnavailable):
            get(bucket("of somebody else"), "signed name")
    finally:
        _moto(moto_address, "reset-auth", "inf")


def _moto(address: str, command: str, value: str) -> None:
    plain = {"Content-Type": "text/plain"}  # as a form it would be parsed
    asked = urllib.request.Request(f"{address}/moto-api/{command}", value.encode(), plain)
    urllib.request.urlopen(asked).close()


Answering = Callable[[socket.socket], None]


@contextlib.contextmanager
def answering(answer: Answering, host: str = "127.0.0.1") -> Iterator[tuple[str, list[bytes]]]:
    """Run a server that reads each request's headers and then answers as told."""
    asked: list[bytes] = []
    listening = socket.create_server((host, 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                request = b""
                while b"\r\n\r\n" not in request and (more := connection.recv(65536)):
                    request += more
                asked.append(request)
                answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://{host}:{listening.getsockname()[1]}", asked
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def says(text: bytes) -> Answering:
    return lambda connection: connection.sendall(text)


def test_a_redirect_is_not_followed(caplog: pytest.LogCaptureFixture) -> None:
    with (
        answering(says(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nada")) as (other, followed),
        answering(
            says(
                b"HTTP/1.1 307 X\r\nContent-Length: 0\r\nLocation: " + other.encode() + b"/\r\n\r\n"
            )
        ) as (address, asked),
    ):
        with pytest.raises(ObjectUnavailable):
            get(endpoint(address), "ada.jpg")
        assert len(asked) == 1
        assert not followed
    assert "bucket photos was answered with 307" in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nhm",
        b"HTTP/1.1 206 Partial\r\nContent-Length: 2\r\n\r\nhm",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nada",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nada\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    ],
)
def test_a_broken_answer_is_refused(answer: bytes) -> None:
    with answering(says(answer)) as (address, _), pytest.raises(ObjectUnavailable):
        get(endpoint(address), "ada.jpg")


def test_an_endless_answer_is_cut_at_the_limit() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"400\r\n" + b"x" * 0x400 + b"\r\n")

    with answering(endless) as (address, _), pytest.raises(PictureTooLarge):
        get(endpoint(address), "ada.jpg")


def test_an_answer_that_drips_is_cut_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "LONGEST", 0.5)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X")
            time.sleep(0.05)

    begun = time.monotonic()
    with answering(drip) as (address, _), pytest.raises(ObjectUnavailable):
        get(endpoint(address), "ada.jpg")
    assert time.monotonic() - begun < 5


def test_a_silent_endpoint_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "SILENCE", 0.2)
    with answering(lambda _: time.sleep(1)) as (address, _), pytest.raises(ObjectUnavailable):
        get(endpoint(address), "ada.jpg")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ObjectUnavailable):
        get(endpoint(f"http://127.0.0.1:{port}"), "ada.jpg")


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[fe80::1]"),
        *("[::ffff:169.254.169.254]", "[2002:a9fe:a9fe::]", "[64:ff9b::a9fe:a9fe]"),
        *("0.0.0.0", "[::]", "224.0.0.1", "[ff02::1]", "[fd00:ec2::254]"),
    ],
)
def test_an_endpoint_at_such_an_address_is_not_asked(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it is connected to"))
    with pytest.raises(ObjectUnavailable) as refused:
        get(endpoint(f"http://{host}:9"), "ada.jpg")
    assert host.strip("[]") not in str(refused.value)


def test_the_address_that_was_connected_to_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nada"
    with answering(says(answer)) as (address, asked):
        assert get(endpoint(address), "ada.jpg") == b"ada"
        monkeypatch.setattr(socket.socket, "getpeername", lambda _: ("169.254.169.254", 80))
        with pytest.raises(ObjectUnavailable):
            get(endpoint(address), "ada.jpg")
        assert len(asked) == 1 or not asked[1]


def test_a_handshake_that_drips_is_cut_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "LONGEST", 0.5)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of TLS, of 16 KiB
        while True:
            connection.sendall(b"\x02")
            time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as connection, contextlib.suppress(OSError):
                connection.recv(65536)
                drip(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        begun = time.monotonic()
        with pytest.raises(ObjectUnavailable):
            get(endpoint(f"https://127.0.0.1:{listening.getsockname()[1]}"), "ada.jpg")
        assert time.monotonic() - begun < 5
        thread.join()


def test_an_endpoint_with_tls_must_have_a_certificate_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj"),
            *("/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listening = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)

    def serve() -> None:
        for _ in range(2):
            with contextlib.suppress(OSError), listening.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nada")

    thread = threading.Thread(target=serve)
    thread.start()
    with listening:
        address = f"https://localhost:{listening.getsockname()[1]}"
        with pytest.raises(ObjectUnavailable):
            get(endpoint(address), "ada.jpg")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert get(endpoint(address), "ada.jpg") == b"ada"
        thread.join()
