"""What commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from typing import Any, Literal

import click

#: From here on "1 in N" is too coarse: between 1 in 5 and 1 in 1 lie only three more steps.
_IN_TENTHS = 0.2

#: What stands where a face has no name; no subject can be called that.
UNKNOWN = "(unknown)"

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of text."
)


def shown(text: str | os.PathLike[str]) -> str:
    """Return ``text`` safe to print: control characters and broken encodings are escaped."""
    plain = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in plain)


def complain(message: str) -> None:
    """Print a message on standard error."""
    click.echo("sayso: " + "\n".join(shown(line) for line in message.splitlines()), err=True)


def print_json(document: Any) -> None:
    """Print ``document`` as the one JSON document on standard output."""
    click.echo(json.dumps(document, allow_nan=False))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> None:
    """Print a table: coloured on a terminal, as plain columns elsewhere.

    ``right`` has an ``r`` at the position of each column that is aligned to the right.
    """
    cells = [[shown(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(headers, cells, right)
        return
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    for row in [list(headers), *cells]:
        padded = [
            cell.rjust(width) if right[i : i + 1] == "r" else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(padded).rstrip())


def _print_rich(headers: Sequence[str], rows: Sequence[Sequence[str]], right: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for i, header in enumerate(headers):
        side: Literal["left", "right"] = "right" if right[i : i + 1] == "r" else "left"
        table.add_column(header, justify=side, overflow="fold")
    for row in rows:
        dim = bool(row) and row[0] == UNKNOWN
        table.add_row(*(Text(cell, style="dim" if dim else "") for cell in row))
    Console().print(table)


def in_words(expected: float | None) -> str:
    """Say how many strangers were expected to match this well, in a number and in words.

    The words never say less than the number.
    """
    if expected is None:
        return ""
    if expected >= 1:
        return f"{expected:.1f} (strangers are likely to look this alike)"
    if expected <= 0:
        return "0"
    if expected > _IN_TENTHS:
        return f"{expected:.2g} ({math.ceil(round(10 * expected, 6))} in 10)"
    return f"{expected:.2g} (1 in {_round_down(1 / expected):,})"


def _round_down(value: float) -> int:
    """Round down to two significant digits: more would claim a precision that nobody has."""
    # A hair more first, for what floating point put just below a round number.
    whole = math.floor(value * (1 + 1e-9))
    step = int("1" + "0" * (len(str(whole)) - 2))
    return whole // step * step


def count(number: int, noun: str) -> str:
    """Return ``1 face`` or ``3 faces``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
