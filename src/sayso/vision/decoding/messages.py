"""What passes between a decoder process and the one that it serves: lines of JSON, and memory.

Picture files and pixels go through memory without a name that both map; nothing is copied through
pipes and nothing is written to a disk. What a decoder answers is checked like any other input: a
picture may have taken it over.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import json
import mmap
import os
import secrets
import socket
from typing import Any, Final

_LONGEST: Final = 1 << 16
_END: Final = b"\n"


def memory(size: int) -> tuple[int, mmap.mmap]:
    """Return a descriptor of so many bytes of memory that has no name, and the memory."""
    descriptor = _nameless()
    try:
        os.ftruncate(descriptor, size)
        return descriptor, mmap.mmap(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise


def filled(content: memoryview) -> int:
    """Return a descriptor of memory with this content."""
    if not hasattr(os, "memfd_create"):  # elsewhere it can only be mapped
        descriptor, mapping = memory(content.nbytes)
        mapping[:] = content.cast("B")
        return descriptor
    descriptor = _nameless()
    try:
        left = content.cast("B")
        while left:
            left = left[os.write(descriptor, left) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _nameless() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sayso", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    import _posixshmem  # what multiprocessing.shared_memory stands on

    name = f"/sayso-{secrets.token_hex(8)}"
    descriptor: int = _posixshmem.shm_open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode=0o600)
    _posixshmem.shm_unlink(name)
    return descriptor


def fix_size(descriptor: int) -> None:
    """Make memory keep its size: who has mapped it could not read on if it were cut short."""
    if hasattr(fcntl, "F_ADD_SEALS"):
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)


def mapped(descriptor: int, size: int) -> mmap.mmap:
    """Map the first bytes of somebody else's memory, to read; raises ValueError if it may shrink.

    The descriptor is closed.
    """
    try:
        if os.fstat(descriptor).st_size < size:
            raise ValueError("there is less memory than was said")
        if hasattr(fcntl, "F_GET_SEALS"):
            seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
            if not seals & fcntl.F_SEAL_SHRINK:
                raise ValueError("the memory may shrink")
        return mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)


def send(channel: socket.socket, message: dict[str, Any], descriptor: int | None = None) -> None:
    """Send a message, and a descriptor with it."""
    line = json.dumps(message).encode() + _END
    ancillary = []
    if descriptor is not None:
        rights = array.array("i", [descriptor])
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
    sent = channel.sendmsg([line], ancillary)
    channel.sendall(line[sent:])


def receive(channel: socket.socket) -> tuple[dict[str, Any], int | None]:
    """Return a message and the descriptor that came with it; raises EOFError at the end.

    ValueError for what is no message.
    """
    line, descriptors = b"", list[int]()
    try:
        while not line.endswith(_END):
            part, found, _, _ = socket.recv_fds(channel, _LONGEST, 1)
            descriptors += found
            line += part
            if not part:
                raise EOFError
            if len(line) > _LONGEST or len(descriptors) > 1:
                raise ValueError("a message is too long")
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("a message is no object")
    except BaseException:
        for each in descriptors:
            with contextlib.suppress(OSError):
                os.close(each)
        raise
    return message, descriptors[0] if descriptors else None
