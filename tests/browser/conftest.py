"""A real server and a real browser for the tests of a file, each in a window of its own."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Browser, BrowserContext, StorageState, expect, sync_playwright

from sayso.callers import ACTIONS
from sayso.console import assets
from tests import npm
from tests.browser.visitor import DESK, Visitor
from tests.service.process import PATIENCE, ServerProcess, serving

#: The same person in two pictures, as the first steps have them.
PORTRAIT, SECOND = (assets.ROOT / "sample" / f"{name}.jpg" for name in ("portrait", "second"))
PURPOSE = "photo-delivery"
AXE = Path(__file__).parent / "js"
#: How long an answer may take that needs models on a busy machine, in milliseconds.
_PATIENCE = 30_000
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


expect.set_options(timeout=_PATIENCE)


@dataclass
class Running:
    """A server for the browser tests, a key for the purpose that may do all, and a session."""

    server: ServerProcess
    bearer: dict[str, str]
    signed_in: StorageState

    @property
    def url(self) -> str:
        return self.server.url

    def call(self, method: str, path: str, expect: int = 200, **options: Any) -> Any:
        """Ask the API with the key."""
        answered = httpx.request(
            method, f"{self.url}/v1{path}", headers=self.bearer, timeout=PATIENCE, **options
        )
        assert answered.status_code == expect, answered.text
        return answered.json() if answered.content else None

    def collection(self, name: str, *people: str) -> None:
        """Make a collection in which these agreed; the first one's is the face of the sample."""
        self.call("POST", "/collections", 201, json={"collection": name})
        for person in people:
            consent = {"purposes": [PURPOSE], "evidence": "form 17"}
            path = f"/collections/{name}/subjects/{person}"
            self.call("POST", f"{path}/consents", 201, json=consent)
        if people:
            files = {"pictures": ("portrait.jpg", PORTRAIT.read_bytes(), "image/jpeg")}
            path = f"/collections/{name}/subjects/{people[0]}/faces"
            self.call("POST", path, 201, files=files)

    def key(self, *actions: str, **more: Any) -> tuple[str, str]:
        """Return the id and the secret of a new key for the purpose, with these rights."""
        asked = {"actor": "tester", "purpose": PURPOSE, "actions": actions, **more}
        made = self.call("POST", "/keys", 201, json=asked)
        return made["id"], made["secret"]

    def people(self, collection: str) -> list[str]:
        """Return who is in a collection."""
        found = self.call("GET", f"/collections/{collection}/subjects")["items"]
        return [each["subject"] for each in found]


# A worker has both only as long as the tests of a file: Playwright keeps an event loop running in
# the thread of the tests, which others would stumble over.
@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Debian's Chromium; Playwright brings none. Its camera sees the person of the sample."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    film = tmp_path_factory.mktemp("camera") / "film.mjpeg"
    film.write_bytes(frame() * 5)
    camera = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=_OPTIONS + camera)
        yield started
        started.close()


def frame() -> bytes:
    """Return what the camera sees, as a JPEG of 640 x 480 pixels."""
    file = io.BytesIO()
    with Image.open(PORTRAIT) as portrait:
        ImageOps.pad(portrait.convert("RGB"), (640, 480)).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture(scope="session")
def axe(request: pytest.FixtureRequest) -> str:
    """The source of axe-core."""
    folder = npm.installed(AXE, "axe", request)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def running(
    browser: Browser, model_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A server that somebody has signed in to, with the link that it shows."""
    data = tmp_path_factory.mktemp("console")
    (data / "models").symlink_to(model_data / "models", target_is_directory=True)
    with signed_in(browser, data) as started:
        yield started


@contextlib.contextmanager
def signed_in(browser: Browser, data: Path, path: str = "") -> Iterator[Running]:
    """Serve a gallery, below a path of its host, and sign in to it with the link that it shows."""
    # Where it is reached is known only when it has begun; of the link, the path is what matters.
    below = {"public_url": f"http://127.0.0.1{path}"} if path else {}
    with serving(data, "--sign-in-link", key_rate=1000, failed_sign_ins=1000, **below) as server:
        server.ready()
        server.url += path
        link = re.search(r"http\S+(/console/enter#\S+)", server.output)
        assert link, server.output
        context = browser.new_context()
        page = context.new_page()
        page.goto(server.url + link[1])
        page.wait_for_url(re.compile("/console/(start|look|collections)"))
        state = context.storage_state()
        context.close()
        running = Running(server, server.bearer, state)
        running.bearer = {"Authorization": "Bearer {}.{}".format(*running.key(*ACTIONS))}
        yield running
        assert server.stop() == 0
        assert "Traceback" not in server.log
        assert "Warning" not in server.log


@pytest.fixture
def context(browser: Browser, running: Running) -> Iterator[Callable[..., BrowserContext]]:
    """Open windows that share nothing with others: ``context(signed_in=False)``."""
    opened: list[BrowserContext] = []

    def open_(*, signed_in: bool = True, scripts: bool = True) -> BrowserContext:
        made = browser.new_context(
            storage_state=running.signed_in if signed_in else None,
            viewport={"width": DESK[0], "height": DESK[1]},
            locale="en-GB",
            permissions=["camera"],
            java_script_enabled=scripts,
        )
        made.set_default_timeout(_PATIENCE)
        opened.append(made)
        return made

    yield open_
    for each in opened:
        each.close()


@pytest.fixture
def visiting(
    context: Callable[..., BrowserContext], running: Running, axe: str
) -> Iterator[Callable[..., Visitor]]:
    """Visit the console; in the end nothing must have gone wrong on any page."""
    visitors: list[Visitor] = []

    def visit(*, signed_in: bool = True) -> Visitor:
        visitors.append(Visitor(context(signed_in=signed_in).new_page(), running.url, axe))
        return visitors[-1]

    yield visit
    for each in visitors:
        assert each.problems == [], each.page.url


@pytest.fixture
def visitor(visiting: Callable[..., Visitor]) -> Visitor:
    """Whoever runs the service, signed in, at the first page."""
    made = visiting()
    made.open("")
    return made
