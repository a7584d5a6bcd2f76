"""What was written elsewhere is what it says it is, and asks for nothing elsewhere."""

from __future__ import annotations

import hashlib
import re
import tomllib

import pytest

from sayso.console.assets import ROOT

VENDOR = ROOT / "vendor"
DECLARED = tomllib.loads((VENDOR / "vendored.toml").read_text())
#: Names of formats, which nobody fetches.
_NAMES = ("http://www.w3.org/",)


@pytest.mark.parametrize("folder", sorted(DECLARED))
def test_a_file_is_the_one_that_its_version_has(folder: str) -> None:
    declared = DECLARED[folder]
    assert declared["licence"] == "MIT"
    assert re.fullmatch(r"\d+\.\d+\.\d+", declared["version"])
    files = {
        path.relative_to(VENDOR / folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (VENDOR / folder).rglob("*")
        if path.is_file()
    }
    assert files == declared["files"]
    assert any(name.startswith("LICENSE") for name in files)


def test_nothing_else_is_there() -> None:
    assert {each.name for each in VENDOR.iterdir()} == {*DECLARED, "vendored.toml"}
    banner = (VENDOR / "pico" / "pico.min.css").read_text("utf-8")[:200]
    assert f"v{DECLARED['pico']['version']}" in banner


def test_no_file_fetches_from_elsewhere() -> None:
    for path in ROOT.rglob("*"):
        if path.suffix not in {".css", ".js", ".svg"}:
            continue
        text = path.read_text("utf-8")
        for name in _NAMES:
            text = text.replace(name, "")
        if path.suffix == ".css":
            assert "@import" not in text
            for url in re.findall(r"url\(\s*[\"']?([^)\"']*)", text):
                assert url.startswith(("data:", "#")) or (path.parent / url).is_file(), (path, url)
        elif VENDOR not in path.parents:
            assert not re.search(r"https?://|[\"'`]//\w", text), path
        # A script that makes code of text would not run under the policy.
        if path.suffix == ".js":
            assert not re.search(r"\beval\(|new Function\(|\.innerHTML\b|insertAdjacentHTML", text)
