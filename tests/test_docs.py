"""The documentation: what it says is there is there, and what it shows runs.

A ``sh`` block of a page is run, all of a page in one shell, and the lines of the ``text`` block
that follows must come out in that order; others may come between them. In such a line ``...``
stands for anything, an id or a time for any, and a number for one about as large: models compute a
little differently from CPU to CPU. Counts of things must be exact. The port that a page names with
``SAYSO_PORT=`` is another one here, which is free. A block whose info string is
``sh refused`` must end with status 1; ``sh no-test: why`` is not run.
"""

from __future__ import annotations

import ast
import dataclasses
import http.server
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import skimage.data as shipped
from docs import generate
from PIL import Image

import sayso
from sayso import errors
from sayso.audit.events import EVENTS
from sayso.cli.app import cli
from sayso.demo import compose
from sayso.models.registry import load_registry
from sayso.settings import ServiceSettings, Settings
from tests.service.process import serving

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
PAGES = sorted([REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *DOCS.rglob("*.md")])

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
#: A page that fails leaves no service behind that it has started.
_END_JOBS = "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"
_MARK = "@@ block "


@dataclass(frozen=True)
class Block:
    """A fenced block, and the lines promised by the ``text`` block after it."""

    info: str
    body: str
    promised: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        return self.info in {"sh", "sh refused"}


def blocks(page: Path, *, text: str | None = None) -> list[Block]:
    found: list[Block] = []
    for match in _FENCE.finditer(text or page.read_text(encoding="utf-8")):
        if match["info"] == "text" and found and found[-1].runs:
            last = found.pop()
            found.append(Block(last.info, last.body, tuple(match["body"].splitlines())))
        else:
            found.append(Block(match["info"], match["body"]))
    return found


# --- running what the pages show --------------------------------------------------------------


@pytest.fixture
def environment(data_dir: Path) -> dict[str, str]:
    """What the shells of the tests run in; ``SAYSO_DATA`` has the models installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAYSO_")}
    binaries = str(Path(sys.executable).parent)
    return kept | {
        "PATH": os.pathsep.join([binaries, kept.get("PATH", "")]),
        "PYTHONPATH": str(REPOSITORY / "src"),
        "SAYSO_DATA": str(data_dir),
        "COLUMNS": "200",
    }


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def save_pictures(portrait: Path, group: Path) -> None:
    """The pictures of the demonstration, under these names."""
    for path in (portrait, group):
        path.parent.mkdir(parents=True, exist_ok=True)
    data: Any = shipped  # it has no types
    Image.fromarray(data.astronaut()).save(portrait)
    Image.fromarray(compose(data.astronaut(), data.lfw_subset())).save(group)


def link_models(data_dir: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "models").symlink_to((data_dir / "models").resolve(), target_is_directory=True)


def run_page(page: Path, here: Path, environment: dict[str, str], *, before: str = "") -> None:
    """Run the ``sh`` blocks of a page in one shell, and look for what they promise."""
    text = with_free_ports(page.read_text(encoding="utf-8"))
    running = [block for block in blocks(page, text=text) if block.runs]
    script = ["set -eu", _END_JOBS, before]
    for number, block in enumerate(running):
        source = here.parent / f"block-{number}.sh"
        source.write_text(block.body)
        if block.info == "sh refused":
            script.append(f'set +e; . "{source}"; status=$?; set -e; [ $status = 1 ] || exit 98')
        else:
            script.append(f'. "{source}"')
        script.append(f"echo '{_MARK}{number}'")
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=here,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stdout
    assert done.returncode == 0, f"status {done.returncode} after:\n{done.stdout}"
    outputs = re.split(rf"^{_MARK}\d+\n", done.stdout, flags=re.MULTILINE)
    for block, output in zip(running, outputs, strict=False):
        missing = first_missing(block.promised, output.splitlines())
        assert missing is None, (
            f"{page.name} promises\n{missing}\nafter\n{block.body}but:\n{output}"
        )


def with_free_ports(text: str) -> str:
    """A page with ports that nobody listens on in the place of its own."""
    for port in set(re.findall(r"\bSAYSO_PORT=(\d+)", text)):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            text = re.sub(rf"\b{port}\b", str(free.getsockname()[1]), text)
    return text


def test_no_page_is_run_on_a_fixed_port() -> None:
    for name in RUN:
        page = (REPOSITORY / name).read_text(encoding="utf-8")
        for block in blocks(REPOSITORY / name, text=with_free_ports(page)):
            ports = re.findall(r"(?:127\.0\.0\.1|localhost):(\d+)", block.body)
            fixed = [port for port in ports if f":{port}" in page]
            assert not (block.runs and fixed), f"{name} is run on {fixed}"


def test_a_service_that_could_not_start_is_noticed(
    here: Path, data_dir: Path, environment: dict[str, str]
) -> None:
    """The README's commands, where another program answers at its port."""
    before = prepare_readme(here, data_dir)
    start = next(
        block.body for block in blocks(REPOSITORY / "README.md") if "serve >" in block.body
    )
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.BaseHTTPRequestHandler
    ) as it:
        threading.Thread(target=it.serve_forever, daemon=True).start()
        begin = start.replace("8738", str(it.server_address[1]))
        script = f"set -eu\n{_END_JOBS}\n{before}\n{begin}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=here,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        it.shutdown()
    assert done.returncode == 1
    assert "something else than the service of this gallery answers" in done.stderr
    assert not (here / "key.json").exists()


