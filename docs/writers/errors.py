"""The page of errors: the tree as the classes are."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import sayso
from docs.writers.markdown import code, first_sentence, table
from sayso import errors

#: Importing these runs something; none of them defines an error.
_NOT_IMPORTED = ("sayso.gallery.migrations", "sayso.__main__")

#: Errors that only steer what happens inside; they leave as the error they derive from.
_INNER = ("sayso.models.fetch",)

_INTRODUCTION = """\
# Errors

Everything that Sayso raises on purpose is a `SaysoError`. Catch that, or something narrower:
all but the ones marked otherwise are in `sayso.errors`. A message says what was wrong, with what
value, and what to do; it never holds a template, a key, or a path that you did not give.

On the command line an error is one message on standard error and exit status 1; see
[the commands](cli.md#exit-status).
"""


def page() -> str:
    """Return the page."""
    tree = "\n".join(
        f"{'    ' * depth}{error.__name__}" for error, depth in walk(errors.SaysoError)
    )
    rows = [
        (code(error.__name__), first_sentence(error.__doc__) + _home(error))
        for error, _ in walk(errors.SaysoError)
    ]
    return f"{_INTRODUCTION}\n```text\n{tree}\n```\n\n{table(['error', 'meaning'], rows)}\n"


def walk(root: type[Exception], depth: int = 0) -> Iterator[tuple[type[Exception], int]]:
    """Yield the error and all below it, by name, with how deep each one lies."""
    if depth == 0:
        _import_all()
    yield root, depth
    for child in sorted(root.__subclasses__(), key=lambda each: each.__name__):
        # Tests may define errors of their own; they are not the product's.
        if child.__module__.partition(".")[0] == "sayso" and child.__module__ not in _INNER:
            yield from walk(child, depth + 1)


def _home(error: type[Exception]) -> str:
    if error.__name__ in errors.__all__:
        return ""
    return f" In {code(error.__module__)}."


def _import_all() -> None:
    for module in pkgutil.walk_packages(sayso.__path__, "sayso."):
        if not module.name.startswith(_NOT_IMPORTED):
            importlib.import_module(module.name)
