"""Take the pictures of the console: ``python -m docs.screenshots [NAME...]``, ``make screenshots``.

The service that is photographed is the real one, with a gallery of its own in a temporary folder,
and is used as a person uses it: with a browser, by the link that it prints. The only person to be
seen is the astronaut Eileen Collins, in NASA's portrait that is in the public domain; the
bystanders are tiny grey faces of a public data set, enlarged. Other subjects are names alone.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

import sayso
from sayso.demo import compose
from sayso.settings import load_settings

IMAGES = Path(__file__).resolve().parent / "images"
WIDE, PHONE = (1280, 800), (360, 800)
#: How long the service may take to start, and a page to show what was asked, in seconds.
PATIENCE = 120.0
COLLECTION, SUBJECT, PURPOSE = "club", "eileen-collins", "photo-delivery"

_ENTER = re.compile(r"https?://\S+/console/enter#\S+")


class NotTaken(Exception):
    """A picture cannot be taken; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture to take: of which page, and what is done there before.

    ``page`` is below ``/console/``; ``act`` is given the page in a browser and the folder that
    ``portrait.png`` and ``group.png`` are in. ``whole`` shows all of the page, however long.
    """

    subject: str
    page: str
    act: Callable[[Page, Path], None] | None = None
    size: tuple[int, int] = WIDE
    dark: bool = False
    whole: bool = False

    @property
    def name(self) -> str:
        """What its file is called, without the ending: ``look-1280-light``."""
        return f"{self.subject}-{self.size[0]}-{'dark' if self.dark else 'light'}"


def cover_group(page: Page, pictures: Path) -> None:
    """Give the page the group picture, and wait until its faces are listed."""
    page.locator("#choose-pictures").set_input_files(pictures / "group.png")
    page.locator("#sight li").first.wait_for()


def show_portrait(page: Page, pictures: Path) -> None:
    """Give the page the portrait: nobody is seen in the documentation who did not agree to it."""
    page.locator("#choose-pictures").set_input_files(pictures / "portrait.png")
    page.locator("#sight li").first.wait_for()
    page.locator("#sight").evaluate("(sight) => sight.scrollIntoView()")


def take_first_steps(page: Page, _: Path) -> None:
    """Press the button of each first step, one after the other."""
    buttons = page.locator(".steps button")
    while buttons.count():
        buttons.first.click()
        page.wait_for_load_state("networkidle")


_LOOK, _PUBLISH = f"look?collection={COLLECTION}", f"publish?collection={COLLECTION}"

#: The first steps come last: they add a collection to the others.
SHOTS = (
    Shot("look", _LOOK, show_portrait),
    Shot("look", _LOOK, show_portrait, dark=True),
    Shot("look", _LOOK, show_portrait, size=PHONE),
    Shot("collections", f"collections/one?collection={COLLECTION}"),
    Shot("publish", _PUBLISH, cover_group, whole=True),
    Shot("start", "start", take_first_steps, whole=True),
)


def take(shots: tuple[Shot, ...], images: Path, chromium: str) -> Iterator[Path]:
    """Take pictures, and yield the file of each one; raises NotTaken."""
    with (
        tempfile.TemporaryDirectory() as name,
        _gallery(Path(name)) as environment,
        _service(environment, Path(name)) as link,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium)
        signed_in = _enter(browser, link)
        base = link.partition("/console/")[0]
        images.mkdir(parents=True, exist_ok=True)
        for shot in shots:
            yield _photograph(browser, shot, base, signed_in, Path(name), images)
        browser.close()


def _photograph(
    browser: Browser, shot: Shot, base: str, signed_in: StorageState, pictures: Path, images: Path
) -> Path:
    width, height = shot.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if shot.dark else "light",
        reduced_motion="reduce",
        storage_state=signed_in,
        locale="en-GB",
        timezone_id="UTC",
    )
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    answer = page.goto(f"{base}/console/{shot.page}", wait_until="networkidle")
    if answer is None or answer.status != HTTPStatus.OK:
        status = "no answer" if answer is None else f"status {answer.status}"
        raise NotTaken(f"{shot.name}: /console/{shot.page} gave {status}")
    if shot.act is not None:
        shot.act(page, pictures)
    file = images / f"{shot.name}.png"
    if shot.whole:
        # A window as high as the page: browsers leave out what was never in the window.
        tall = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": max(height, tall)})
        page.evaluate("() => new Promise((done) => setTimeout(done, 500))")
    page.screenshot(path=file, animations="disabled", caret="hide")
    context.close()
    shrink(file)
    return file


def shrink(file: Path) -> None:
    """Write a picture again, smaller and the same to the pixel, without a transparent channel."""
    with Image.open(file) as picture:
        plain = picture.convert("RGB")
    few = plain.getcolors(256)
    if few is not None:  # a page without a photograph: a palette may hold all of its colours
        indexed = plain.quantize(len(few), dither=Image.Dither.NONE)
        if ImageChops.difference(indexed.convert("RGB"), plain).getbbox() is None:
            indexed.save(file, optimize=True)
            return
    plain.save(file, optimize=True)


def _enter(browser: Browser, link: str) -> StorageState:
    """Sign in by the link, which works once; return the cookies of the session."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    page.locator("nav").first.wait_for()
    state = context.storage_state()
    context.close()
    return state


