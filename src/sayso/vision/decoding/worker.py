"""The decoder process: takes one picture after the other, and returns pixels or a refusal.

It is started anew and not forked, with an empty environment and without any of the descriptors of
the process that it serves, so that it holds no key, template or secret. It bounds its own memory
and time in ways that hold while a library of C runs. It ends when the other process does.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import resource
import signal
import socket
from typing import Any, Final

import cv2
import numpy as np

from sayso.vision.decoders import Ask
from sayso.vision.decoding.messages import filled, fix_size, memory, receive, send
from sayso.vision.errors import PictureError
from sayso.vision.limits import PictureLimits
from sayso.vision.memory import address_space
from sayso.vision.picture import decode_by
from sayso.vision.rgb import Pixels

#: Bytes of memory that a decoder may take: for every pixel, for every byte of the file, and in any
#: case. The most was seen with AVIF of 12 bit, and of HEIC.
_PER_PIXEL: Final = 24
_PER_BYTE: Final = 4
_IN_ANY_CASE: Final = 256 << 20
#: Seconds beyond what the other process allows: it is the one to end this, if it still can.
_GRACE: Final = 1.0
#: What a process may have kept over a picture before another takes its place.
_KEPT: Final = 128 << 20
#: The most memory that is kept for the next picture.
_WARM: Final = 64 << 20


def main(descriptor: int) -> None:
    """Serve the process at the other end of a socket until it closes it."""
    # A signal meant for all processes of a terminal or a service must not break off accepted work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # pictures stay out of core files
    cv2.setNumThreads(1)
    base, own = address_space(), _Memory()
    with socket.socket(fileno=descriptor) as channel:
        send(channel, {"ready": os.getpid()})
        with contextlib.suppress(EOFError, ConnectionError):
            while address_space() <= base + _KEPT:
                _serve(channel, base, own)


def _serve(channel: socket.socket, base: int, own: _Memory) -> None:
    asked, descriptor = receive(channel)
    if descriptor is None:
        raise EOFError
    with mmap.mmap(descriptor, asked["bytes"], prot=mmap.PROT_READ) as file:
        data = file[:]
    os.close(descriptor)
    with _stopped_with(channel), _bounded_time(asked["seconds"]):
        answer, made = _answer(data, asked, base, own)
    send(channel, answer, made)
    if made is not None:
        os.close(made)


def _answer(
    data: bytes, asked: dict[str, Any], base: int, own: _Memory
) -> tuple[dict[str, Any], int | None]:
    given = asked["limits"]
    limits = PictureLimits(**{**given, "formats": frozenset(given["formats"])})
    room = base + _IN_ANY_CASE + _PER_BYTE * len(data)

    def expect(pixels: int) -> None:
        _bound_memory(room + _PER_PIXEL * pixels)

    try:
        _bound_memory(room)
        picture = decode_by(data, Ask(limits, asked["whole"], own.allocate, expect))
        descriptor = own.descriptor_of(picture.pixels)
    except PictureError as error:
        return {"error": type(error).__name__, "message": str(error)}, None
    except MemoryError:
        return {"error": "PictureTooCostly", "message": "there is not enough memory for it"}, None
    finally:
        _bound_memory(None)
        own.close()
    height, width, _ = picture.pixels.shape
    fix_size(descriptor)
    answer = {
        "width": width,
        "height": height,
        "whole": picture.whole,
        "notices": picture.notices,
        "format": picture.format,
    }
    return answer, descriptor


class _Memory:
    """Memory for the pixels of one picture at a time.

    New pages cost more than copying what is on them, so that pictures of ordinary size are decoded
    into the same memory again and again. Larger ones go where the other process can map them.
    """

    def __init__(self) -> None:
        self._warm = np.empty(0, np.uint8)
        self._taken = False
        self._made: list[tuple[int, Pixels]] = []

    def allocate(self, size: int) -> Pixels:
        """Return so many bytes, uint8 (n,)."""
        if not self._taken and size <= _WARM:
            self._taken = True
            if len(self._warm) < size:
                self._warm = np.empty(0, np.uint8)
                self._warm = np.empty(size, np.uint8)
            return self._warm[:size]
        descriptor, mapping = memory(size)
        made = np.frombuffer(mapping, np.uint8)
        self._made.append((descriptor, made))
        return made

    def descriptor_of(self, pixels: Pixels) -> int:
        """Return the descriptor, to be closed, of memory that begins with these pixels."""
        for descriptor, made in self._made:
            if made.ctypes.data == pixels.ctypes.data:
                return os.dup(descriptor)
        return filled(pixels.data)

    def close(self) -> None:
        """Let go of the memory that can be mapped; it is freed when the arrays are."""
        for descriptor, _ in self._made:
            os.close(descriptor)
        self._made.clear()
        self._taken = False


def _bound_memory(size: int | None) -> None:
    if not address_space():
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = hard if size is None else size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def _bounded_time(seconds: float) -> Any:
    """End this process, whatever it does, where the block takes longer: by an alarm's signal."""
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def _stopped_with(channel: socket.socket) -> Any:
    """End this process, whatever it does, when the other end of a socket closes in the block.

    The system sends a signal, SIGIO, for anything that happens to the socket; until it has its
    answer, the other process sends nothing.
    """
    if not hasattr(os, "O_ASYNC"):
        yield
        return
    flags = fcntl.fcntl(channel, fcntl.F_GETFL)
    fcntl.fcntl(channel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(channel, fcntl.F_SETFL, flags | os.O_ASYNC)
    try:
        yield
    finally:
        fcntl.fcntl(channel, fcntl.F_SETFL, flags)
