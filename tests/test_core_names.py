"""Names of only dots: given by nobody any more, and a way out for those that are there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from sayso.analyzer import Analyzer
from sayso.cli.run import run
from sayso.core import Sayso
from sayso.core.restoring import restore
from sayso.errors import CollectionNotEmpty, InvalidName
from sayso.gallery import names
from sayso.results import Consent
from tests.gallery.clock import Clock
from tests.gallery.synthetic import VERSION, templates
from tests.service.rest.conftest import make_key
from tests.service.rest.people import Reader, picture
from tests.service.rest.test_openapi import listening

CONSENT = Consent(["photos"], "form 17")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Sayso]:
    reader = cast("Analyzer", Reader())
    with Sayso(tmp_path / "data", analyzer=reader, clock=Clock()) as opened:
        yield opened


@pytest.fixture
def old(app: Sayso, monkeypatch: pytest.MonkeyPatch) -> Sayso:
    """A gallery from when such names were given: as collections, subjects and a user."""
    with monkeypatch.context() as before:
        before.setattr(names, "_is_step", lambda _: False)
        for collection in ("club", "..", "."):
            app.create_collection(collection)
            for subject, who in (("..", "ada"), (".", "bob"), ("eve", "eve")):
                app.enroll(collection, subject=subject, pictures=[picture(who)], consent=CONSENT)
            app.create_user(collection, "..")
    return app


WAYS_IN: dict[str, Callable[[Sayso, str], Any]] = {
    "create_collection": lambda app, name: app.create_collection(name),
    "enroll": lambda app, name: app.enroll(
        "club", subject=name, pictures=[picture("ada")], consent=CONSENT
    ),
    "enroll_templates": lambda app, name: app.enroll_templates(
        "club", subjects=[name], templates=templates(1), version=VERSION, consent=CONSENT
    ),
    "index_picture": lambda app, name: app.index_picture(
        "club", subject=name, picture=picture("ada"), consent=CONSENT
    ),
    "add_consent": lambda app, name: app.add_consent("club", name, CONSENT),
    "create_user": lambda app, name: app.create_user("club", name, consent=CONSENT),
    "create_key": lambda app, name: app.create_key(
        "app", purpose="photos", actions=["search"], collections=[name]
    ),
}


@pytest.mark.parametrize("way", WAYS_IN)
@pytest.mark.parametrize("name", [".", "..", "..."])
def test_no_way_in_gives_such_a_name(app: Sayso, way: str, name: str) -> None:
    app.create_collection("club")
    with pytest.raises(InvalidName, match="and not only dots"):
        WAYS_IN[way](app, name)
    assert [each.name for each in app.collections()] == ["club"]
    assert app.subjects("club") == ()
    assert app.keys() == ()


def test_who_has_such_a_name_is_there_and_can_be_erased(old: Sayso) -> None:
    assert [each.name for each in old.collections()] == [".", "..", "club"]
    for collection in (".", "..", "club"):
        assert {each.name for each in old.subjects(collection)} == {"..", ".", "eve"}
        found = old.recognize(collection, picture("ada"), purpose="photos")
        assert [face.subject for face in found] == [".."]
        assert len(old.report(collection, "..").faces) == 1
        old.delete_user(collection, "..")
        assert old.withdraw_consent(collection, "..").tombstone is not None
        assert old.erase_subject(collection, ".").faces == 1
        with pytest.raises(CollectionNotEmpty, match="1 subject"):
            old.delete_collection(collection)
        assert old.delete_collection(collection, erase_subjects=True) == 1
    assert old.collections() == ()


def test_the_command_line_is_a_way_out(
    old: Sayso, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any
) -> None:
    monkeypatch.setenv("SAYSO_DATA", str(tmp_path / "data"))

    def cli(*arguments: str) -> Any:
        capfd.readouterr()
        assert run([*arguments, "--json"]) == 0, capfd.readouterr().err
        return json.loads(capfd.readouterr().out)

    assert [each["collection"] for each in cli("collections", "list")] == [".", "..", "club"]
    assert {each["subject"] for each in cli("subjects", "list", "..")} == {"..", ".", "eve"}
    assert cli("subjects", "erase", "..", "..", "--yes")["faces"] == 1
    cli("consents", "withdraw", "..", ".", "--yes")
    assert cli("collections", "delete", "..", "--yes")["erased_subjects"] == 1
    assert [each["collection"] for each in cli("collections", "list")] == [".", "club"]


def test_the_api_is_a_way_out_that_no_client_shortens(old: Sayso) -> None:
    made = make_key(old)
    headers = {"Authorization": f"Bearer {made.key.id}.{made.secret}"}
    with listening(old) as address, httpx.Client(headers=headers, timeout=60) as client:
        place = f"{address}/v1/collections"
        listed = client.get(f"{place}/~../subjects", params={"limit": 2})
        following = client.get(address + listed.headers["link"].partition(">")[0].removeprefix("<"))
        found = listed.json()["items"] + following.json()["items"]
        assert {each["subject"] for each in found} == {"..", ".", "eve"}
        assert client.get(f"{place}/club/subjects/~.").json()["subject"] == "."
        assert client.get(f"{place}/club/users/~..").json()["user"] == ".."
        assert client.get(f"{place}/club/faces", params={"user": ".."}).status_code == 200
        assert client.delete(f"{place}/club/subjects/~..").json()["faces"] == 1
        assert client.delete(f"{place}/club/subjects/~.").json()["faces"] == 1
        assert [each.name for each in old.subjects("club")] == ["eve"]
        assert client.delete(f"{place}/~..").status_code == 409
        assert client.delete(f"{place}/~..", params={"confirm": ".."}).status_code == 200
        assert client.delete(f"{place}/~.", params={"confirm": "."}).status_code == 200
        assert client.get(f"{place}/~club").status_code == 422  # it is for such names only
    assert [each.name for each in old.collections()] == ["club"]


def test_a_backup_with_such_names_is_restored(old: Sayso, tmp_path: Path) -> None:
    old.backup(tmp_path / "a.backup")
    restore(tmp_path / "data", tmp_path / "a.backup")
    assert [each.name for each in old.collections()] == [".", "..", "club"]
    assert old.erase_subject("..", "..").faces == 1
