"""Nothing is connected to, started or written that the documentation does not list."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sayso.cli.app import cli
from tests.silence.watching import REPOSITORY, Watched, listed, without_network

#: Every command, in an order in which each has what it needs; ``serve`` and ``ready`` have a test
#: of their own.
COMMANDS = """
models list
models install
models verify
collections create club
collections limit club --max-expected-false-matches 0.02
collections list
collections show club
purposes declare club door --notice notice
purposes list club
faces portrait.png --out boxed.png
compare portrait.png portrait.png
enroll club eileen portrait.png --purpose door --evidence form
recognize club portrait.png --purpose door --out named.png
redact portrait.png given.png --collection club --purpose door
subjects list club
subjects show club eileen
subjects report club eileen
consents list club eileen
consents interaction club eileen
consents add club ada --purpose door --evidence form
keys create app --purpose door --allow search --json
keyring show
keyring copy copies/keyring
backup copies/backup
keyring rotate
audit tail
audit head head.json
audit export log.jsonl
audit verify
calibrate people --out own.json --mode fast
evaluate people --report report.html --json report.json --mode fast
consents withdraw club ada --yes
subjects erase club eileen --yes
subjects sweep
purposes met club door --yes
restore copies/backup --yes
keys list
keys revoke {key} --yes
collections delete club --yes
"""


def names(command: click.Command, name: str = "") -> Iterator[str]:
    if isinstance(command, click.Group):
        for child_name, child in command.commands.items():
            yield from names(child, f"{name} {child_name}".strip())
    else:
        yield name


def test_no_command_is_left_out() -> None:
    run = [line for line in COMMANDS.splitlines() if line]
    for name in set(names(cli)) - {"serve", "ready"}:
        assert any(line == name or line.startswith(f"{name} ") for line in run), name


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched.made(tmp_path / "watched")


@pytest.fixture
def data(tmp_path: Path, model_data: Path) -> Path:
    """A data folder with models of its own: those of other tests are not in it."""
    folder = tmp_path / "watched" / "data"
    shutil.copytree(model_data / "models", folder / "models")
    return folder


def people(root: Path, lfw: Path) -> None:
    """The labelled pictures of as few people as can be measured."""
    some = [each for each in sorted((lfw / "images").iterdir()) if len(list(each.glob("*"))) > 2]
    for source in some[:20]:
        (root / source.name).mkdir(parents=True)
        for picture in sorted(source.glob("*.jpg"))[:3]:
            shutil.copy(picture, root / source.name)


def run(watched: Watched, data: Path, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        [*without_network(), sys.executable, "-W", "error", *arguments],
        cwd=watched.work,
        env=watched.environment(data),
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_commands_touch_nothing_that_is_not_listed(
    watched: Watched, data: Path, portrait: Path, lfw: Path
) -> None:
    shutil.copy(portrait, watched.work / "portrait.png")
    (watched.work / "copies").mkdir()
    people(watched.work / "people", lfw)
    script = str(REPOSITORY / "tests" / "silence" / "commands.py")
    commands = [line.split() for line in COMMANDS.splitlines() if line]
    run(watched, data, script, given=json.dumps(commands))
    told = watched.done()
    assert {command for command, _, _ in told} >= {"faces portrait.png --out boxed.png"}
    assert any(did == "write" and what.endswith("report.html") for _, did, what in told)
    assert not [each for each in told if each[1] in {"listen", "connect"}]
    assert watched.unlisted(data) == []
    assert watched.leftovers() == []


def test_a_served_request_touches_nothing_that_is_not_listed(
    watched: Watched, data: Path, portrait: Path
) -> None:
    environment = watched.environment(data)
    done = subprocess.run(
        [
            *(*without_network(), sys.executable, "-m", "tests.silence.serving"),
            *(str(data), str(portrait), environment.pop("WATCHED")),
        ],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(did == "listen" for _, did, _ in watched.done())
    assert watched.unlisted(data) == []
    assert watched.leftovers() == []


#: Does what the real one does, where it shows: it must never be imported.
TELEMETRY = """
import os, pathlib
pathlib.Path(os.environ["HOME"], "intel").mkdir()
raise SystemExit("openvino_telemetry was imported")
"""


def test_what_reports_home_is_hidden_from_openvino_in_every_way_in(
    watched: Watched, data: Path
) -> None:
    packages = watched.root / "packages" / "openvino_telemetry"
    packages.mkdir(parents=True)
    (packages / "__init__.py").write_text(TELEMETRY)
    environment = watched.environment(data)
    environment["PYTHONPATH"] += f":{packages.parent}"
    for program in (
        "import sayso.analyzer as a; a.Analyzer().load()",
        "from sayso.gallery.search import ExactSearch; ExactSearch(8, engine='openvino')",
        "import sayso, openvino; openvino.convert_model",
        "import sys; from sayso.cli.run import run; sys.exit(run(['models', 'verify']))",
    ):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=watched.work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (program, done.stderr)
    assert watched.leftovers() == []


def test_it_is_not_in_the_locked_requirements() -> None:
    for lock in (REPOSITORY / "requirements").glob("*.txt"):
        assert "\nopenvino-telemetry==" not in lock.read_text(), lock.name
    recipe = (REPOSITORY / "Makefile").read_text()
    installs = [line for line in recipe.splitlines() if "pip install" in line]
    assert installs
    assert all("--no-deps" in line for line in installs), "what openvino asks for would come again"


def test_traces_of_requests_go_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    from sayso.service.rest import application

    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    telemetry = application._bare()._telemetry
    kinds = ("tracing", "metrics", "logs", "operation_spans", "auto_configure")
    assert not any(telemetry[kind] for kind in kinds)  # type: ignore[literal-required]


def test_a_model_of_aws_in_the_home_folder_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.loaders import Loader

    from sayso.service.rekognition import model

    planted = tmp_path / "models" / "rekognition" / "2099-01-01"
    planted.mkdir(parents=True)
    (planted / "service-2.json").write_text('{"metadata": {}, "operations": {}, "shapes": {}}')
    monkeypatch.setattr(Loader, "CUSTOMER_DATA_PATH", str(tmp_path / "models"))
    assert "IndexFaces" in model.service.__wrapped__().operation_names


# --- the watching itself ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "did"),
    [
        ("import socket; socket.getaddrinfo('example.org', 80)", "resolve"),
        ("import socket; socket.socket().connect(('192.0.2.1', 9))", "connect"),
        ("import os; os.fork() or os._exit(0)", "start"),
        ("import subprocess; subprocess.run(['true'])", "start"),
        ("open('../home/trace', 'w')", "write"),
        ("import pathlib; pathlib.Path('../home/trace').mkdir()", "write"),
        ("import subprocess, sys; subprocess.run([sys.executable, '-c', 'open(\"../x\", \"w\")'])",
         "write"),
    ],
)  # fmt: skip
def test_what_is_not_listed_is_seen(watched: Watched, data: Path, program: str, did: str) -> None:
    subprocess.run(
        [*without_network(), sys.executable, "-c", program],
        cwd=watched.work,
        env=watched.environment(data),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert did in {kind for _, kind, _ in watched.unlisted(data)}


def test_the_page_lists_what_the_tests_read() -> None:
    assert "SAYSO_DATA/*" in listed("Files")
    assert isinstance(listed("Programs"), tuple)
