"""Pictures are decoded in a process that can be stopped, is bounded, and holds nothing secret."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sayso.vision import effort
from sayso.vision.decoding import Decoders
from sayso.vision.effort import Effort, bounded
from sayso.vision.errors import (
    PictureError,
    PictureTooCostly,
    PictureTooLarge,
    UnreadablePicture,
    WorkAbandoned,
)
from sayso.vision.limits import PictureLimits
from sayso.vision.picture import decode
from tests.data import REPOSITORY
from tests.vision.hostile import decode_all, pictures, scans, sound
from tests.vision.pictures import encode, exif, jpeg_with_exif, png, scene

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    made = Decoders()
    yield made
    made.close()


def process_of(decoders: Decoders) -> subprocess.Popen[bytes]:
    """The process that decodes next."""
    return decoders._idle[-1]._process


@pytest.fixture(scope="module")
def slow_picture() -> bytes:
    """One that takes long, and that no limit but that on seconds refuses."""
    data = scans(70, 4_600)
    assert len(data) < 1_000_000
    return data


def test_pixels_are_the_same_in_both_ways(decoders: Decoders) -> None:
    turned = jpeg_with_exif(encode(scene(301, 203), "JPEG"), exif(6))
    large = encode(np.resize(scene(), (5_100, 5_000, 3)), "JPEG")  # not in memory that is kept
    for data in (*sound(), turned, large):
        apart, inside = decoders.decode(data), decode(data)
        assert np.array_equal(apart.pixels, inside.pixels)
        assert (apart.format, apart.whole, apart.notices) == (
            inside.format,
            inside.whole,
            inside.notices,
        )
        assert apart.pixels.flags.c_contiguous
        assert not apart.pixels.flags.writeable


def test_pixels_outlive_the_next_picture(decoders: Decoders) -> None:
    first = decoders.decode(encode(scene(), "PNG"))
    decoders.decode(encode(255 - scene(), "PNG"))
    assert np.array_equal(first.pixels, scene())


def test_refusals_are_those_of_the_decoder_and_it_goes_on(decoders: Decoders) -> None:
    decoders.decode(encode(scene(), "PNG"))
    before = process_of(decoders).pid
    with pytest.raises(PictureTooLarge, match=r"limit is 6,143 \(SAYSO_MAX_PICTURE_PIXELS\)"):
        decoders.decode(encode(scene(), "PNG"), PictureLimits(max_pixels=6_143))
    with pytest.raises(UnreadablePicture, match="truncated"):
        decoders.decode(encode(scene(), "PNG")[:-20])
    assert process_of(decoders).pid == before


def test_work_over_its_seconds_is_stopped(decoders: Decoders, slow_picture: bytes) -> None:
    decoders.decode(encode(scene(), "PNG"))
    before = process_of(decoders)
    began = time.monotonic()
    with bounded(Effort(0.3)), pytest.raises(PictureTooCostly, match="more than 0"):
        decoders.decode(slow_picture)
    assert time.monotonic() - began < 5
    assert before.returncode in {-signal.SIGKILL, -signal.SIGIO}
    assert decoders.decode(encode(scene(), "PNG")).width == 96


def test_work_that_nobody_waits_for_is_stopped(decoders: Decoders, slow_picture: bytes) -> None:
    decoders.decode(encode(scene(), "PNG"))
    before = process_of(decoders)
    with bounded(Effort()) as work:
        threading.Timer(0.3, work.abandon).start()
        with pytest.raises(WorkAbandoned):
            decoders.decode(slow_picture)
    assert before.returncode in {-signal.SIGKILL, -signal.SIGIO}


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGALRM])
def test_a_decoder_that_breaks_is_a_refusal_and_is_replaced(
    decoders: Decoders, how: signal.Signals, slow_picture: bytes
) -> None:
    decoders.decode(encode(scene(), "PNG"))
    process = process_of(decoders)
    threading.Timer(0.3, process.send_signal, [how]).start()
    with pytest.raises(PictureError, match=r"SIG|too long|want of memory"):
        decoders.decode(slow_picture)
    assert process.returncode == -how
    assert decoders.decode(encode(scene(), "PNG")).width == 96


@linux
def test_memory_is_bounded_by_what_the_picture_declares(
    monkeypatch: pytest.MonkeyPatch, decoders: Decoders
) -> None:
    """A file that says it is small cannot make the decoder allocate more than a small one needs."""
    program = """
import resource, sys
from sayso.vision import decoders
from sayso.vision.decoding import worker

def greedy(data, ask):
    ask.admit(100, 100)
    return bytearray(1 << 30)