def test_the_recipe_for_aws_clients_works_as_it_is_written(
    here: Path, data_dir: Path, environment: dict[str, str]
) -> None:
    page = DOCS / "how-to" / "move-from-rekognition.md"
    recipe = next(b.body for b in blocks(page) if "AWS_ENDPOINT_URL_REKOGNITION" in b.body)
    assert "aws rekognition list-collections" in recipe
    own = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    python = "import boto3; print(boto3.client('rekognition').list_collections()['CollectionIds'])"
    with serving(data_dir) as server:
        key, secret = server.key()
        for shown, real in (
            ("SAYS...", key),
            ("AWS_SECRET_ACCESS_KEY=...", f"AWS_SECRET_ACCESS_KEY={secret}"),
            ("http://127.0.0.1:8080", server.url),
        ):
            assert shown in recipe
            recipe = recipe.replace(shown, real)
        done = subprocess.run(
            ["bash", "-c", f'set -eu\n{recipe}\necho $AWS_REGION\npython -c "{python}"'],
            cwd=here,
            env=own | {"HOME": str(here), "AWS_EC2_METADATA_DISABLED": "true"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert '"CollectionIds": []' in done.stdout
    assert done.stdout.endswith("eu-west-1\n[]\n")


def first_missing(promised: tuple[str, ...], lines: list[str]) -> str | None:
    """The first promised line that does not come, in order, or None."""
    rest = iter(lines)
    for promise in promised:
        if promise.strip() != "..." and not any(agrees(promise, line) for line in rest):
            return promise
    return None


_HEX = "[0-9a-f]"
_TOKEN = re.compile(
    rf"(?P<any>\.\.\.)|(?P<id>{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}})"
    r"|(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d)"
    r"|(?P<count>\d[\d,]*(?= (?:faces?|named|new|bytes|subjects?|consents?)\b))"
    r"|(?P<rate>\d\S*e-\d+ \(1 in [\d,]+\))"
    r"|(?P<number>(?<![\w-])[+-]?\d[\d,]*(?:\.\d+)?(?![\w-]))|(?P<space>\s+)"
)
_ANY = {
    "any": ".*",
    "id": rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}",
    "time": r"\d{4}-\d\d-\d\d \d\d:\d\d",
    "rate": r"\S+ \([^)]*\)",
    "number": r"([+-]?\d[\d,]*(?:\.\d+)?)",
    "space": r"\s+",
}


def agrees(promise: str, line: str) -> bool:
    """Whether a line is what was promised, but for what may differ."""
    pattern, numbers, end = "", [], 0
    promise = promise.strip()
    for token in _TOKEN.finditer(promise):
        kind = str(token.lastgroup)
        pattern += re.escape(promise[end : token.start()])
        pattern += _ANY.get(kind, re.escape(token[0]))
        end = token.end()
        if kind == "number":
            numbers.append(token[0])
    found = re.fullmatch(pattern + re.escape(promise[end:]), line.strip())
    return found is not None and all(map(about, numbers, found.groups()))


def about(promised: str, found: str) -> bool:
    """Whether a number is about as large as the promised one."""
    expected, actual = (float(text.replace(",", "")) for text in (promised, found))
    is_share = "." in promised and abs(expected) <= 1
    return math.isclose(expected, actual, rel_tol=0.1, abs_tol=0.1 if is_share else 6)


@pytest.mark.parametrize(
    ("promise", "line", "well"),
    [
        ("eileen   98.6  4e-07 (1 in 2,500,000)", "eileen  97.1  3e-05 (1 in 33,000)", True),
        ("eileen   98.6", "eileen   80.1", False),
        ("eileen   98.6", "ada      98.6", False),
        ("group.png: 13 faces, 5 named", "group.png: 13 faces, 4 named", False),
        ("group.png: 13 faces, 5 named", "group.png: 12 faces, 5 named", False),
        ("refused: ...", "refused: whatever", True),
        ("refused: ...", "done", False),
        ("box 187, 90  0.92", "box 188, 91  0.90", True),
        ("box 187, 90  0.92", "box 188, 91  0.52", False),
        ("on 2026-05-04 09:30", "on 2031-11-22 22:45", True),
        ("on 2026-05-04 09:30", "on that day", False),
    ],
)
def test_what_counts_as_kept(promise: str, line: str, well: bool) -> None:
    assert agrees(promise, line) is well


def test_promised_lines_must_come_in_order() -> None:
    assert first_missing(("a", "...", "b"), ["a", "x", "b"]) is None
    assert first_missing(("b", "a"), ["a", "b"]) == "a"


def prepare_readme(here: Path, data_dir: Path) -> str:
    save_pictures(here / "out" / "portrait.png", here / "out" / "group.png")
    link_models(data_dir, here / "out" / "data")
    link_models(data_dir, here / "out" / "served")
    return ""


def prepare_tutorial(here: Path, data_dir: Path) -> str:
    link_models(data_dir, here / "first-faces" / "data")
    return ""


def prepare_consent(here: Path, data_dir: Path) -> str:
    link_models(data_dir, here / "consent" / "data")
    return ""


def prepare_offline(here: Path, data_dir: Path) -> str:
    # This one installs, and the models of the other tests are not to be written to.
    shutil.copytree((data_dir / "models").resolve(), here / "own" / "models")
    return "export SAYSO_DATA=own"


def prepare_folder(here: Path, data_dir: Path) -> str:
    save_pictures(here / "pictures" / "portrait.png", here / "pictures" / "group.png")
    return (
        "sayso collections create club\n"
        "sayso enroll club eileen pictures/portrait.png --purpose photo-delivery --evidence form"
    )


def prepare_people(_here: Path, _data_dir: Path) -> str:
    """A gallery of two people who agreed; it needs no models."""
    return (
        "export SAYSO_DATA=data\n"
        "sayso collections create club\n"
        "sayso consents add club ada --purpose photo-delivery --evidence form\n"
        "sayso consents add club bob --purpose photo-delivery --evidence form"
    )


def prepare_request(here: Path, data_dir: Path) -> str:
    return prepare_people(here, data_dir) + (
        "\nsayso consents add club ada --purpose photo-delivery --purpose member-wall --evidence 2"
    )


def prepare_log(here: Path, data_dir: Path) -> str:
    return prepare_people(here, data_dir) + (
        "\nsayso audit head head.json\nsayso audit export log.jsonl"
    )


def prepare_runtime(here: Path, data_dir: Path) -> str:
    save_pictures(here / "portrait.png", here / "group.png")
    return ""


def prepare_service(here: Path, data_dir: Path) -> str:
    link_models(data_dir, here / "data")
    return "export SAYSO_DATA=data\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT"


RUN: dict[str, Callable[[Path, Path], str]] = {
    "README.md": prepare_readme,
    "docs/tutorial/first-faces.md": prepare_tutorial,
    "docs/tutorial/consent.md": prepare_consent,
    "docs/how-to/install-models-offline.md": prepare_offline,
    "docs/how-to/annotate-a-folder.md": prepare_folder,
    "docs/how-to/choose-a-threshold.md": prepare_folder,
    "docs/how-to/publish-an-events-photos.md": prepare_folder,
    "docs/how-to/onnx-runtime.md": prepare_runtime,
    "docs/how-to/use-the-console.md": prepare_folder,
    "docs/how-to/back-up-and-restore.md": prepare_people,
    "docs/how-to/keep-a-standby.md": prepare_people,
    "docs/how-to/run-the-service.md": prepare_service,
    "docs/how-to/move-from-rekognition.md": prepare_people,
    "docs/how-to/answer-a-subjects-request.md": prepare_request,
    "docs/how-to/rotate-the-master-key.md": prepare_people,
    "docs/explanation/audit.md": prepare_log,
}


@pytest.mark.parametrize("name", RUN)
def test_the_commands_of_a_page_do_what_it_says(
    name: str, here: Path, data_dir: Path, environment: dict[str, str]
) -> None:
    before = RUN[name](here, data_dir)
    run_page(REPOSITORY / name, here, environment, before=before)


@pytest.mark.parametrize("name", ["README.md", "docs/how-to/use-as-a-library.md"])
def test_the_python_of_a_page_runs(name: str, here: Path, environment: dict[str, str]) -> None:
    save_pictures(here / "ada.jpg", here / "party.jpg")
    program = "\n".join(b.body for b in blocks(REPOSITORY / name) if b.info == "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert " ada " in f" {done.stdout} ".replace("\n", " ")


def test_every_block_is_run_or_says_why_not() -> None:
    for page in PAGES:
        name = page.relative_to(REPOSITORY).as_posix()
        for block in blocks(page):
            if block.info.startswith("sh no-test"):
                assert re.fullmatch(r"sh no-test: \S.*", block.info), f"{name}: {block.info}"
            elif block.info.startswith(("sh", "bash", "console")):
                assert block.runs, f"{name}: {block.info}"
                assert name in RUN, f"{name} has commands that nothing runs"


# --- the reference -----------------------------------------------------------------------------


def test_the_reference_is_what_the_code_gives() -> None:
    assert generate.stale() == [], "run: make docs"


def test_a_stale_page_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    assert generate.main([]) == 0
    assert generate.stale(tmp_path) == []
    (tmp_path / "cli.md").write_text("old")
    (tmp_path / "errors.md").unlink()
    assert generate.stale(tmp_path) == ["cli.md", "errors.md"]


def test_the_check_writes_nothing_and_says_so_by_its_status() -> None:
    before = {path: path.stat().st_mtime_ns for path in (DOCS / "reference").glob("*.md")}
    done = subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check"], cwd=REPOSITORY, check=False
    )
    assert done.returncode == 0
    assert before == {path: path.stat().st_mtime_ns for path in (DOCS / "reference").glob("*.md")}


def reference(name: str) -> str:
    return (DOCS / "reference" / name).read_text(encoding="utf-8")


def commands(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for child_name, child in command.commands.items():
            yield from commands(child, f"{name} {child_name}")
    else:
        yield name


def test_every_command_and_option_is_documented() -> None:
    sections = dict(
        re.findall(
            r"^## (sayso .+?)\n(.*?)(?=^## |\Z)", reference("cli.md"), re.MULTILINE | re.DOTALL
        )
    )
    assert set(sections) == set(commands(cli, "sayso"))
    for name, section in sections.items():
        command: click.Command = cli
        for part in name.split()[1:]:
            assert isinstance(command, click.Group)
            command = command.commands[part]
        for option in (each for each in command.params if isinstance(each, click.Option)):
            assert f"`{option.opts[0]}" in section, f"{name} {option.opts[0]}"


def test_every_event_and_its_fields_are_documented() -> None:
    sections = dict(
        re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", reference("events.md"), re.MULTILINE | re.DOTALL)
    )
    assert set(sections) >= set(EVENTS)
    for kind, event in EVENTS.items():
        for field in dataclasses.fields(event):
            assert f"| `{field.name}` |" in sections[kind], f"{kind} {field.name}"


def test_every_error_is_documented() -> None:
    page = reference("errors.md")
    for name in errors.__all__:
        assert f"| `{name}` |" in page


def test_every_variable_that_the_code_reads_is_documented() -> None:
    page = reference("settings.md")
    for field in [*Settings.model_fields, *ServiceSettings.model_fields]:
        assert f"`SAYSO_{field.upper()}`" in page
    for source in (REPOSITORY / "src").rglob("*.py"):
        for variable in re.findall(r"SAYSO_[A-Z_]*[A-Z]", source.read_text(encoding="utf-8")):
            assert f"`{variable}`" in page, f"{variable} of {source.name}"


def test_every_public_name_is_documented() -> None:
    page = reference("api.md")
    for name in set(sayso.__all__) - {"SaysoError"}:
        assert re.search(rf"^## sayso\.{name}$", page, re.MULTILINE), name


def test_every_request_and_document_of_the_service_is_documented() -> None:
    page = reference("rest.md")
    described = json.loads(reference("openapi.json"))
    for path, methods in described["paths"].items():
        for method in methods:
            assert f"\n{method.upper()} {path}\n" in page
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    assert set(headings) >= set(described["components"]["schemas"])
    # Two of one name would share an anchor, and what leads to one would lead to the other.
    assert len({heading.lower() for heading in headings}) == len(headings)


def test_every_default_model_has_a_card() -> None:
    for name, model in load_registry().items():
        if model.default:
            card = (DOCS / "model-cards" / f"{name}.md").read_text(encoding="utf-8")
            assert f"`{name}`" in card
            assert f"{model.size:,}" in card
            assert model.licence in card


# --- what is promised --------------------------------------------------------------------------

GUARANTEES = DOCS / "explanation" / "guarantees.md"


def promises(page: Path) -> list[list[str]]:
    """The rows of the tables of promises, cell by cell."""
    found, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        inside = line.startswith("|") and (inside or line.startswith("| promise |"))
        if inside and not line.startswith(("| promise |", "| --- ")):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def defined(path: Path) -> set[str]:
    """What a file has that can fail: names at the top of a module, or contracts of imports."""
    if path.suffix == ".toml":
        tools = tomllib.loads(path.read_text(encoding="utf-8"))["tool"]
        return {contract["name"] for contract in tools["importlinter"]["contracts"]}
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    in_tests = path.is_relative_to(REPOSITORY / "tests")
    return {name for name in names if not in_tests or name.startswith(("test_", "Test"))}


def unkept(rows: list[list[str]]) -> list[str]:
    """What is wrong with rows of promises: none that fails, or one that is not there."""
    wrong = []
    for promise, _, failing in rows:
        named = re.findall(r"`([^`]+?)::([^`]+)`", failing)
        if not named:
            wrong.append(f"nothing would fail: {promise}")
        for file, name in named:
            path = REPOSITORY / file
            if not path.is_file() or name not in defined(path):
                wrong.append(f"{file} has no {name}")
    return wrong


def test_every_promise_names_tests_that_exist() -> None:
    rows = promises(GUARANTEES)
    assert len(rows) > 25
    assert unkept(rows) == []


@pytest.mark.parametrize(
    ("failing", "wrong"),
    [
        ("`tests/test_docs.py::test_what_counts_as_kept`", []),
        ("`tests/test_docs.py::agrees`", ["tests/test_docs.py has no agrees"]),
        ("`tests/test_doks.py::test_x`", ["tests/test_doks.py has no test_x"]),
        ("`pyproject.toml::no such contract`", ["pyproject.toml has no no such contract"]),
        ("somebody would notice", ["nothing would fail: All is well"]),
    ],
)
def test_a_promise_that_nothing_holds_is_found(failing: str, wrong: list[str]) -> None:
    assert unkept([["All is well", "somehow", failing]]) == wrong


# --- all pages ---------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    kept = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_relative_to(REPOSITORY), target
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [REPOSITORY / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        text = _FENCE.sub("", page.read_text(encoding="utf-8"))
        targets = re.findall(r"\]\(([^)\s#:]+)[^)\s:]*\)", text)
        waiting.extend((page.parent / target).resolve() for target in targets)
    assert set(PAGES) <= reached


#: In pieces, so that this file names none either.
_REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "com"),
        ("npmjs", "org"),
        ("anaconda", "org"),
        ("crates", "io"),
        ("docker", "io"),
        ("ghcr", "io"),
    )
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_no_page_names_a_registry_or_somebodys_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not [host for host in _REGISTRIES if host in text]
    places = re.findall(r"(?<![\w.])/(?:home|root|work|tmp|Users|opt|mnt|srv|var)\b", text)
    assert not places
