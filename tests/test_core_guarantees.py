"""What a person is promised, tried with real files, threads and processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, func, insert, select

from sayso.audit.events import FacesErased
from sayso.core import Sayso
from sayso.errors import CollectionNotFound, StoreUnavailable, SubjectNotFound
from sayso.gallery import schema
from sayso.keyring import schema as keyring_schema
from sayso.results import Consent
from tests.gallery.synthetic import CONSENT, PURPOSE, VERSION, enrol, named

ROOT = Path(__file__).resolve().parent.parent
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)

_CHILD = """
import json, sys
from pathlib import Path
from sayso.core import Sayso
from tests.gallery.synthetic import enrol, named, templates
app = Sayso(Path(sys.argv[1]))

def memory():
    # What is in this process's memory, without any call that could change it.
    return sum(len(cache._search) for cache in list(app._resources.index._caches.values()))

def rows():
    with app._resources.store.read() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM faces").scalar()

asks = {"search": lambda: named(app, templates(3)), "memory": memory, "rows": rows}
for line in sys.stdin:
    print(json.dumps(asks[line.strip()]()), flush=True)
"""


class Child:
    """Another process with the same gallery, which does nothing unless it is asked."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(folder)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate(timeout=30)

    def ask(self, what: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def within_a_second(self, what: str, wanted: object) -> None:
        until = time.monotonic() + 1
        while (found := self.ask(what)) != wanted:
            assert time.monotonic() < until, found
            time.sleep(0.02)


def _count(app: Sayso, table: Any) -> int:
    with app._resources.store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_what_is_erased_leaves_the_memory_of_a_process_that_nobody_asks(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        enrol(app, ["olga", "yuri", "zita"])
        with Child(tmp_path) as other:
            assert other.ask("search") == ["olga", "yuri", "zita"]
            assert other.ask("memory") == 3
            app.erase_subject("club", "yuri")
            other.within_a_second("memory", 2)
            app.withdraw_consent("club", "zita")
            other.within_a_second("memory", 1)
            assert other.ask("search") == ["olga", None, None]
            app.delete_collection("club", erase_subjects=True)
            other.within_a_second("memory", 0)


def test_whoever_expires_is_erased_by_a_process_that_nobody_asks(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        enrol(app, ["olga"])
    with Child(tmp_path) as other:
        assert other.ask("search") == ["olga", None, None]
        with Sayso(tmp_path) as app:
            until = datetime.now(UTC) + timedelta(seconds=1)
            consent = Consent([PURPOSE], "form", until=until)
            enrol(app, ["yuri"], consent=consent, seed=9)
        assert other.ask("rows") == 2
        time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
        other.within_a_second("rows", 1)
        other.within_a_second("memory", 1)
    with Sayso(tmp_path) as app:
        (entry,) = app.audit_entries(kind="subject-erased")
        assert (entry.actor, entry.event.reason) == ("retention", "expired")  # type: ignore[attr-defined]
        assert until <= entry.time < until + timedelta(seconds=1)
        assert app.keyring_status().subjects == 1


def test_nobody_is_shown_from_the_very_microsecond_of_expiry(tmp_path: Path) -> None:
    now = [START]
    with Sayso(tmp_path, clock=lambda: now[0]) as app:
        app.create_collection("club")
        until = START + HOUR + 123 * INSTANT
        longer = Consent(["research"], "form", until=until + INSTANT)
        probes = enrol(app, ["olga"], consent=longer)
        app.add_consent("club", "olga", Consent([PURPOSE], "form", until=until))
        now[0] = until - INSTANT
        assert named(app, probes) == ["olga"]
        now[0] = until
        assert named(app, probes) == [None]
        assert named(app, probes, purpose="research") == ["olga"]
        now[0] = until + INSTANT
        assert named(app, probes, purpose="research") == [None]
        assert _count(app, schema.faces) == 0


def test_faces_go_with_the_consent_that_they_were_enrolled_on(tmp_path: Path) -> None:
    now = [START]
    with Sayso(tmp_path, clock=lambda: now[0]) as app:
        app.create_collection("club")
        short = Consent([PURPOSE], "form", until=START + HOUR)
        probes = enrol(app, ["olga"], consent=short)
        enrol(app, ["olga"], consent=Consent(["research", "door"], "form 18"), like=probes)
        assert named(app, probes, purpose="research") == ["olga"]
        now[0] = START + HOUR - INSTANT
        assert app.subject("club", "olga").faces == 2
        now[0] = START + HOUR
        until = time.monotonic() + 1
        while _count(app, schema.faces) > 1:  # nobody asks for anything
            assert time.monotonic() < until
            time.sleep(0.02)
        assert named(app, probes, purpose="research") == [None]
        app.purpose_met("club", "research")
        assert _count(app, schema.faces) == 1
        app.add_consent("club", "olga", CONSENT)
        app.purpose_met("club", "door")
        assert (_count(app, schema.faces), _count(app, schema.subjects)) == (0, 1)
        told = app.audit_entries(kind="faces-erased")
        assert {entry.actor for entry in told} == {"retention"}
        identity = app.subject("club", "olga").id
        assert [entry.event for entry in told] == [FacesErased("club", identity, 1, "expired")] * 2


def test_a_consent_that_is_renewed_keeps_the_faces(tmp_path: Path) -> None:
    now = [START]
    with Sayso(tmp_path, clock=lambda: now[0]) as app:
        app.create_collection("club")
        year = Consent([PURPOSE, "door"], "form", until=START + HOUR)
        probes = enrol(app, ["olga"], consent=year)
        app.add_consent("club", "olga", Consent([PURPOSE], "form 2", until=START + 2 * HOUR))
        now[0] = START + HOUR
        assert named(app, probes) == ["olga"]
        now[0] = START + 2 * HOUR
        assert named(app, probes) == [None]
        assert _count(app, schema.faces) == 0


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (lambda app: app.withdraw_consent("club", "olga"), None),
        (lambda app: app.withdraw_consent("club", "olga", PURPOSE), None),
        (lambda app: app.erase_subject("club", "olga"), None),
        (lambda app: app.purpose_met("club", PURPOSE), None),
        (lambda app: app.delete_collection("club", erase_subjects=True), CollectionNotFound),
    ],
)
def test_whoever_withdraws_during_a_search_is_not_in_its_answer(
    tmp_path: Path, end: Callable[[Sayso], object], left: type[Exception] | None
) -> None:
    """The search has found her when the end of her consent is committed, and not yet answered.

    The end holds the store: a search reads as if it had not come yet, but can be put on record, and
    so answer, only after it.
    """
    holding, searched = threading.Event(), threading.Event()
    answers: list[object] = []

    def ending_clock() -> datetime:
        if threading.current_thread().name == "ending" and not holding.is_set():
            holding.set()  # the time is asked for inside of the change
            searched.wait(10)
        return datetime.now(UTC)

    with Sayso(tmp_path) as app, Sayso(tmp_path, clock=ending_clock) as other:
        app.create_collection("club")
        probes = enrol(app, ["olga"], consent=Consent([PURPOSE, "research"], "form"))
        assert named(app, probes) == ["olga"]
        ending = threading.Thread(target=end, args=[other], name="ending")
        ending.start()
        assert holding.wait(10)

        def search() -> None:
            try:
                answers.append(named(app, probes))
            except CollectionNotFound as error:
                answers.append(error)

        searching = threading.Thread(target=search)
        searching.start()
        searching.join(0.5)
        assert searching.is_alive()
        assert answers == []
        # What it has found meanwhile: she is in the gallery, for whoever reads.
        found = app._resources.index.match(
            "club", probes, purpose=PURPOSE, top=1, least=lambda _: 0.5
        )
        assert [hit.subject for hits in found.hits for hit in hits] == ["olga"]
        searched.set()
        ending.join()
        searching.join()
        if left is None:
            assert answers == [[None]]
            last = app.audit_entries(kind="picture-searched", newest_first=True, limit=1)
            assert last[0].event.found == ()  # type: ignore[attr-defined]
        else:
            assert [type(answer) for answer in answers] == [left]


def test_a_restart_keeps_what_was_ended_ended(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        probes = enrol(app, ["olga", "yuri"])
        both = Consent([PURPOSE, "research"], "form")
        probes = np.concatenate([probes, enrol(app, ["zita"], consent=both, seed=1)])
        probes = np.concatenate([probes, enrol(app, ["wim"], seed=2)])
        app.erase_subject("club", "olga")
        app.withdraw_consent("club", "yuri")
        app.withdraw_consent("club", "zita", PURPOSE)
    with Sayso(tmp_path) as app:
        assert named(app, probes) == [None, None, None, "wim"]
        assert named(app, probes, purpose="research") == [None, None, "zita", None]
        assert app.keyring_status().subjects == 2
        assert app.audit_verify().ok


def test_what_expired_while_nothing_ran_is_erased_at_the_next_opening(tmp_path: Path) -> None:
    with Sayso(tmp_path, clock=lambda: START) as app:
        app.create_collection("club")
        enrol(app, ["olga"], consent=Consent([PURPOSE], "form", until=START + HOUR))
    with Sayso(tmp_path, clock=lambda: START + 2 * HOUR) as app:
        until = time.monotonic() + 1
        while _count(app, schema.faces):
            assert time.monotonic() < until
            time.sleep(0.02)


_KILLED = """
import os, signal, sys
from pathlib import Path
from sayso.core import Sayso
from sayso.keyring.store import Keyring
app = Sayso(Path(sys.argv[1]))

def killed(self, endings):
    os.kill(os.getpid(), signal.SIGKILL)

Keyring.end = killed  # the gallery has committed, and the keyring was not told yet
app.erase_subject("club", "olga")
"""


def test_an_erasure_whose_process_is_killed_half_way_is_finished_at_the_next_opening(
    tmp_path: Path,
) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        probes = enrol(app, ["olga", "yuri"])
        identity = app.subject("club", "olga").id
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    with Sayso(tmp_path) as app:
        assert _count(app, schema.pending_endings) == 0
        keyring = app._resources.keyring
        assert keyring.find([identity]) == {}
        assert identity in keyring.ended("subject")
        assert keyring.count() == 1
        assert (tmp_path / "gallery.sqlite-wal").stat().st_size == 0
        assert named(app, probes) == [None, "yuri"]
        with pytest.raises(SubjectNotFound):
            app.subject("club", "olga")
        assert app.audit_verify().ok


def test_every_kind_of_ending_that_was_left_is_told_to_the_keyring(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app, app._resources.store.write() as change:
        rows = [
            {"kind": kind, "id": f"{kind}-1", "at": 7}
            for kind in ("withdrawal", "access-key", "purpose")
        ]
        change.connection.execute(insert(schema.pending_endings), rows)
    with Sayso(tmp_path) as app:
        assert _count(app, schema.pending_endings) == 0
        for kind in ("withdrawal", "access-key", "purpose"):
            assert app._resources.keyring.ended(kind) == {f"{kind}-1": 7}


def test_what_ends_is_remembered_apart_from_the_gallery(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        enrol(app, ["olga"], consent=Consent([PURPOSE, "research"], "form"))
        identity = app.subject("club", "olga").id
        consent = app.consents("club", "olga")[0].id
        key = app.create_key("x", purpose=PURPOSE, actions=["search"]).key.id
        app.withdraw_consent("club", "olga", PURPOSE)
        app.revoke_key(key)
        app.erase_subject("club", "olga")
        keyring = app._resources.keyring
        assert set(keyring.ended("withdrawal")) == {f"{consent}/{PURPOSE}"}
        assert set(keyring.ended("access-key")) == {key}
        assert set(keyring.ended("subject")) == {identity}


def test_a_gallery_whose_keyring_lacks_keys_is_not_opened(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        enrol(app, ["olga", "yuri"])
        with app._resources.keyring._database.write() as connection:
            connection.execute(delete(keyring_schema.data_keys))
    with pytest.raises(StoreUnavailable, match="lacks the keys of 2 of the gallery's subjects"):
        Sayso(tmp_path)


def test_a_keyring_of_another_day_is_not_taken_for_todays(tmp_path: Path) -> None:
    """An older copy of the keyring lacks whoever came since: that is told, not passed over."""
    with Sayso(tmp_path / "data") as app:
        app.create_collection("club")
        enrol(app, ["olga"])
        app.copy_keyring(tmp_path / "copy")
        enrol(app, ["yuri"], seed=1)
    shutil.copy(tmp_path / "copy", tmp_path / "data" / "keyring.sqlite")
    with pytest.raises(StoreUnavailable, match="lacks the keys of 1 "):
        Sayso(tmp_path / "data")


def test_a_gallery_that_is_missing_beside_its_keyring_is_not_begun_anew(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        enrol(app, ["olga"])
    for file in tmp_path.glob("gallery.sqlite*"):
        file.unlink()
    with pytest.raises(StoreUnavailable, match="is missing"):
        Sayso(tmp_path)
    assert not (tmp_path / "gallery.sqlite").exists()


def test_the_whole_file_of_an_erased_subject_is_unreadable_in_an_old_copy(tmp_path: Path) -> None:
    """The copy has all of the rows, and the keyring of today no key to any of them."""
    data, old = tmp_path / "data", tmp_path / "old"
    with Sayso(data) as app:
        app.create_collection("club")
        enrol(app, ["olga", "yuri"], consent=Consent([PURPOSE], "signed-formulary"))
    shutil.copytree(data, old)
    with Sayso(data) as app:
        app.erase_subject("club", "olga")
    for name in ("keyring.sqlite", "keyring.sqlite-wal"):
        (old / name).unlink(missing_ok=True)
        if (data / name).exists():
            shutil.copy(data / name, old / name)
    with Sayso(old) as app:
        assert _count(app, schema.faces) == 2  # as in the copy
        probes = np.concatenate([_templates(app, "olga"), _templates(app, "yuri")])
        assert len(probes) == 1
        assert [subject.name for subject in app.subjects("club")] == ["yuri"]


def _templates(app: Sayso, name: str) -> Any:
    from tests.gallery.synthetic import templates

    matrix = templates(2)[["olga", "yuri"].index(name)][None]
    found = app.recognize_templates("club", matrix, purpose=PURPOSE, version=VERSION)
    return matrix if found[0] else matrix[:0]


def test_the_watch_ends_with_the_application(tmp_path: Path) -> None:
    before = threading.active_count()
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        app.add_consent("club", "olga", CONSENT)
        assert threading.active_count() > before
    assert threading.active_count() == before
