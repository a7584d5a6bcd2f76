"""The description of the API: as it is written down, as it is shown, and clients made from it."""

from __future__ import annotations

import contextlib
import importlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
import uvicorn
from docs import generate
from docs.writers import openapi as writer
from openapi_spec_validator import OpenAPIV31SpecValidator

from sayso.analyzer import Analyzer
from sayso.core import Sayso
from sayso.results import Consent
from tests.gallery.clock import Clock
from tests.service.rest.checking import DESCRIPTION
from tests.service.rest.conftest import Api, make_key, serve
from tests.service.rest.people import Reader, picture

SNAPSHOT = generate.FOLDER / "openapi.json"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DESCRIPTION["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def test_it_is_what_was_written_down() -> None:
    assert SNAPSHOT.read_text(encoding="utf-8") == writer.page(), "run: make docs"
    assert writer.page().endswith("}\n")


def test_it_is_openapi_3_1(api: Api) -> None:
    assert DESCRIPTION["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(DESCRIPTION).validate()
    assert api.get("/openapi.json", headers={"Authorization": ""}) == DESCRIPTION


def test_every_operation_is_described() -> None:
    ids: set[str] = set()
    for _, path, operation in operations():
        assert path.startswith("/v1/")
        assert operation["operationId"] not in ids
        ids.add(operation["operationId"])
        assert re.fullmatch("[a-z_]+", operation["operationId"])
        assert operation["summary"]
        assert operation["description"]
        assert len(operation["tags"]) == 1
        assert operation["security"] == [{"accessKey": []}]
        assert {"401", "403", "422", "429", "500", "503"} <= operation["responses"].keys()
    tags = {each["name"] for each in DESCRIPTION["tags"]}
    assert tags == {operation["tags"][0] for _, _, operation in operations()}


def test_what_changes_something_takes_an_idempotency_key() -> None:
    asking = {
        *("detect_faces", "compare_faces", "recognize", "redact", "verify_entries"),
        *("search_faces_by_picture", "search_users_by_picture", "search_faces_by_face"),
        *("search_users_by_face", "search_users_by_user"),
    }
    for method, _, operation in operations():
        names = {each["name"] for each in operation.get("parameters", ())}
        changes = method != "get" and operation["operationId"] not in asking
        assert ("Idempotency-Key" in names) == changes, operation["operationId"]


def test_pictures_may_come_in_each_form() -> None:
    found = DESCRIPTION["paths"]["/v1/faces"]["post"]["requestBody"]["content"]
    assert set(found) == {
        *("multipart/form-data", "application/json", "image/*", "application/octet-stream")
    }


# --- the page to read and to try ------------------------------------------------------------------


def test_the_page_asks_no_other_host_and_has_no_inline_script(api: Api) -> None:
    page = api("GET", "/docs", 200, headers={"Authorization": ""})
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert not re.search(r"<script(?![^>]*src=)", page.text)
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 5
    for link in links:
        assert not re.match(r"[a-z]+:|//", link)
        found = api("GET", f"/{link}", 200)
        assert found.content
        assert "default-src" in found.headers["content-security-policy"]
    for name in ("other.js", "redoc.standalone.js", "%2e%2e%2f__init__.py"):
        api("GET", f"/docs/{name}", 404)
    assert api("GET", "/", 307).headers["location"] == "/v1/docs"


def test_the_description_is_not_sent_again(api: Api) -> None:
    etag = api("GET", "/openapi.json", 200).headers["etag"]
    assert api("GET", "/openapi.json", 304, headers={"If-None-Match": etag}).content == b""


# --- a client that is made from it ----------------------------------------------------------------


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """A typed client, made from the description that is written down."""
    folder: Path = tmp_path_factory.mktemp("client")
    config = folder / "config.yaml"
    config.write_text("post_hooks: []\npackage_name_override: sayso_made\n")
    command = ["generate", "--meta", "none", "--output-path", str(folder / "sayso_made")]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", *command),
            *("--path", str(SNAPSHOT), "--config", str(config)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.findall(r"(?:WARNING|ERROR) parsing (\S+ \S+)", done.stdout + done.stderr)
    # A picture by itself, and lines of JSON, are what the generator knows nothing of.
    raw = {f"POST {path}" for method, path, each in operations() if "image/*" in str(each)}
    assert set(told) == raw | {"GET /v1/audit/export"}, done.stderr
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("sayso_made")
    finally:
        sys.path.remove(str(folder))


@contextlib.contextmanager
def listening(app: Sayso) -> Iterator[str]:
    """Serve a gallery on a port of this machine; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    class Late:
        """Made on the event loop that it runs on."""

        asgi: Any = None

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if self.asgi is None:
                self.asgi, _ = serve(app)
            await self.asgi(scope, receive, send)

    config = uvicorn.Config(Late(), host="127.0.0.1", port=port, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def test_a_generated_client_enrols_and_recognises(client: ModuleType, tmp_path: Path) -> None:
    def api_of(tag: str, name: str) -> Any:
        return importlib.import_module(f"sayso_made.api.{tag}.{name}")

    models = importlib.import_module("sayso_made.models")
    types = importlib.import_module("sayso_made.types")
    reader = cast("Analyzer", Reader())
    with Sayso(tmp_path / "data", analyzer=reader, clock=Clock()) as app, listening(app) as address:
        made = make_key(app)
        key = f"{made.key.id}.{made.secret}"
        with client.AuthenticatedClient(base_url=address, token=key) as caller:
            new = models.NewCollection(collection="club")
            create = api_of("collections", "create_collection")
            assert create.sync(client=caller, body=new).collection == "club"
            problem = create.sync(client=caller, body=new)
            assert isinstance(problem, models.Problem)
            assert problem.type_ == "/v1/problems/collection-exists"

            consent = models.ConsentOffer(purposes=["photos"], evidence="form 17")
            form = models.NewFacesForm(
                pictures=[types.File(io(picture("ada")), "ada.png", "image/png")], consent=consent
            )
            enrol = api_of("faces", "enrol_faces")
            done = enrol.sync("club", "ada", client=caller, body=form, idempotency_key="once")
            assert (done.enrolled, done.pictures[0].picture) == (1, "ada.png")
            form = models.NewFacesForm(
                pictures=[types.File(io(picture("ada")), "ada.png", "image/png")], consent=consent
            )
            again = enrol.sync_detailed(
                "club", "ada", client=caller, body=form, idempotency_key="once"
            )
            assert again.headers["idempotency-replayed"] == "true"

            party = models.OnePictureForm(
                picture=types.File(io(picture("ada", "bob")), "party.png")
            )
            found = api_of("searches", "recognize").sync("club", client=caller, body=party)
            assert [each.subject for each in found.faces] == ["ada", None]
            listed = api_of("faces", "list_faces").sync("club", client=caller)
            assert listed.items[0].face_id == done.pictures[0].face_id


def test_a_generated_client_deletes_nothing_else(client: ModuleType, tmp_path: Path) -> None:
    """Whatever is given as a name: what has people in it stays."""

    def api_of(tag: str, name: str) -> Any:
        return importlib.import_module(f"sayso_made.api.{tag}.{name}")

    reader = cast("Analyzer", Reader())
    with Sayso(tmp_path / "data", analyzer=reader, clock=Clock()) as app, listening(app) as address:
        app.create_collection("club")
        app.add_consent("club", "ada", Consent(["photos"], "form 17"))
        made = make_key(app)
        key = f"{made.key.id}.{made.secret}"
        names = [
            ".",
            "..",
            "%2e%2e",
            "%2F",
            "../..",
            "",
            "\0",
            "..;",
            "\\",
            "x" * 999,
            "~..",
            "\uff0e\uff0e",
        ]
        with client.AuthenticatedClient(base_url=address, token=key) as caller:
            for name in names:
                for tag, operation in (
                    ("subjects", "erase_subject"),
                    ("users", "delete_user"),
                    ("faces", "delete_face"),
                    ("purposes", "meet_purpose"),
                ):
                    call = api_of(tag, operation).sync_detailed
                    assert 300 <= call("club", name, client=caller).status_code < 500, name
                delete = api_of("collections", "delete_collection").sync_detailed
                assert 300 <= delete(name, client=caller, confirm=name).status_code < 500, name
            assert [each.name for each in app.subjects("club")] == ["ada"]
            assert delete("club", client=caller).parsed.additional_properties["subjects"] == 1
            assert delete("club", client=caller, confirm="club").parsed.erased_subjects == 1


def io(data: bytes) -> Any:
    from io import BytesIO

    return BytesIO(data)
