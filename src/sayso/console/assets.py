"""Styles, scripts and pictures of the console, as files that a browser may keep."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from sayso.service.place import at

ROOT: Final = Path(str(resources.files(__package__ or ""))) / "static"


class Assets(StaticFiles):
    """Serves what is in ``static``; what is asked for by its version may be kept for good."""

    def __init__(self) -> None:
        super().__init__(directory=ROOT)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, or its absence."""
        scope["sayso.route"] = "console:static"
        response = await super().get_response(path, scope)
        current = scope["path_params"].get("version") == version()
        kept = "public, max-age=31536000, immutable" if current else "no-cache"
        response.headers["Cache-Control"] = kept
        return response


@functools.cache
def version() -> str:
    """Return what changes with any of the files: scripts name each other by relative paths."""
    digest = hashlib.sha256()
    for file in sorted(each for each in ROOT.rglob("*") if each.is_file()):
        digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def address(name: str) -> str:
    """Return the address of a file of ``static``."""
    return at(f"/console/static/{version()}/{name}")
