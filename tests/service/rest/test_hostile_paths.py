"""What stands in the place of a name in a path: whatever it is, nothing else is changed by it."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest
import requests

from sayso.analyzer import Analyzer
from sayso.core import Sayso
from sayso.results import Consent, NewAccessKey
from tests.gallery.clock import Clock
from tests.service.rest.checking import DESCRIPTION
from tests.service.rest.conftest import PURPOSE, make_key
from tests.service.rest.people import Reader, picture
from tests.service.rest.test_openapi import listening

_ID = "11111111-2222-3333-4444-555555555555"
VALID = {
    "collection": "club",
    "subject": "ada",
    "user": "ada",
    "face": _ID,
    "purpose": PURPOSE,
    "key": "SAYSNOBODY",
    "evaluation": _ID,
}
#: Segments as they are written into an address.
SEGMENTS = [
    *(".", "..", "...", "%2e", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "..;", "..;a=b", ";", ""),
    *(
        "%2F",
        "..%2F",
        "%2e%2e%2f..",
        "a%2Fb",
        "..%5C",
        "%5C..",
        "..\\",
        "%00",
        "..%00",
        "%0a",
        "%0d%0a",
    ),
    *("%7F", "%20", "..%20", "%ff", "%c0%ae%c0%ae", "%ef%bc%8e%ef%bc%8e", "%e2%80%a4%e2%80%a4"),
    *("%E2%80%A5", "%u002e%u002e", "a" * 256, "a" * 20_000, ".." * 200, "../..", "./..", "~", "~a"),
    *(
        "~..",
        "%7E..",
        "~~..",
        "~%2e%2e",
        "*",
        "?",
        "#",
        "..?x",
        "..#",
        "%3F",
        "%23",
        "//",
        "@",
        ":",
    ),
]
WORST = [".", "..", "%2e%2e", "", "..%2F", "%2F", "%00", "..\\", "a" * 20_000, "~.."]
PLACES = [
    (method.upper(), path, parameter)
    for path, item in DESCRIPTION["paths"].items()
    for method in item
    for parameter in re.findall(r"\{(\w+)\}", path)
]


def addresses() -> Iterator[tuple[str, str]]:
    """Give every operation with segments in the place of each of its parameters.

    What deletes something is tried with all of them.
    """
    for method, path, parameter in PLACES:
        filled = {**VALID, parameter: "{}"}
        for segment in SEGMENTS if method == "DELETE" else WORST:
            yield method, path.format(**filled).replace("{}", segment)


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Sayso, str, NewAccessKey]]:
    folder = tmp_path_factory.mktemp("paths") / "data"
    reader = cast("Analyzer", Reader())
    with Sayso(folder, analyzer=reader, clock=Clock()) as app:
        consent = Consent([PURPOSE], "form 17")
        for name in ("club", "faces", "subjects"):
            app.create_collection(name, tags={"of": name})
            app.enroll(name, subject="ada", pictures=[picture("ada")], consent=consent)
            app.create_user(name, "ada")
        with listening(app) as address:
            yield app, address, make_key(app)


def state(app: Sayso) -> Any:
    """Return all that a request could have changed."""
    keys = app.keys()
    return [
        (
            each.name,
            each.subjects,
            each.faces,
            app.collection_tags(each.name),
            [(subject.name, subject.faces) for subject in app.subjects(each.name)],
            app.users(each.name),
            app.consents(each.name, "ada"),
            [(p.name, p.version, p.met) for p in app.purposes(each.name)],
            app.tombstones(each.name),
        )
        for each in app.collections()
    ] + [each.revoked for each in keys]


def as_expected(app: Sayso, before: Any, statuses: Counter[int]) -> None:
    assert not [status for status in statuses if status >= 500], statuses
    assert statuses.total() > 1000
    assert state(app) == before


def test_what_the_addresses_are_made_of() -> None:
    known = {name for _, _, name in PLACES}
    assert known == set(VALID), "give the new parameter a value"
    assert len(PLACES) > 40


def test_through_httpx(served: tuple[Sayso, str, NewAccessKey]) -> None:
    app, address, made = served
    before, statuses = state(app), Counter[int]()
    headers = {"Authorization": f"Bearer {made.key.id}.{made.secret}"}
    with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
        for method, path in addresses():
            statuses[client.request(method, address + path).status_code] += 1
    as_expected(app, before, statuses)
    assert statuses[409] >= 1  # a path that was shortened to a collection's


def test_through_requests(served: tuple[Sayso, str, NewAccessKey]) -> None:
    app, address, made = served
    before, statuses = state(app), Counter[int]()
    with requests.Session() as client:
        client.trust_env = False
        client.headers["Authorization"] = f"Bearer {made.key.id}.{made.secret}"
        for method, path in addresses():
            statuses[client.request(method, address + path, timeout=60).status_code] += 1
    as_expected(app, before, statuses)
    assert statuses[409] >= 1


@pytest.mark.parametrize("as_is", [False, True])
def test_through_curl(served: tuple[Sayso, str, NewAccessKey], as_is: bool, tmp_path: Path) -> None:
    app, address, made = served
    before = state(app)
    lines: list[str] = []
    for method, path in addresses():
        written = (address + path).replace("\\", "\\\\")
        lines += [
            f'url = "{written}"',
            f'request = "{method}"',
            f'header = "Authorization: Bearer {made.key.id}.{made.secret}"',
            'output = "/dev/null"',
            'write-out = "%{http_code}\\n"',
            *(["path-as-is"] if as_is else []),
            "globoff",
            "max-time = 60",
            "next",
        ]
    config = tmp_path / "curl"
    config.write_text("\n".join(lines[:-1]))
    done = subprocess.run(
        ["curl", "--disable", "--silent", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    statuses = Counter(int(each) for each in done.stdout.split())
    as_expected(app, before, statuses)
    assert (statuses[409] >= 1) is not as_is


def test_a_collection_with_people_is_deleted_only_by_its_name_said_twice(
    served: tuple[Sayso, str, NewAccessKey],
) -> None:
    app, address, made = served
    app.create_collection("team")
    app.add_consent("team", "ada", Consent([PURPOSE], "form 17"))
    headers = {"Authorization": f"Bearer {made.key.id}.{made.secret}"}
    with httpx.Client(headers=headers, timeout=60) as client:
        place = f"{address}/v1/collections/team"
        told = client.delete(place)
        assert told.status_code == 409
        assert told.json()["type"] == "/v1/problems/collection-not-empty"
        assert told.json()["subjects"] == 1
        assert "1 subject, who would be erased" in told.json()["detail"]
        assert "confirm=team" in told.json()["detail"]
        for wrong in ("", "club", "TEAM", "true"):
            assert client.delete(place, params={"confirm": wrong}).status_code == 422
        assert client.delete(place, params={"confirm": ["team", "team"]}).status_code == 422
        assert app.collection("team").subjects == 1
        # Whatever else a client sends with the erasure of somebody: it is of another path.
        assert client.delete(f"{place}/subjects/..", params={"confirm": ".."}).status_code == 422
        gone = client.delete(place, params={"confirm": "team"})
        assert gone.json() == {"collection": "team", "erased_subjects": 1}
        assert client.get(place).status_code == 404


def test_quoted_names_arrive_as_they_are(served: tuple[Sayso, str, NewAccessKey]) -> None:
    app, address, made = served
    name = "...a:b-c_d."
    app.add_consent("club", name, Consent([PURPOSE], "form 17"))
    headers = {"Authorization": f"Bearer {made.key.id}.{made.secret}"}
    for written in (name, quote(name, safe="")):
        found = httpx.get(f"{address}/v1/collections/club/subjects/{written}", headers=headers)
        assert found.json()["subject"] == name
    app.erase_subject("club", name)
