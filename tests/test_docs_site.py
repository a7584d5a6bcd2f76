"""The documentation as a site: built without a network, and whole without one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from docs import site as builder
from playwright.sync_api import Browser, Page, sync_playwright

REPOSITORY = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium")

#: Elements that load something by themselves, and the attribute that says what.
_LOADING = {
    "audio": "src", "embed": "src", "iframe": "src", "img": "src", "input": "src",
    "link": "href", "object": "data", "script": "src", "source": "src", "track": "src",
    "video": "src",
}  # fmt: skip


@dataclass
class Parsed(HTMLParser):
    """What a page loads, where its links lead, and the anchors that it has."""

    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if given.get(_LOADING.get(tag, "")):
            self.loads.append(given[_LOADING[tag]])
        self.loads += re.findall(r"url\(([^)]+)\)", given.get("style", ""))
        self.loads += [part.split()[0] for part in given.get("srcset", "").split(",") if part]
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if "id" in given:
            self.ids.append(given["id"])
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policies.append(given["content"])


def parsed(page: Path) -> Parsed:
    reader = Parsed()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    builder.build(folder)
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Parsed]:
    return {page: parsed(page) for page in sorted(site.rglob("*.html"))}


def elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in {"", "data"}


def target(page: Path, address: str) -> Path:
    path = unquote(urlsplit(address).path)
    return (page.parent / path).resolve() if path else page


# --- what the site is ---------------------------------------------------------------------------


def test_every_page_of_the_documentation_is_there(pages: dict[Path, Parsed], site: Path) -> None:
    names = {page.relative_to(site).with_suffix(".md").as_posix() for page in pages}
    assert names == {*builder.sources().values(), "404.md"}


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Parsed], site: Path) -> None:
    for page, found in pages.items():
        assert not [address for address in found.loads if elsewhere(address)], page.name
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        addresses = re.findall(r"url\(\s*[\"']?([^\"')]+)", text) + re.findall(
            r"@import\s+[\"']([^\"']+)", text
        )
        assert not [address for address in addresses if elsewhere(address)], style.name


def test_what_is_loaded_is_there(pages: dict[Path, Parsed], site: Path) -> None:
    for page, found in pages.items():
        if page.name == "404.html":
            continue  # a web server shows it for addresses at any depth
        missing = [each for each in found.loads if not each.startswith("data:")]
        assert missing, "every page has a style at least"
        assert not [each for each in missing if not target(page, each).is_file()], page.name


def test_every_page_tells_the_browser_to_load_nothing_from_elsewhere(
    pages: dict[Path, Parsed],
) -> None:
    for page, found in pages.items():
        assert found.policies == ["default-src 'self' 'unsafe-inline' data: blob:"], page.name


def test_links_and_anchors_lead_somewhere(pages: dict[Path, Parsed]) -> None:
    broken = []
    for page, found in pages.items():
        for address in found.links:
            if page.name == "404.html" or elsewhere(address):
                continue
            there, anchor = target(page, address), unquote(urlsplit(address).fragment)
            ids = pages[there].ids if there in pages else []
            if not there.is_file() or (anchor and anchor not in ids):
                broken.append(f"{page.name}: {address}")
    assert broken == []


def test_every_page_can_be_reached_from_the_first(pages: dict[Path, Parsed], site: Path) -> None:
    reached, waiting = set[Path](), [(site / "index.html").resolve()]
    by_path = {page.resolve(): found for page, found in pages.items()}
    while waiting:
        page = waiting.pop()
        if page not in reached and page in by_path:
            reached.add(page)
            waiting += [target(page, each) for each in by_path[page].links if not elsewhere(each)]
    assert set(by_path) - reached == {(site / "404.html").resolve()}


def test_no_markdown_is_left(pages: dict[Path, Parsed]) -> None:
    # A list without a blank line before it is one on a code host, and a paragraph here.
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<p>[^<]*\n(?:- |\* |\d+\. |\|)[^<]*", text), page.name
        assert "<p>|" not in text, page.name
        assert "```" not in re.sub(r"<code>.*?</code>", "", text, flags=re.DOTALL), page.name


# --- how it is built ----------------------------------------------------------------------------


def has_network_namespaces() -> bool:
    command = ["unshare", "--map-root-user", "--net", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command, check=False).returncode == 0


def test_it_is_built_without_a_network(tmp_path: Path, site: Path) -> None:
    if not has_network_namespaces():
        pytest.skip("this system lets nobody make a network namespace")
    built = tmp_path / "site"
    subprocess.run(
        ["unshare", "--map-root-user", "--net", sys.executable, "-m", "docs.site", "--out", built],
        cwd=REPOSITORY,
        check=True,
    )
    files = {path.relative_to(built) for path in built.rglob("*.html")}
    assert files == {path.relative_to(site) for path in site.rglob("*.html")}


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The documentation in a repository of its own, to be spoilt; returns its ``docs``."""
    shutil.copytree(REPOSITORY / "docs", tmp_path / "docs")
    for guest in builder.GUESTS:
        (tmp_path / guest).parent.mkdir(exist_ok=True)
        shutil.copyfile(REPOSITORY / guest, tmp_path / guest)
    monkeypatch.setattr(builder, "REPOSITORY", tmp_path)
    monkeypatch.setattr(builder, "DOCS", tmp_path / "docs")
    return tmp_path / "docs"


