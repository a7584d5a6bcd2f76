"""A hundred and more hostile files, through the command as a user runs it."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from sayso.cli.pictures import job_of
from sayso.errors import UnreadablePicture
from tests.test_pictures import powerless_in
from tests.vision.pictures import hostile

#: Hostile to the eye but sound to a decoder: these may be read, or refused.
_ADDRESS_SPACE = 6 << 30


def _faces(*arguments: str | Path, data_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sayso", "faces", *map(str, arguments)],
        env=os.environ | {"SAYSO_DATA": str(data_dir), "SAYSO_PRECISION": "f32"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        # What a bomb would unpack to does not fit: the process would die, not refuse.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE)),
    )


def test_every_hostile_file_is_refused_by_name_and_the_rest_go_on(
    tmp_path: Path, data_dir: Path
) -> None:
    meadow = tmp_path / "meadow.jpg"  # no face, so that no labelled picture is needed
    Image.new("RGB", (300, 200), (90, 120, 60)).save(meadow)
    folder = tmp_path / "hostile"
    folder.mkdir()
    files = hostile()
    assert len(files) > 100
    paths = []
    for number, content in enumerate(files.values()):
        path = folder / f"{number:03}.jpg"
        path.write_bytes(content)
        paths.append(path)
    done = _faces(*paths, meadow, data_dir=data_dir)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    refused = {path.name for path in paths if path.name in done.stderr}
    seen = {path.name for path in paths if path.name in done.stdout}
    # Each is answered for once, one way or the other, and nearly all are refused.
    assert refused | seen == {path.name for path in paths}
    assert not refused & seen
    assert len(refused) >= 100
    assert f"{meadow.name}: 0 faces" in done.stdout


def test_what_is_no_file_at_all(tmp_path: Path, data_dir: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    pipe, sock = tmp_path / "pipe.jpg", tmp_path / "sock.jpg"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(sock))
        for path in (empty, pipe, sock, tmp_path / "missing.jpg", Path("/dev/zero")):
            done = _faces(path, data_dir=data_dir)
            assert done.returncode == 1, path
            assert "Traceback" not in done.stderr
            assert path.name in done.stderr


def test_a_file_that_may_not_be_read(tmp_path: Path, data_dir: Path) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything, whatever the mode says")
    done = _faces(path, data_dir=data_dir)
    assert done.returncode == 1
    assert "secret.jpg" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_that_cannot_be_looked_at_cost_only_themselves(
    tmp_path: Path, data_dir: Path
) -> None:
    meadow = tmp_path / "meadow.jpg"
    Image.new("RGB", (300, 200), (90, 120, 60)).save(meadow)
    (tmp_path / "empty").mkdir()
    long, longer = Path("n" * 300 + ".jpg"), tmp_path / ("m/" * 3000)
    done = _faces(long, tmp_path / "empty", longer, meadow, data_dir=data_dir)
    assert done.returncode == 1
    assert "unexpected" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "the folder has no pictures in it" in done.stderr
    assert done.stderr.count("File name too long") == 2
    assert f"{meadow.name}: 0 faces" in done.stdout
    for out in (long, tmp_path / "empty" / long):
        done = _faces(meadow, "--out", out, data_dir=data_dir)
        assert done.returncode == 1
        assert done.stderr.endswith("cannot be written: File name too long\n")


def test_a_folder_that_may_not_be_read_costs_only_itself(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    for name in ("locked", "listed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "b.jpg").write_bytes(b"x")
    (tmp_path / "locked").chmod(0)
    (tmp_path / "listed").chmod(0o444)
    named = [Path("locked"), Path("locked/b.jpg"), Path("listed"), Path("a.jpg")]
    read: list[Path] = []
    with powerless_in(tmp_path):
        job = job_of(named)
        well = job.run("reading", lambda path, _: path, lambda path, _: read.append(path))
    assert not well
    assert read == [Path("a.jpg")]
    assert capfd.readouterr().err.splitlines() == [
        "sayso: locked: Permission denied",
        "sayso: listed/b.jpg: Permission denied",
        "sayso: locked/b.jpg: reading it is not permitted",
    ]
    with powerless_in(tmp_path), pytest.raises(UnreadablePicture, match="locked: Permission"):
        job_of(named[:1])
