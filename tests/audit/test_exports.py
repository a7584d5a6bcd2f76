from __future__ import annotations

import json
import random

import pytest
from sqlalchemy import Engine

from sayso.audit.heads import Head, current_head
from sayso.audit.log import Log, entries
from sayso.audit.verification import Verification, export_line, verify_export
from sayso.errors import AuditError
from tests.audit.logs import GUEST, SAMPLES, new_key, new_store, write


@pytest.fixture
def lines(store: Engine, log: Log) -> list[str]:
    write(store, log, who=GUEST)
    return export(store)


@pytest.fixture
def head(store: Engine, log: Log, lines: list[str]) -> Head:
    with store.connect() as connection:
        found = current_head(connection, log.public_key)
    assert found is not None
    return found


def export(store: Engine, after: int = 0) -> list[str]:
    with store.connect() as connection:
        return [export_line(entry) + "\n" for entry in entries(connection, after=after)]


def said(result: Verification) -> str:
    return "; ".join(f"{problem.number}: {problem.what}" for problem in result.problems)


def test_a_line_is_json_that_holds_the_body_as_it_was_signed(store: Engine, log: Log) -> None:
    write(store, log)
    with store.connect() as connection:
        for entry in entries(connection):
            line = export_line(entry)
            assert "\n" not in line
            assert entry.body in line
            assert json.loads(line) == {
                "entry": json.loads(entry.body),
                "hash": entry.hash,
                "signature": entry.signature,
            }


def test_an_export_verifies_with_the_logs_key(lines: list[str], log: Log, head: Head) -> None:
    result = verify_export(lines, public_key=log.public_key, head=head)
    assert (result.ok, result.entries, result.head, result.notes) == (True, 30, head, ())


def test_lines_may_end_as_on_windows_or_not_at_all(lines: list[str], log: Log) -> None:
    for end in ("\r\n", ""):
        changed = [line.rstrip("\n") + end for line in lines]
        assert verify_export(changed, public_key=log.public_key).ok


def test_without_a_key_the_result_says_what_it_stands_on(lines: list[str], head: Head) -> None:
    result = verify_export(lines)
    assert result.ok
    assert "that the first entry names" in result.notes[0]
    result = verify_export(lines, head=head)
    assert result.ok
    assert "of the saved head" in result.notes[0]


def test_a_log_written_anew_passes_only_without_a_key(
    lines: list[str],
    log: Log,
    head: Head,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    forged_store = new_store(tmp_path_factory.mktemp("forged") / "gallery.sqlite")
    write(forged_store, Log(new_key()), SAMPLES[:-1])
    forged = export(forged_store)
    forged_store.dispose()
    assert verify_export(forged).ok
    result = verify_export(forged, public_key=log.public_key)
    assert "another public key" in said(result)
    result = verify_export(forged, head=head)
    assert "entry 30, of the saved head, is not there" in said(result)


def test_an_export_may_begin_later(store: Engine, log: Log, lines: list[str], head: Head) -> None:
    later = export(store, after=12)
    result = verify_export(later, public_key=log.public_key, head=head)
    assert (result.ok, result.entries) == (True, 18)
    assert result.notes == ("begins with entry 13, and tells nothing of those before",)
    assert "no public key" in said(verify_export(later))
    assert verify_export(later, head=head).ok


def test_an_empty_export_is_sound_but_not_against_a_head(log: Log, head: Head) -> None:
    assert verify_export([]) == Verification(0, None, ())
    assert "is not there" in said(verify_export([], head=head))


def test_what_is_cut_off_is_found_with_a_head(lines: list[str], head: Head) -> None:
    assert verify_export(lines[:-1]).ok
    assert not verify_export(lines[:-1], head=head).ok


def test_the_first_bad_line_is_told(lines: list[str], log: Log) -> None:
    lines[6] = lines[6].replace("club", "clab", 1)
    result = verify_export(lines, public_key=log.public_key)
    assert [problem.number for problem in result.problems] == [7]
    assert "hash is not that of its content" in said(result)


@pytest.mark.parametrize(
    "bad",
    ["", "{}", "[]", "\0", "{", "[" * 100_000, '{"entry":1,"hash":2,"signature":3}', "\ud800"],
)
def test_a_line_that_is_none_is_told(lines: list[str], log: Log, bad: str) -> None:
    for place in (0, 10, 30):
        changed = [*lines[:place], bad, *lines[place:]]
        result = verify_export(changed, public_key=log.public_key)
        assert f"line {place + 1} is not as an export writes it" in said(result)
        verify_export(changed)


def test_nothing_can_be_hidden_in_a_line(lines: list[str], log: Log) -> None:
    hidden = lines[4].replace('{"actor":', '{"actor":"eve","actor":', 1)
    assert json.loads(hidden) == json.loads(lines[4])
    for changed in (hidden, lines[4].replace(",", ", ", 1), lines[4].replace("}", ',"a":1}')):
        lines[4] = changed
        assert not verify_export(lines, public_key=log.public_key).ok


def test_any_change_of_a_character_is_found(lines: list[str], log: Log) -> None:
    text = "".join(lines)
    chosen = random.Random(3)
    for _ in range(150):
        place = chosen.randrange(len(text) - 1)
        other = chosen.choice([c for c in '0a"{},: \n\0é' if c != text[place]])
        changed = text[:place] + other + text[place + 1 :]
        result = verify_export(changed.splitlines(keepends=True), public_key=log.public_key)
        assert not result.ok, (text[place - 20 : place + 20], other)


def test_a_key_that_is_none_is_refused(lines: list[str]) -> None:
    with pytest.raises(AuditError, match="5 bytes are no Ed25519 public key"):
        verify_export(lines, public_key=b"short")
