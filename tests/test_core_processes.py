"""Several real processes on one data folder, some of them killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sayso.core import Sayso
from tests.gallery.synthetic import enrol, named, templates

ROOT = Path(__file__).resolve().parent.parent

_PRELUDE = """
import json, sys
from pathlib import Path
import numpy as np
from sayso.core import Sayso
from tests.gallery.synthetic import enrol, named, templates
app = Sayso(Path(sys.argv[1]))
"""

_SEARCHER = (
    _PRELUDE
    + """
for line in sys.stdin:
    print(json.dumps(named(app, templates(3))), flush=True)
"""
)

_IMPORTER = (
    _PRELUDE
    + """
for batch in range(1000):
    enrol(app, [f"b{batch}-{i}" for i in range(200)], seed=batch)
    print(batch, flush=True)
"""
)

_LARGE_IMPORTER = (
    _PRELUDE
    + """
names = [f"s{i}" for i in range(30_000)]
print("begins", flush=True)
enrol(app, names)
print("done", flush=True)
"""
)

_WRITER = (
    _PRELUDE
    + """
who = sys.argv[2]
app.create_collection(who)
for number in range(15):
    names = [f"{who}-{number}", "both"]
    enrol(app, names, collection="club" if number else who, seed=number, allow_lookalike=True)
print("done")
"""
)


def _start(script: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder), *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ask(process: subprocess.Popen[str]) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def test_what_one_process_commits_the_next_call_of_another_sees(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        with _start(_SEARCHER, tmp_path) as other:
            assert _ask(other) == [None] * 3
            enrol(app, ["ada", "bob", "cy"])
            assert _ask(other) == ["ada", "bob", "cy"]
            app.erase_subject("club", "bob")
            assert _ask(other) == ["ada", None, "cy"]
            app.withdraw_consent("club", "cy")
            assert _ask(other) == ["ada", None, None]
            app.erase_subject("club", "ada")
            enrol(app, ["dee", "eve"])
            assert _ask(other) == ["dee", "eve", None]
            other.communicate()


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_import_loses_nothing_acknowledged_and_leaves_no_half(
    tmp_path: Path, seed: int
) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
    with _start(_IMPORTER, tmp_path) as importer:
        assert importer.stdout is not None
        acknowledged = [importer.stdout.readline()]
        time.sleep(random.Random(seed).uniform(0, 0.4))
        importer.send_signal(signal.SIGKILL)
        acknowledged += importer.stdout.readlines()
    done = len(acknowledged)
    with Sayso(tmp_path) as app:
        found = app.collection("club")
        assert found.subjects == found.faces
        batches = found.faces / 200
        assert batches in (done, done + 1)  # the last one may have been durable, unacknowledged
        for batch in range(done):
            assert named(app, templates(3, batch)) == [f"b{batch}-{i}" for i in range(3)]
        assert all(subject.purposes for subject in app.subjects("club"))
        enrol(app, ["after"], seed=5000)
        assert named(app, templates(1, 5000)) == ["after"]


@pytest.mark.parametrize("after", [0.1, 0.5, 1.0])
def test_a_killed_import_is_all_or_nothing(tmp_path: Path, after: float) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
    with _start(_LARGE_IMPORTER, tmp_path) as importer:
        assert importer.stdout is not None
        importer.stdout.readline()
        time.sleep(after)
        importer.send_signal(signal.SIGKILL)
        done = importer.stdout.read() == "done\n"
    with Sayso(tmp_path) as app:
        found = app.collection("club")
        assert (found.subjects, found.faces) in ((0, 0), (30_000, 30_000))
        assert found.faces or not done
        enrol(app, ["after"], seed=5000)
        assert named(app, templates(1, 5000)) == ["after"]


def test_processes_that_start_and_write_together_all_succeed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    # Both meet an empty folder: one makes the database, the other waits for it.
    first, second = (_start(_WRITER, folder, who) for who in ("one", "two"))
    with Sayso(folder) as app:
        app.create_collection("club")
        outputs = [process.communicate(timeout=120)[0] for process in (first, second)]
        assert outputs == ["done\n", "done\n"]
        subjects = {subject.name: subject for subject in app.subjects("club")}
        assert len(subjects) == 2 * 14 + 1
        assert subjects["both"].faces == 28
        assert len(app.consents("club", "both")) == 1
