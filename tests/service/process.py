"""A real server process for tests, and raw connections to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import boto3
import httpx
from botocore.config import Config

PATIENCE = 60


def until(holds: Any, *, patience: float = PATIENCE) -> None:
    ends = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.02)


@dataclass
class ServerProcess:
    """``sayso serve`` in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)

    @property
    def output(self) -> str:
        return "".join(self.out)

    @property
    def log(self) -> str:
        return "".join(self.err)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of JSON that were logged."""
        return [json.loads(line) for line in self.err if line.startswith("{")]

    def key(self) -> tuple[str, str]:
        """The id and the secret of the first key, as they were shown."""
        found = re.search(r"^  id +(\S+)\n  secret +(\S+)$", self.output, re.MULTILINE)
        assert found, self.output
        return found[1], found[2]

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=PATIENCE, **options)

    def ready(self) -> None:
        until(lambda: self.get("/readyz").status_code == 200)

    def rekognition(self, key: tuple[str, str] | None = None) -> Any:
        id_, secret = key or self.key()
        return boto3.client(
            "rekognition",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=id_,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60),
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=PATIENCE)

    @property
    def bearer(self) -> dict[str, str]:
        """The headers of a request with the first key."""
        return {"Authorization": "Bearer {}.{}".format(*self.key())}

    def refuses_connections(self) -> bool:
        try:
            self.connect().close()
        except OSError:
            return True
        return False

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        status = self.process.wait(PATIENCE)
        for reader in self.readers:
            reader.join(PATIENCE)
        return status

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()


def answer(connection: socket.socket) -> bytes:
    """Everything that comes until the other side is done."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            received += part
    return received


def keep_sending(connection: socket.socket, part: bytes, *, pause: float, patience: float) -> None:
    """Send and never read; returns when it has been too long, and raises ConnectionError before."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        connection.sendall(part)
        time.sleep(pause)


def settled(environment: dict[str, str]) -> dict[str, str]:
    """An environment with these settings and nobody else's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAYSO_")}
    return kept | environment


@contextlib.contextmanager
def serving(data: Path, *options: str, **settings: object) -> Iterator[ServerProcess]:
    """Start the service on a free port; settings are named in small letters. It is gone after."""
    environment = {f"SAYSO_{name.upper()}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "sayso", "serve", "--port", "0", *options],
        env=settled({"SAYSO_DATA": str(data), **environment}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = ServerProcess(process, "")
    listening = threading.Event()

    def read(stream: IO[str], lines: list[str]) -> None:
        with stream:
            for line in stream:
                lines.append(line)
                if line.startswith("listening on "):
                    server.url = line.removeprefix("listening on ").strip()
                    listening.set()
        listening.set()

    for stream, lines in ((process.stdout, server.out), (process.stderr, server.err)):
        assert stream is not None
        server.readers.append(threading.Thread(target=read, args=(stream, lines), daemon=True))
        server.readers[-1].start()
    try:
        assert listening.wait(PATIENCE)
        assert server.url, server.output + server.log
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        server.wait()
