"""Watches what a Python process does outside itself; Python imports this by its name.

It works in every process that has this folder on its PYTHONPATH, and so in the children of one that
is watched. Each event is a line of JSON in the file that ``WATCHED`` names: ``connect`` or
``resolve`` an address, ``start`` a program, ``write`` to a path.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
Given = tuple[Any, ...]


def _path(each: Any) -> str:
    return os.path.normpath(os.path.join(os.getcwd(), os.fsdecode(each)))  # noqa: PTH109, PTH118


def _opened(given: Given) -> Iterator[str]:
    path, mode, flags = given
    is_path = isinstance(path, (str, bytes))
    if is_path and ((flags or 0) & _WRITING or set(mode or "") & set("wax+")):
        yield _path(path)


def _changed(given: Given) -> Iterator[str]:
    yield from (_path(each) for each in given[:2] if isinstance(each, (str, bytes, os.PathLike)))


def _addressed(given: Given) -> Iterator[str]:
    if given[1] is not None:  # of a socket that is connected, that was seen, or it is one of a pair
        yield repr(given[1])


def _removed(given: Given) -> Iterator[str]:
    if given[1] == -1:  # not in a folder held open, as rmtree has it
        yield _path(given[0])


def _told(given: Given) -> Iterator[str]:
    yield repr(given)


_EVENTS: dict[str, tuple[str, Callable[[Given], Iterator[str]]]] = {
    "open": ("write", _opened),
    "subprocess.Popen": ("start", lambda given: iter([" ".join(map(os.fsdecode, given[1]))])),
    "sayso.command": ("command", iter),  # what is done from here on
    **dict.fromkeys(["os.mkdir", "os.rename", "os.link", "os.symlink"], ("write", _changed)),
    **dict.fromkeys(["os.remove", "os.rmdir"], ("write", _removed)),
    **dict.fromkeys(
        ["socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"],
        ("resolve", lambda given: iter([repr(given[0])])),
    ),
    **dict.fromkeys(
        ["socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"],
        ("connect", _addressed),
    ),
    **dict.fromkeys(
        ["os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"],
        ("start", _told),
    ),
}


def _watch(file: str) -> None:
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def hook(event: str, given: Given) -> None:
        if event in _EVENTS:
            did, what = _EVENTS[event]
            for each in what(given):
                os.write(log, (json.dumps([did, event, each]) + "\n").encode())

    sys.addaudithook(hook)


if _file := os.environ.get("WATCHED"):
    _watch(_file)