@contextmanager
def _gallery(folder: Path) -> Iterator[dict[str, str]]:
    """Make a gallery to show and two pictures, and yield the environment to use it in."""
    import skimage.data as shipped  # it has no types

    data: Any = shipped
    Image.fromarray(data.astronaut()).save(folder / "portrait.png")
    Image.fromarray(compose(data.astronaut(), data.lfw_subset())).save(folder / "group.png")
    installed = load_settings().data / "models"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAYSO_")}
    environment = kept | {"SAYSO_DATA": str(folder / "data"), "SAYSO_PORT": "0"}
    (folder / "data").mkdir()
    if installed.is_dir():
        (folder / "data" / "models").symlink_to(installed.resolve(), target_is_directory=True)

    agreed = sayso.Consent(purposes=[PURPOSE], evidence="form 17, signed at the desk")
    with sayso.open(folder / "data", actor="user:desk") as app:
        app.create_collection(COLLECTION)
        portrait, group = folder / "portrait.png", folder / "group.png"
        app.enroll(COLLECTION, subject=SUBJECT, pictures=[portrait], consent=agreed)
        for subject in ("ada-lovelace", "grace-hopper", "mary-jackson"):
            app.add_consent(COLLECTION, subject, agreed)
        app.withdraw_consent(COLLECTION, "mary-jackson")
        app.recognize(COLLECTION, group, purpose=PURPOSE)
    yield environment


@contextmanager
def _service(environment: dict[str, str], folder: Path) -> Iterator[str]:
    """Run the service, and yield the link that signs in to its console."""
    told = folder / "told.txt"
    with told.open("wb") as output:
        service = subprocess.Popen(
            [sys.executable, "-m", "sayso", "serve", "--sign-in-link"],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
    try:
        until = time.monotonic() + PATIENCE
        while not (found := _ENTER.search(told.read_text(encoding="utf-8"))):
            if service.poll() is not None or time.monotonic() > until:
                raise NotTaken("sayso serve did not print a link to the console")
            time.sleep(0.1)
        yield found[0]
    finally:
        service.terminate()
        service.wait()


def main(arguments: list[str] | None = None) -> int:
    """Take all pictures, or the named ones; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.screenshots", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="the pictures (default: all)")
    parser.add_argument(
        "--out", type=Path, default=IMAGES, help="the folder (default: docs/images)"
    )
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.names) - {shot.name for shot in SHOTS}
    if unknown:
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    if chosen.chromium is None:
        parser.error("Chromium is not installed: install it, or name it with --chromium")
    shots = tuple(shot for shot in SHOTS if not chosen.names or shot.name in chosen.names)
    try:
        for file in take(shots, chosen.out, chosen.chromium):
            sys.stderr.write(f"{file} ({file.stat().st_size:,} bytes)\n")
    except NotTaken as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
