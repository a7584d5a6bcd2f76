from __future__ import annotations

import os
from pathlib import Path

import pytest

import sayso
from sayso.errors import UnknownKey
from tests.cli.conftest import Cli, iso, on_terminal


@pytest.fixture(autouse=True)
def made(cli: Cli) -> None:
    """There is a gallery."""
    sayso.open(os.environ["SAYSO_DATA"]).close()


def create(cli: Cli, *more: str) -> dict[str, object]:
    outcome = cli("keys", "create", "photo-desk", "--purpose", "door", *more, "--json")
    assert outcome.status == 0, outcome.err
    document: dict[str, object] = outcome.document
    return document


def test_a_key_is_made_with_what_it_may(cli: Cli) -> None:
    until = iso(days=1)
    made = create(
        *(cli, "--allow", "search", "--allow", "detect", "--collection", "club"),
        *("--until", until, "--attestation", "we ask at the desk"),
    )
    assert (made["actor"], made["purpose"]) == ("photo-desk", "door")
    assert made["actions"] == ["detect", "search"]
    assert made["collections"] == ["club"]
    assert made["attestation"] == "we ask at the desk"
    assert made["revoked"] is None
    with sayso.open() as app:
        caller = app.authenticate(str(made["id"]), str(made["secret"]))
    assert (caller.actor, caller.purpose) == ("photo-desk", "door")
    assert caller.actions == {"detect", "search"}


def test_the_secret_is_shown_once_and_is_in_no_file(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("keys", "create", "desk", "--purpose", "door", "--allow", "search")
    first, key, secret, last = outcome.out.splitlines()
    assert first == "made an access key for desk: search for door, in all collections"
    assert key.startswith("id      SAYS")
    assert last.startswith("The secret is not shown again: ")
    word = secret.removeprefix("secret  ")
    assert len(word) == 40
    assert word not in outcome.err
    listed = cli("keys", "list")
    assert key.split()[1] in listed.out
    for later in (listed, cli("keys", "list", "--json"), cli("audit", "export")):
        assert word not in later.out
    for file in (path for path in (tmp_path / "data").rglob("*") if path.is_file()):
        assert word.encode() not in file.read_bytes()


def test_keys_are_listed_and_revoked(cli: Cli) -> None:
    assert cli("keys", "list").out.startswith("there are no access keys")
    assert cli("keys", "list", "--json").document == []
    made = create(cli, "--allow", "search")
    key, secret = str(made["id"]), str(made.pop("secret"))
    assert cli("keys", "list", "--json").document == [made]
    assert cli("keys", "revoke", key, "--json").document["revoked"]
    assert f"{key}  photo-desk  door     search  all          revoked 2" in cli("keys", "list").out
    with sayso.open(os.environ["SAYSO_DATA"]) as app, pytest.raises(UnknownKey):
        app.authenticate(key, secret)
    assert cli("keys", "revoke", key).out == f"revoked the access key {key} of photo-desk\n"


def test_a_key_that_is_not_there_cannot_be_revoked(cli: Cli) -> None:
    cli("keys", "list")
    outcome = cli("keys", "revoke", "SAYSNOBODY")
    assert outcome.status == 1
    assert outcome.err == (
        "sayso: there is no access key 'SAYSNOBODY': list them (sayso keys list)\n"
    )


def test_a_key_that_could_do_nothing_is_refused(cli: Cli) -> None:
    cli("keys", "list")
    base = ("keys", "create", "desk", "--purpose", "door", "--allow", "search")
    for more in (["--until", "2020-01-01"], ["--collection", "a/b"], ["--attestation", " "]):
        outcome = cli(*base, *more)
        assert (outcome.status, outcome.out) == (1, ""), more
        assert outcome.err.count("\n") == 1
    assert cli("keys", "list", "--json").document == []


def test_saying_no_leaves_the_key(cli: Cli) -> None:
    made = create(cli, "--allow", "search")
    status, out, err = on_terminal("keys", "revoke", str(made["id"]), answer="n")
    assert (status, out) == (1, b"")
    assert err.rstrip().endswith("[y/N]: sayso: nothing was revoked")
    (key,) = cli("keys", "list", "--json").document
    assert key["revoked"] is None