decoders._DECODERS["PNG"] = greedy
worker.main(int(sys.argv[2]))
"""
    monkeypatch.setattr("sayso.vision.decoding.processes._CODE", _with_path(program))
    greedy = Decoders()
    with pytest.raises(PictureTooCostly, match="not enough memory"):
        greedy.decode(encode(scene(), "PNG"))
    greedy.close()


def _with_path(program: str) -> str:
    return f"import json, sys; sys.path[:] = json.loads(sys.argv[1])\n{program}"


@linux
def test_a_decoder_has_no_secret_to_give(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment, nor an open file, nor memory of the process that it serves."""
    monkeypatch.setenv("SAYSO_SECRET", "swordfish")
    secret = tmp_path / "master.key"
    secret.write_text("swordfish")
    with secret.open() as held:
        os.set_inheritable(held.fileno(), True)
        decoders = Decoders()
        decoders.decode(encode(scene(), "PNG"))
        pid = process_of(decoders).pid
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"swordfish" not in environment
        assert {each.partition(b"=")[0] for each in environment.split(b"\0") if each} <= {
            *(b"MALLOC_ARENA_MAX", b"OPENBLAS_NUM_THREADS", b"LD_LIBRARY_PATH", b"LC_CTYPE"),
        }
        # It answers before it closes what it answered with.
        _wait_for(lambda: _opened(pid) == {"socket", "/dev/null"})
        decoders.close()


def _opened(pid: int) -> set[str]:
    names = (str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir())
    return {name.partition(":")[0] for name in names}


@linux
@pytest.mark.parametrize("busy", [False, True])
def test_a_decoder_ends_with_the_process_that_it_serves(busy: bool) -> None:
    sleeper = """
import time
from sayso.vision import decoders
from sayso.vision.decoding import worker

decoders._DECODERS["GIF"] = lambda data, ask: time.sleep(600)
worker.main(int(sys.argv[2]))
"""
    program = f"""
import sys, threading
from sayso.vision.decoding import Decoders, processes
from tests.vision.pictures import encode, scene

processes._CODE = {_with_path(sleeper)!r}
decoders = Decoders()
decoders.decode(encode(scene(), "PNG"))
print(decoders._idle[0]._process.pid, flush=True)
if sys.argv[1] == "True":
    decoders.decode(encode(scene(), "GIF"))
threading.Event().wait()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(busy)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        time.sleep(1.0)  # it is at work by then, where it has any
        assert _runs(pid)
        process.kill()
    _wait_for(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@linux
def test_memory_and_descriptors_are_given_back(decoders: Decoders) -> None:
    data = encode(scene(), "PNG")
    decoders.decode(data)
    gc.collect()
    pid = process_of(decoders).pid
    before = [len(list(Path(f"/proc/{each}/fd").iterdir())) for each in (os.getpid(), pid)]
    for _ in range(50):
        decoders.decode(data)
        with pytest.raises(PictureError):
            decoders.decode(data[:60] + data)
    gc.collect()
    after = [len(list(Path(f"/proc/{each}/fd").iterdir())) for each in (os.getpid(), pid)]
    assert after == before


def test_a_signal_to_the_group_breaks_off_nothing(decoders: Decoders) -> None:
    decoders.decode(encode(scene(), "PNG"))
    process = process_of(decoders)
    for each in (signal.SIGINT, signal.SIGTERM):
        process.send_signal(each)
    assert decoders.decode(encode(scene(), "PNG")).width == 96
    assert process_of(decoders) is process


def test_a_limit_that_has_passed_starts_nothing(decoders: Decoders) -> None:
    with bounded(Effort(0.0)), pytest.raises(PictureTooCostly):
        decoders.decode(encode(scene(), "PNG"))
    effort.check()


def test_hostile_pictures_are_refused_or_decoded_in_bounded_time_and_memory() -> None:
    """A few hundred of those that ``python -m tests.vision.hostile`` makes by the thousand."""
    toll = decode_all(pictures(160))
    assert not toll.unexpected
    assert toll.seconds[0] < 30
    assert toll.memory[0] < 1 << 30
    assert {"JPEG", "UnreadablePicture"} <= set(toll.outcomes)


def test_the_bound_on_memory_covers_what_is_accepted(decoders: Decoders) -> None:
    """The largest picture that is decoded whole, of a format that needs most for it."""
    wide = png(10_000, 3_000, _packed_rows(10_000, 3_000))
    limits = PictureLimits(max_decoded=30_000_000)
    assert decoders.decode(wide, limits).width == 10_000


def _packed_rows(width: int, height: int) -> bytes:
    row = b"\0" + bytes([90]) * (3 * width)
    return zlib.compress(row * height, 1)
