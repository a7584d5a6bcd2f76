"""Hostile files: a clear error or a whole picture, in bounded memory and time, in silence."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sayso.vision.errors import PictureError
from sayso.vision.picture import decode
from sayso.vision.types import Picture
from tests.data import REPOSITORY
from tests.vision.pictures import WRITABLE, encode, hostile, scene

FILES = hostile()
SOUND = {form: encode(scene(), form) for form in WRITABLE}


def attempt(data: bytes) -> Picture | str:
    try:
        picture = decode(data)
    except PictureError as error:
        message = str(error)
        assert 10 < len(message) < 300
        assert "\n" not in message
        assert "0x" not in message, "an object's address is no help"
        return message
    assert picture.pixels.shape == (picture.height, picture.width, 3)
    return picture


def test_there_are_more_than_a_hundred() -> None:
    assert len(FILES) > 150


@pytest.mark.parametrize("name", FILES)
def test_hostile_file(name: str) -> None:
    start = time.monotonic()
    result = attempt(FILES[name])
    assert time.monotonic() - start < 5
    if name.startswith(("giant", "truncated", "empty", "random", "text", "magic", "one-byte")):
        assert isinstance(result, str)
    if name.startswith("wrong-extension"):
        assert isinstance(result, Picture)


@pytest.mark.parametrize("form", WRITABLE)
def test_truncation_anywhere_is_noticed(form: str) -> None:
    data = encode(scene(64, 48), form)
    for length in range(1, len(data) - 24, 1 + len(data) // 150):
        assert isinstance(attempt(data[:length]), str), f"{length} of {len(data)} bytes"


@given(form=st.sampled_from(WRITABLE), data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_files(form: str, data: st.DataObject) -> None:
    content = bytearray(SOUND[form])
    spots = st.integers(0, len(content) - 1)
    for spot in data.draw(st.lists(spots, max_size=8)):
        content[spot] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | spots)
    attempt(bytes(content[:cut]))


@given(st.binary(max_size=300), st.sampled_from(WRITABLE))
@settings(max_examples=100, deadline=None)
def test_any_bytes_after_a_magic_number(tail: bytes, form: str) -> None:
    attempt(SOUND[form][:12] + tail)


def test_memory_is_bounded() -> None:
    """All hostile files, the bombs among them, in a process that may grow by 400 MB."""
    program = """
import resource
from sayso.vision.errors import PictureError
from sayso.vision.picture import decode
from tests.vision.pictures import hostile

files = hostile()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for data in files.values():
    try:
        decode(data)
    except PictureError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(run.stdout) * unit < 400 << 20
    assert "Traceback" not in run.stderr
    assert "Warning" not in run.stderr
