"""The page of commands: what ``sayso --help`` and its like say, in one place."""

from __future__ import annotations

from collections.abc import Iterator

import click

from docs.writers.markdown import code, prose, table
from sayso.cli.app import cli

_INTRODUCTION = """\
# Commands

`sayso COMMAND --help` says the same in the terminal. Options may stand before or after the
arguments. Where a command takes pictures it takes folders as well, and looks at the pictures
directly in them.

## Exit status

| status | meaning |
| --- | --- |
| 0 | done |
| 1 | refused, not found, or not all pictures could be used; the message is on standard error |
| 2 | wrong usage |
| 130 | interrupted |
| 141 | whoever read the output left before its end, as `head` does |

Results go to standard output; messages and progress to standard error. With `--json` standard
output holds exactly one JSON document, or nothing when the command was refused: see
[the documents](json.md).
"""


def page() -> str:
    """Return the page."""
    return _INTRODUCTION + "".join(
        _section(name, command) for name, command in commands(cli, "sayso")
    )


def commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that can be run with its whole name, in the order of the help."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None  # noqa: S101 - the group has just named it
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    text = f"\n## {name}\n\n```text\n{usage}\n```\n\n{prose(command.help)}\n"
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        rows = [(code(_spelling(option)), _meaning(option)) for option in options]
        text += f"\n{table(['option', 'meaning'], rows)}\n"
    return text


def _spelling(option: click.Option) -> str:
    names = ", ".join(option.opts)
    if option.is_flag:
        return names
    if isinstance(option.type, click.Choice):
        return f"{names} {'|'.join(option.type.choices)}"
    return f"{names} {option.metavar or 'NUMBER'}"


def _meaning(option: click.Option) -> str:
    said = option.help or ""
    if isinstance(option.type, click.FloatRange):
        said += f" From {option.type.min} to {option.type.max}."
    if option.required:
        said += " Required."
    if option.show_default:
        said += f" Default: {option.default}."
    return said
