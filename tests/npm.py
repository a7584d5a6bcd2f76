"""Packages of npm that tests need: installed from a lock, and kept between runs."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest


def installed(project: Path, name: str, request: pytest.FixtureRequest) -> Path:
    """Return a copy of a project with its packages beside it; skips where they cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no Node.js with npm on this machine")
    lock = (project / "package-lock.json").read_bytes()
    name = f"{name}-{hashlib.sha256(lock).hexdigest()[:16]}"
    cache = getattr(request.config, "cache", None)
    if cache:
        folder = Path(cache.mkdir(name))
    else:
        folder = request.getfixturevalue("tmp_path_factory").mktemp(name)
    for path in project.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    if not (folder / "installed").exists():
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"{name} cannot be installed: {done.stderr[-300:]}")
        (folder / "installed").touch()
    return folder


def names_no_host(project: Path) -> bool:
    """Tell whether a lock leaves it to whoever installs where packages come from."""
    lock = (project / "package-lock.json").read_text()
    return "://" not in lock and '"resolved"' not in lock
