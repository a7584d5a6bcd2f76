"""Logs: one line of JSON for each request, on standard error, and nothing personal in it.

A line says which route it was and not which path, so that the name of a subject cannot be in it; it
has no query, no address, no header and no body. Of an error that nobody expected it says the type
and where it was raised, not its message, which may quote any of these.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from types import TracebackType
from typing import Any, TextIO

#: Where the lines of requests go; below ``sayso``, so that one handler has them all.
REQUESTS = logging.getLogger("sayso.service.requests")
#: Whose records are written as lines of JSON while the service runs.
_LOGGERS = ("sayso", "uvicorn", "uvicorn.error", "py.warnings", "asyncio", "python_multipart")
_PACKAGES = PurePath(__file__).parents[2]
#: Frames of a traceback that are told, the innermost.
_FRAMES = 12


@dataclass(frozen=True, slots=True)
class RequestLine:
    """What is logged of a request. ``key`` is the id of the access key, never its secret."""

    request: str
    method: str
    route: str
    status: int
    ms: float
    bytes_in: int
    bytes_out: int
    key: str | None

    def log(self) -> None:
        """Write it."""
        level = logging.WARNING if self.status >= 500 else logging.INFO
        REQUESTS.log(level, "request", extra={"fields": asdict(self)})


class JsonFormatter(logging.Formatter):
    """Makes one line of JSON of a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        told |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1] is not None:
            told["error"] = type(record.exc_info[1]).__name__
            told["at"] = places(record.exc_info[2])
        return json.dumps(told, ensure_ascii=True, default=str)


def places(trace: TracebackType | None) -> list[str]:
    """Return where an error was raised, the innermost last: files, lines and functions only."""
    frames = traceback.extract_tb(trace)[-_FRAMES:]
    return [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]


def _short(name: str) -> str:
    """Return a file's name within its package: the folders above it are somebody's own."""
    path = PurePath(name)
    if path.is_relative_to(_PACKAGES):
        return path.relative_to(_PACKAGES).as_posix()
    return PurePath(*path.parts[-2:]).as_posix()


@contextmanager
def json_logs(level: str, stream: TextIO | None = None) -> Iterator[None]:
    """Write what is logged from ``level`` on as lines of JSON, on standard error by default.

    Until the block is left; then everything logs as before.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(each.handlers, each.level, each.propagate) for each in loggers]
    for each in loggers:
        each.handlers, each.propagate = [handler], False
        each.setLevel(level.upper())
    # What uvicorn tells of its own comings and goings is ours to tell.
    quiet = max(logging.WARNING, logging.getLogger("sayso").level)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(quiet)
    try:
        yield
    finally:
        for each, (handlers, old, propagate) in zip(loggers, before, strict=True):
            each.handlers, each.propagate = handlers, propagate
            each.setLevel(old)
