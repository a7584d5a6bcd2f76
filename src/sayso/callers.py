"""Who asks, for which purpose, and whether they may."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass
from typing import Literal

from sayso.errors import ConsentRequired
from sayso.gallery.names import check_collection, check_purpose, is_text

#: What can be asked of the application.
Action = Literal["compare", "enrol", "search", "erase", "read", "admin"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an ``actor``, and the one ``purpose`` that they search for, or None for upkeep."""

    actor: str
    purpose: str | None = None

    def __post_init__(self) -> None:
        if self.purpose is not None:
            check_purpose(self.purpose)


def local_actor() -> str:
    """Name the operating-system user, as the actor of commands and library calls.

    The system is asked, not the environment: ``LOGNAME`` and ``USER`` say what anybody likes. A
    user without a name that is text is told by number.
    """
    if sys.platform == "win32":  # which has no such numbers
        try:
            return f"user:{getpass.getuser()}"
        except OSError:
            return "user:unknown"
    import pwd  # only where there is one

    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:  # a container may run under a number that has no name
        return f"uid:{number}"
    return f"user:{name}" if is_text(name) else f"uid:{number}"


def permit(caller: Caller, action: Action, collection: str | None) -> None:
    """Raise unless the caller may do this to the collection (None: to none in particular).

    Raises InvalidName for a bad collection name, ConsentRequired for a search without a purpose.
    """
    if collection is not None:
        check_collection(collection)
    if action == "search" and caller.purpose is None:
        raise ConsentRequired("a search needs a purpose, such as photo-delivery")
