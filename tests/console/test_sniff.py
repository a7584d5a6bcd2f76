"""What the console takes for a picture among the files of a folder: what the commands do."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import sayso.console
from sayso.folders import look_through
from tests.test_folders import APPLE_DOUBLE, JPEG, TIFF

SNIFF = Path(sayso.console.__file__).parent / "static" / "js" / "sniff.js"
FILES = {
    "a.jfif": JPEG,
    "b.mpo": JPEG,
    "c.nef": TIFF,
    "d": b"\x89PNG\r\n\x1a\n",
    "e": b"RIFF\x10\0\0\0WEBPVP8 ",
    "f": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "g": b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
    "h.jpg": b"x",
    "._i.jpg": APPLE_DOUBLE,
    ".j.jpg": JPEG,
    "k.txt": b"BMW and others",
    "l.pdf": b"%PDF-1.7",
    "m.mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
}
_SCRIPT = """
import { openAsBlob, readdirSync } from "node:fs";
const { isPicture } = await import(process.argv[1]);
const found = [];
for (const name of readdirSync(process.argv[2])) {
  const blob = await openAsBlob(`${process.argv[2]}/${name}`);
  if (await isPicture(new File([blob], name))) found.push(name);
}
console.log(JSON.stringify(found.sort()));
"""


def test_the_console_knows_pictures_as_the_commands_do(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    module = tmp_path / "sniff.mjs"
    shutil.copy(SNIFF, module)
    done = subprocess.run(
        [node, "--input-type=module", "--no-warnings", "-e", _SCRIPT, "--", module, folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [path.name for path in look_through([folder]).pictures]
