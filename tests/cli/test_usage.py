from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

COMMANDS = [
    "faces",
    "compare",
    "collections",
    "enroll",
    "recognize",
    "redact",
    "subjects",
    "consents",
    "purposes",
    "keys",
    "keyring",
    "audit",
    "evaluate",
    "calibrate",
    "backup",
    "restore",
    "models",
    "serve",
]
GROUPS = [
    "collections",
    "subjects",
    "consents",
    "purposes",
    "keys",
    "keyring",
    "audit",
    "models",
]


def test_help_names_every_command(cli: Cli) -> None:
    outcome = cli("--help")
    assert outcome.status == 0
    listed = [line.split()[0] for line in outcome.out.splitlines() if line.startswith("  ")]
    assert set(COMMANDS) <= set(listed)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(cli: Cli, command: str) -> None:
    outcome = cli(command, "--help")
    assert outcome.status == 0
    assert outcome.out.startswith(f"Usage: sayso {command}")
    assert outcome.err == ""


@pytest.mark.parametrize("group", [[], *([group] for group in GROUPS)])
def test_the_list_of_commands_is_not_cut_off(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, group: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    listed = cli(*group, "--help").out.partition("Commands:\n")[2]
    assert listed
    assert "..." not in listed


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from sayso.cli.run import run\n"
        "run(['faces', '--help'])\n"
        "run(['audit', 'tail', '--help'])\n"
        "heavy = {'numpy', 'PIL', 'onnx', 'openvino', 'sqlalchemy', 'pydantic', 'rich', 'cv2'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_the_version_is_the_packages(cli: Cli) -> None:
    assert cli("--version").out == f"sayso {version('sayso')}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"],
        ["faces"],
        ["faces", "--mode", "best", "a.jpg"],
        ["faces", "--nonsense", "a.jpg"],
        ["compare", "a.jpg"],
        ["collections"],
        ["collections", "create"],
        ["enroll", "club", "ada"],
        ["enroll", "club", "ada", "a.jpg", "--purpose", "p"],
        ["enroll", "club", "ada", "a.jpg", "--evidence", "e"],
        ["enroll", "club", "ada", "a.jpg", "--purpose", "p", "--evidence", "e", "--until", "soon"],
        ["recognize", "club", "a.jpg"],
        ["recognize", "club", "a.jpg", "--purpose", "p", "--min-similarity", "101"],
        ["consents", "add", "club", "ada", "--purpose", "p"],
        ["consents", "add", "club", "ada", "--purpose", "p", "--evidence", "no/such/form.pdf"],
        ["consents", "add", "club", "ada", "--purpose", "p", "--evidence", "no-such-form.pdf"],
        ["consents", "add", "club", "ada", "--purpose", "p", "--evidence", "No such form.PDF"],
        ["consents", "add", "club", "ada", "--purpose", "p", "--evidence", "."],
        ["consents", "interaction", "club", "ada", "--at", "yesterday"],
        ["purposes", "declare", "club", "door"],
        ["purposes", "declare", "club", "door", "--notice", "no-such-notice.txt"],
        ["purposes", "declare", "club", "door", "--notice", "."],
        ["purposes", "declare", "club", "door", "--notice", "x", "--max-days", "many"],
        ["keys", "create", "desk", "--purpose", "door"],
        ["keys", "create", "desk", "--allow", "search"],
        ["keys", "create", "desk", "--purpose", "door", "--allow", "everything"],
        ["keys", "revoke"],
        ["keyring", "copy"],
        ["calibrate"],
        ["calibrate", "people"],
        ["audit", "tail", "-n", "0"],
        ["audit", "tail", "--event", "nothing-of-the-kind"],
        ["audit", "tail", "--subject", "ada"],
        ["audit", "export", "--json"],
        ["backup"],
        ["restore"],
        ["faces", "a.jpg", "--out", ""],
        ["faces", "a.jpg", "b.jpg", "--out", "two.png"],
        ["models", "install", "--from", "file.onnx"],
        ["models", "install", "--accept-terms"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2_and_says_how(cli: Cli, arguments: list[str]) -> None:
    outcome = cli(*arguments)
    assert outcome.status == 2
    assert outcome.out == ""
    assert "Usage: sayso" in outcome.err


def test_a_setting_that_cannot_be_used_is_a_refusal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAYSO_THREADS", "many")
    outcome = cli("models", "list")
    assert outcome.status == 1
    assert outcome.err.startswith("sayso: SAYSO_THREADS='many'")


def test_a_data_folder_that_is_a_file_is_a_refusal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("SAYSO_DATA", str(path))
        outcome = cli("collections", "list")
        assert outcome.status == 1
        assert outcome.err == (
            f"sayso: the gallery in '{path}' (SAYSO_DATA) cannot be used: a file is where a folder "
            "should be; set SAYSO_DATA to a folder, or open another\n"
        )


def test_python_dash_m_is_the_same_command(shell: Cli) -> None:
    assert shell("--help").out.startswith("Usage: sayso")
    assert shell("bogus").status == 2


def test_a_reader_that_leaves_is_not_an_error_message() -> None:
    script = (
        "import sys, click\n"
        "from sayso.cli import app, main\n"
        "@app.cli.command()\n"
        "def talk():\n"
        "    for _ in range(100000): click.echo('a line of talk')\n"
        "main(['talk'])"
    )
    done = subprocess.run(
        [
            "bash",
            "-c",
            '"$0" -c "$1" | head -n 1; echo ${PIPESTATUS[0]} >&2',
            sys.executable,
            script,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "a line of talk\n"
    assert done.stderr == "141\n"


def test_a_warning_of_the_library_is_told_like_any_message() -> None:
    script = (
        "import logging\n"
        "from sayso.cli import app, main\n"
        "@app.cli.command()\n"
        "def warn():\n"
        "    log = logging.getLogger('sayso.models.store')\n"
        "    log.info('all is well')\n"
        "    log.warning('the file of %s is damaged', 'tiny')\n"
        "main(['warn'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "sayso: the file of tiny is damaged\n")


def test_ctrl_c_is_status_130_and_one_line() -> None:
    script = (
        "import signal, time, click\n"
        "from sayso.cli import app, main\n"
        # What is started in the background by a shell ignores it, and so would this.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "@app.cli.command()\n"
        "def dawdle():\n"
        "    click.echo('started')\n"
        "    time.sleep(60)\n"
        "main(['dawdle'])"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.strip() == "sayso: interrupted"


def test_what_nobody_foresaw_is_one_line_unless_debugging() -> None:
    script = (
        "from sayso.cli import app, main\n"
        "@app.cli.command()\n"
        "def fail(): raise ZeroDivisionError('by\\nzero')\n"
        "main(['fail'])"
    )
    plain, debugging = (
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "SAYSO_DEBUG": debug},
        )
        for debug in ("", "1")
    )
    assert plain.returncode == debugging.returncode == 1
    assert plain.stderr == ("sayso: unexpected ZeroDivisionError: by (SAYSO_DEBUG=1 shows where)\n")
    assert "Traceback" in debugging.stderr