@pytest.mark.parametrize(
    "line",
    [
        "[gone](nowhere.md)",
        "[gone](../../src/nowhere.py)",
        "![gone](../images/nowhere.png)",
        "[gone](#nowhere)",
        "[gone](../reference/cli.md#nowhere)",
        "[gone][nowhere]",
        "[unused]: ../reference/cli.md",
    ],
)
def test_what_leads_nowhere_is_an_error_and_leaves_the_last_site(
    line: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = copy / "explanation" / "storage.md"
    page.write_text(page.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    last = copy.parent / "last" / "index.html"
    last.parent.mkdir()
    last.write_text("the last one")
    assert builder.main(["--out", str(last.parent)]) == 1
    assert "explanation/storage.md" in capsys.readouterr().err
    assert last.read_text() == "the last one"


def test_a_page_that_is_not_listed_is_told(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "how-to" / "hidden.md").write_text("# Hidden\n")
    assert builder.main(["--out", str(tmp_path / "site")]) == 1
    assert capsys.readouterr().err == "docs/README.md does not list: how-to/hidden.md\n"


def test_a_section_without_a_name_is_told(copy: Path, tmp_path: Path) -> None:
    readme = copy / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("**Do**", "**Cook**"))
    with pytest.raises(builder.BrokenSite, match="'Cook'"):
        builder.build(tmp_path / "site")


@pytest.mark.parametrize(
    ("written", "built"),
    [
        ("[a](consent.md#who)", "[a](consent.md#who)"),
        ("[a](../README.md)", "[a](../index.md)"),
        ("[the\nresults](../../benchmarks/results.md)", "[the\nresults](../results.md)"),
        ("[a](../../CHANGELOG.md)", "[a](../changelog.md)"),
        ("[a](../reference/openapi.json)", "[a](../reference/openapi.json)"),
        ("[a](https://example.org/x)", "[a](https://example.org/x)"),
        ("[the core](../../src/sayso/core)", "the core (`src/sayso/core`)"),
        ("[`src/sayso/demo.py`](../../src/sayso/demo.py)", "`src/sayso/demo.py`"),
        ("![a](../reference/openapi.json)", "![a](../reference/openapi.json)"),
        ("```sh no-test: yours\n[a](b.md)\n```\n", "```sh\n[a](b.md)\n```\n"),
        ("```python\nx\n```\n", "```python\nx\n```\n"),
    ],
)
def test_a_page_is_written_for_both_places(written: str, built: str) -> None:
    source = builder.DOCS / "explanation" / "storage.md"
    assert builder.as_page(written, source, builder.sources()) == built


# --- as a browser sees it -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM)
        yield started
        started.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 800})
    yield context.new_page()
    context.close()


def test_a_browser_asks_nobody_else_and_complains_of_nothing(tab: Page, site: Path) -> None:
    asked: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    for page in sorted(site.rglob("*.html")):
        if page.name != "404.html":
            tab.goto(page.as_uri())
            width = tab.evaluate("document.documentElement.scrollWidth")
            assert width <= 360, f"{page.name} is wider than a telephone"
    assert asked
    assert not [address for address in asked if not address.startswith(site.as_uri())]
    assert said == []


def test_the_search_works_in_a_folder(tab: Page, site: Path) -> None:
    tab.goto((site / "index.html").as_uri())
    tab.keyboard.press("/")
    tab.keyboard.type("withdraw consents")
    tab.get_by_role("option", name="Withdraw consents").first.click()
    tab.wait_for_url("**/reference/rest.html*")


def test_what_a_page_would_load_from_elsewhere_is_refused(tab: Page, site: Path) -> None:
    tab.goto((site / "index.html").as_uri())
    refused = tab.evaluate(
        """() => new Promise((resolve) => {
            document.addEventListener("securitypolicyviolation", (e) => resolve(e.blockedURI));
            const script = document.createElement("script");
            script.src = "https://elsewhere.example/x.js";
            script.onload = () => resolve("loaded");
            document.head.append(script);
        })"""
    )
    assert refused == "https://elsewhere.example/x.js"
