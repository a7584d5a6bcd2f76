"""Decoder processes, as seen by the process that they serve."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any, Final

import numpy as np

from sayso.vision import effort, errors
from sayso.vision.decoding.messages import filled, fix_size, mapped, receive, send
from sayso.vision.errors import (
    DecoderUnavailable,
    PictureError,
    PictureTooCostly,
    UnreadablePicture,
)
from sayso.vision.limits import FORMATS, PictureLimits
from sayso.vision.picture import form_of
from sayso.vision.types import Picture

#: How long decoding alone may take, in seconds, where work has no limit of its own.
MOST_SECONDS: Final = 60.0
_TO_START: Final = 60.0
#: How often it is asked whether the work is to go on, in seconds.
_TURN: Final = 0.05
_CODE: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from sayso.vision.decoding.worker import main; main(int(sys.argv[2]))"
)
#: One allocator for all threads, and no threads of numpy's: address space is what is bounded.
_ENVIRONMENT: Final = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}
#: Where libraries are, on systems where that is said by the environment.
_LIBRARIES: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
#: The refusals that a decoder may answer with.
_REFUSALS: Final = (
    "UnreadablePicture",
    "UnsupportedPicture",
    "PictureTooSmall",
    "PictureTooLarge",
    "PictureTooCostly",
)
_OUT_OF_TIME: Final = frozenset({signal.SIGALRM, signal.SIGXCPU})
_MOST_NOTICES: Final = 20
_LONGEST_TEXT: Final = 1_000
_DEFAULT_LIMITS: Final = PictureLimits()


#: Seconds in which a message comes that has begun to.
_WHOLE_MESSAGE = 5.0
#: What answers lead to that no decoder gives which is still its own.
_ASTRAY = (ArithmeticError, KeyError, OSError, RecursionError, TypeError, ValueError)


class _Ended(Exception):
    """A decoder ended before it answered."""


class _Decoder:
    """One decoder process. Not for several threads at once."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(_WHOLE_MESSAGE)
        path = json.dumps([os.path.abspath(each) for each in sys.path])  # noqa: PTH100 - of text
        kept = {name: os.environ[name] for name in _LIBRARIES if name in os.environ}
        with theirs:
            try:
                # A new program: nothing of this one's memory is in it. Its own session, so that
                # what a terminal sends to this one does not reach it.
                self._process = subprocess.Popen(  # noqa: S603 - of our own words
                    [sys.executable, "-I", "-B", "-c", _CODE, path, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env=_ENVIRONMENT | kept,
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                self._channel.close()
                raise DecoderUnavailable(
                    f"the process that decodes pictures cannot be started: {error.strerror}"
                ) from error
        self._wait_until_ready()

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def decode(self, form: str, data: bytes, limits: PictureLimits, *, whole: bool) -> Picture:
        """Have a picture decoded; raises a PictureError, or what ``effort.check`` does.

        Only after a refusal of the picture's own, which has no cause, can the process be used on.
        """
        seconds = min(effort.remaining(), MOST_SECONDS)
        given = {**dataclasses.asdict(limits), "formats": sorted(limits.formats)}
        asked = {"bytes": len(data), "seconds": seconds, "whole": whole, "limits": given}
        descriptor = filled(memoryview(data))
        try:
            fix_size(descriptor)
            send(self._channel, asked, descriptor)
            self._wait(seconds)
            answer, descriptor_of_pixels = receive(self._channel)
        except (EOFError, ConnectionError) as error:
            raise self._broken(form) from error
        except _ASTRAY as error:
            raise _astray(form) from error
        finally:
            os.close(descriptor)
        try:
            return _picture(answer, descriptor_of_pixels, limits)
        except _ASTRAY as error:
            raise _astray(form) from error

    def close(self) -> None:
        """End the process, whatever it does."""
        self._channel.close()
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()

    def _wait_until_ready(self) -> None:
        try:
            self._wait(_TO_START)
            receive(self._channel)
        except (EOFError, OSError, ValueError, PictureTooCostly) as error:
            self.close()
            raise DecoderUnavailable(
                "the process that decodes pictures did not start; it may lack memory (ulimit -v)"
            ) from error
        except BaseException:
            self.close()
            raise

    def _wait(self, seconds: float) -> None:
        """Wait in short turns for an answer, as long as the work may go on."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        deadline = time.monotonic() + seconds
        while not poll.poll(_TURN * 1000):
            effort.check()
            if time.monotonic() > deadline:
                raise PictureTooCostly(
                    f"decoding the picture took more than {seconds:g} s; make it smaller"
                )

    def _broken(self, form: str) -> PictureError:
        """Return what to say of a picture on which the process ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        status = self._process.returncode or 0
        if -status in _OUT_OF_TIME:
            return PictureTooCostly("decoding the picture took too long; make it smaller")
        if status == -signal.SIGKILL:
            return PictureTooCostly(
                "the system ended the decoding of the picture, perhaps for want of memory; make "
                "it smaller"
            )
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        return UnreadablePicture(f"the {form} picture broke its decoder ({how}), and is not used")


def _astray(form: str) -> PictureError:
    return UnreadablePicture(f"the {form} picture led its decoder astray, and is not used")


def _picture(answer: dict[str, Any], descriptor: int | None, limits: PictureLimits) -> Picture:
    """Return what a decoder answered, or raise its refusal; nothing of it is believed unseen."""
    if descriptor is None:
        name, message = answer["error"], str(answer["message"])[:_LONGEST_TEXT]
        if name not in _REFUSALS:
            raise ValueError("there is no such refusal")
        raise getattr(errors, name)(message)
    try:
        width, height = int(answer["width"]), int(answer["height"])
        if min(width, height) < 1 or width * height > limits.max_decoded:
            raise ValueError("the pixels are too many, or none")
        whole_width, whole_height = (int(side) for side in answer["whole"])
        if whole_width < width or whole_height < height or answer["format"] not in FORMATS:
            raise ValueError("the answer contradicts itself")
        notices = tuple(str(each)[:_LONGEST_TEXT] for each in answer["notices"][:_MOST_NOTICES])
    except BaseException:
        os.close(descriptor)
        raise
    memory_of_pixels = mapped(descriptor, width * height * 3)
    pixels = np.frombuffer(memory_of_pixels, np.uint8).reshape(height, width, 3)
    return Picture(pixels, answer["format"], notices, (whole_width, whole_height))


class Decoders:
    """Decoder processes, started when they are needed: as many as pictures are decoded at once.

    Safe to share between threads.
    """

    def __init__(self) -> None:
        self._idle: list[_Decoder] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def decode(
        self, data: bytes, limits: PictureLimits = _DEFAULT_LIMITS, *, whole: bool = True
    ) -> Picture:
        """Do as ``sayso.vision.picture.decode``, in another process.

        While it lasts, the effort of this context is asked whether it is to go on; where not, the
        process is ended. Raises ``PictureTooCostly``, too, for what takes too many seconds or too
        much memory, and DecoderUnavailable where there can be no such process.
        """
        form = form_of(data, limits)
        effort.check()
        decoder = self._take()
        usable = False
        try:
            picture = decoder.decode(form, data, limits, whole=whole)
            usable = True
        except PictureError as error:
            usable = error.__cause__ is None and decoder.alive
            usable = usable and not isinstance(error, PictureTooCostly)
            raise
        finally:
            if usable:
                self._give_back(decoder)
            else:
                decoder.close()
        return picture

    def close(self) -> None:
        """End the processes that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            each.close()

    def _take(self) -> _Decoder:
        while True:
            with self._lock:
                if self._owner != os.getpid():  # forked: they are the other process's
                    self._owner, self._idle = os.getpid(), []
                decoder = self._idle.pop() if self._idle else None
            if decoder is None:
                return _Decoder()
            if decoder.alive:
                return decoder
            decoder.close()

    def _give_back(self, decoder: _Decoder) -> None:
        with self._lock:
            self._idle.append(decoder)


_SHARED: Final = Decoders()
atexit.register(_SHARED.close)


def decode_apart(
    data: bytes, limits: PictureLimits = _DEFAULT_LIMITS, *, whole: bool = True
) -> Picture:
    """Decode in a process of this process's own; see ``Decoders.decode``."""
    return _SHARED.decode(data, limits, whole=whole)
