from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import sayso
from sayso.cli.run import run


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings and the gallery of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith("SAYSO_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SAYSO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    """Run the command line in this process; no models are installed unless a test asks."""

    def invoke(*arguments: str | Path) -> Outcome:
        capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Outcome(status, out, err)

    return invoke


@pytest.fixture
def recognising(data_dir: Path, cli: Cli) -> Cli:
    """Run the command line with the models installed, in a data folder of the test's own.

    The gallery is there already, so that no command has to tell of its master key.
    """
    assert os.environ["SAYSO_DATA"] == str(data_dir)
    sayso.open(data_dir).close()
    return cli


@pytest.fixture
def shell() -> Cli:
    """Run the command line as a process of its own."""

    def invoke(*arguments: str | Path, **options: Any) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "sayso", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **{"stdin": subprocess.DEVNULL, **options},
        )
        assert "Traceback" not in done.stdout + done.stderr
        return Outcome(done.returncode, done.stdout, done.stderr)

    return invoke


@pytest.fixture
def club(cli: Cli) -> Cli:
    """The command line, with a collection and one subject who agreed to two things."""
    assert cli("collections", "create", "club").status == 0
    consent = ("--purpose", "photo-delivery", "--purpose", "door", "--evidence", "form 17")
    assert cli("consents", "add", "club", "ada", *consent).status == 0
    return cli


def iso(**ahead: float) -> str:
    """A time so far from now, as an option takes it."""
    return (datetime.now().astimezone() + timedelta(**ahead)).isoformat()


def on_terminal(*command: str | Path, answer: str) -> tuple[int, bytes, str]:
    """Run a command whose input and errors are a terminal; what it printed includes the answer."""
    terminal, end = pty.openpty()
    try:
        os.write(terminal, f"{answer}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "sayso", *map(str, command)],
            stdin=end,
            stdout=subprocess.PIPE,
            stderr=end,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, os.read(terminal, 10_000).decode()
    finally:
        os.close(terminal)
        os.close(end)
