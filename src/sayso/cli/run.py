"""From arguments to exit status: what went wrong is one message on standard error."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import click

from sayso.cli.app import cli
from sayso.cli.output import complain
from sayso.errors import SaysoError

REFUSED = 1
INTERRUPTED = 130
#: What shells say of a program whose reader left, as `head` does.
READER_LEFT = 141


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; never shows a traceback.

    With ``SAYSO_DEBUG=1`` in the environment errors are raised instead, to be looked into.
    """
    out, err = sys.stdout, sys.stderr
    for stream in (out, err):
        # A name that the terminal cannot show is shown escaped rather than not at all.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _warnings_told():
            return _run(arguments)
    except BrokenPipeError:
        return _reader_left()
    except SystemExit:
        if sys.stdout is out:
            raise
        # Click met a broken pipe: it has put something else in the place of both, and ends with 1.
        sys.stdout, sys.stderr = out, err
        return _reader_left()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("SAYSO_DEBUG", "") not in {"", "0"}:
            raise
        complain(_message(error))
        return REFUSED


class _Teller(logging.Handler):
    """Tells what is logged as every other message is told."""

    def emit(self, record: logging.LogRecord) -> None:
        complain(record.getMessage())


@contextmanager
def _warnings_told() -> Iterator[None]:
    """Tell the warnings that the library logs on standard error."""
    log, teller = logging.getLogger("sayso"), _Teller(logging.WARNING)
    log.addHandler(teller)
    try:
        yield
    finally:
        log.removeHandler(teller)


def _message(error: Exception) -> str:
    if isinstance(error, SaysoError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory for this"
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"unexpected {what} (SAYSO_DEBUG=1 shows where)"


def _run(arguments: Sequence[str] | None) -> int:
    given = list(arguments) if arguments is not None else None
    status = cli.main(given, prog_name="sayso", standalone_mode=False)
    sys.stdout.flush()
    return status if isinstance(status, int) else 0


def _reader_left() -> int:
    """Whoever read our output is gone, as ``head`` is after ten lines: end without a word."""
    _discard(sys.stdout)
    return READER_LEFT


def _discard(stream: TextIO) -> None:
    # Python flushes once more when it exits, and would complain then.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
