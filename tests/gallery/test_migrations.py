from __future__ import annotations

import contextlib
import hashlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, create_engine, inspect
from sqlalchemy.exc import IntegrityError

from sayso.core import Sayso
from sayso.errors import KeyringUnavailable
from sayso.gallery import collections, enrolled, schema, sealing, subjects, users
from sayso.gallery.migrations import configuration, upgrade
from sayso.gallery.store import Store
from sayso.gallery.types import EvidenceFile
from sayso.keyring.sealing import DataKey
from sayso.keyring.store import Keyring
from sayso.sqlite import WRITING, sqlite_engine

Row = dict[str, Any]

DAY = 86_400_000_000
RECORDED = 1_760_000_000_000_000
SHA256 = hashlib.sha256(b"a picture").hexdigest()
#: What a face has from revision 0003 on, and older ones do not.
NEW_IN_0003 = ("picture_id", "picture_width", "picture_height", "score", "user_key", "linked")
#: The rule that collections made before it have.
NEW_IN_0004 = {"max_expected_false_matches": 0.01, "false_matches_per": "picture"}
SIGNED = hashlib.sha256(b"a signed form").hexdigest()


def test_the_code_needs_the_last_migration() -> None:
    assert ScriptDirectory.from_config(configuration()).get_current_head() == schema.REVISION


def test_the_migrations_make_exactly_the_schema(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'migrated'}")
    with engine.begin() as connection:
        upgrade(connection, None)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, schema.metadata) == []
        # What the comparison leaves out.
        found = inspect(connection)
        for table in schema.metadata.sorted_tables:
            checks = {str(check["name"]) for check in found.get_check_constraints(table.name)}
            wanted = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
            assert checks == wanted
            assert found.get_pk_constraint(table.name)["constrained_columns"] == [
                column.name for column in table.primary_key
            ]
    engine.dispose()


def test_keys_are_never_given_twice(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'migrated'}")
    with engine.begin() as connection:
        upgrade(connection, None)
        for table in ("collections", "subjects", "consents", "faces", "purposes", "users"):
            made = connection.exec_driver_sql(
                "SELECT sql FROM sqlite_master WHERE name = ?", (table,)
            ).scalar_one()
            assert "AUTOINCREMENT" in made
    engine.dispose()


def template(face: int) -> bytes:
    row = np.random.default_rng(face).standard_normal(128).astype("<f4")
    return bytes((row / np.linalg.norm(row)).tobytes())


def consent(key: int, subject: int, **columns: Any) -> Row:
    return {
        "key": key,
        "id": str(uuid.UUID(int=200 + key)),
        "subject_key": subject,
        "evidence": None,
        "evidence_file": None,
        "evidence_sha256": None,
        "policy_version": None,
        "given": RECORDED - DAY,
        "valid_from": RECORDED - DAY,
        "valid_until": None,
        "recorded": RECORDED + key,
        "recorded_by": "cli:ann",
        **columns,
    }


def purpose(consent: int, name: str, collection: int, withdrawn: int | None = None) -> Row:
    return {
        "consent_key": consent,
        "purpose": name,
        "collection_key": collection,
        "withdrawn": withdrawn,
        "sequence": 10 + consent,
    }


def face(key: int, subject: int, consent: int, collection: int, **columns: Any) -> Row:
    return {
        "key": key,
        "id": str(uuid.UUID(int=300 + key)),
        "collection_key": collection,
        "subject_key": subject,
        "consent_key": consent,
        "template": template(key),
        "template_version": "model:1",
        "quality": None,
        "box_left": None,
        "box_top": None,
        "box_right": None,
        "box_bottom": None,
        "picture_digest": None,
        "created": RECORDED + 5,
        "sequence": 20 + key,
        **columns,
    }


def subject(key: int, collection: int, name: str) -> Row:
    return {
        "key": key,
        "id": str(uuid.UUID(int=100 + key)),
        "collection_key": collection,
        "name": name,
        "created": RECORDED + key,
    }


def collection(key: int, name: str) -> Row:
    return {
        "key": key,
        "name": name,
        "model": "model",
        "template_version": "model:1",
        "dimension": 128,
        "created": RECORDED - 2 * DAY,
    }


#: A gallery as 0001 kept it. Keys have gaps, and Ann is in both collections.
OLD: dict[str, list[Row]] = {
    "state": [{"id": 1, "sequence": 77, "created": RECORDED - 3 * DAY}],
    "collections": [collection(1, "club"), collection(4, "race")],
    "subjects": [
        subject(2, 1, "member-ann"),
        subject(3, 1, "member-bob"),
        subject(7, 4, "member-ann"),
    ],
    "consents": [
        consent(1, 2, evidence='She ticked the box \u2013 "yes"\nat the desk'),
        consent(
            2,
            3,
            evidence_file="signed-form-of-bob.pdf",
            evidence_sha256=SIGNED,
            policy_version="2026-01",
            valid_until=RECORDED + 30 * DAY,
        ),
        consent(5, 7, evidence="By letter, kept", valid_until=RECORDED + 5000 * DAY),
        consent(6, 2, evidence="Again, by telephone", given=RECORDED - 400 * DAY),
    ],
    "consent_purposes": [
        purpose(1, "photo-delivery", 1),
        purpose(1, "door", 1, withdrawn=RECORDED + 9),
        purpose(2, "photo-delivery", 1),
        purpose(5, "results", 4),
        purpose(6, "door", 1),
    ],
    "faces": [
        face(3, 2, 1, 1, picture_digest=SHA256, quality=87.5, box_left=1.0, box_top=2.5),
        face(4, 2, 6, 1),
        face(9, 3, 2, 1, picture_digest=SHA256),
        face(11, 7, 5, 4, picture_digest=hashlib.sha256(b"another").hexdigest()),
    ],
    "removals": [{"face_key": 5, "collection_key": 1, "sequence": 60}],
    "tombstones": [
        {
            "id": str(uuid.UUID(int=1)),
            "collection": "club",
            "created": RECORDED,
            "erased": RECORDED + DAY,
            "faces": 3,
            "consents": 1,
        }
    ],
}
#: The last key that 0001 had given where its row is gone.
LAST_GIVEN = {"subjects": 40, "consents": 50, "faces": 60}


def old_gallery(path: Path, rows: dict[str, list[Row]]) -> None:
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
    engine = sqlite_engine(path, 5.0)
    with engine.begin() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table, values in rows.items():
            names, marks = ", ".join(values[0]), ", ".join("?" * len(values[0]))
            connection.exec_driver_sql(
                f"INSERT INTO {table} ({names}) VALUES ({marks})",
                [tuple(row.values()) for row in values],
            )
        for table, last in LAST_GIVEN.items():
            if rows.get(table):
                connection.exec_driver_sql(
                    "UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last, table)
                )
    engine.dispose()


def migrate(path: Path, keyring: Keyring | None) -> None:
    engine = sqlite_engine(path, 5.0)
    try:
        with engine.connect() as connection:
            connection.execution_options(**WRITING)
            with connection.begin():
                upgrade(connection, "0001", keyring)
    finally:
        engine.dispose()


def rows_of(path: Path, table: str, order: str = "key") -> list[Row]:
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.row_factory = sqlite3.Row
        return [dict(row) for row in raw.execute(f"SELECT * FROM {table} ORDER BY {order}")]


def without(row: Row, *columns: str) -> Row:
    return {name: value for name, value in row.items() if name not in columns}


@pytest.fixture
def keyring(tmp_path: Path) -> Iterator[Keyring]:
    with contextlib.closing(Keyring(tmp_path / "keyring")) as keyring:
        yield keyring


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "gallery.sqlite"
    old_gallery(path, OLD)
    return path


@pytest.fixture
def keys(path: Path, keyring: Keyring) -> dict[int, DataKey]:
    """Migrate the old gallery; the data keys by the keys of their subjects."""
    migrate(path, keyring)
    found = keyring.find([row["id"] for row in OLD["subjects"]])
    assert keyring.count() == len(found) == len(OLD["subjects"])
    return {row["key"]: found[row["id"]] for row in OLD["subjects"]}


def test_names_are_sealed_and_found_by_their_digest(
    path: Path, keyring: Keyring, keys: dict[int, DataKey]
) -> None:
    collections = {row["key"]: row["name"] for row in OLD["collections"]}
    found = rows_of(path, "subjects")
    assert len(found) == len(OLD["subjects"])
    for new, old in zip(found, OLD["subjects"], strict=True):
        assert without(new, "name", "name_digest") == without(old, "name")
        assert sealing.open_name(keys[old["key"]], new["name"]) == old["name"]
        name, of = old["name"].encode(), collections[old["collection_key"]].encode()
        assert new["name_digest"] == keyring.digests().digest(b"subject\0" + of + b"\0" + name)


def test_faces_are_sealed(path: Path, keys: dict[int, DataKey]) -> None:
    found = rows_of(path, "faces")
    for new, old in zip(found, OLD["faces"], strict=True):
        key, sha256 = keys[old["subject_key"]], old["picture_digest"]
        changed = ("template", "picture_digest")
        assert without(new, *changed, *NEW_IN_0003) == without(old, *changed)
        assert {new[name] for name in NEW_IN_0003} == {None}
        assert sealing.open_template(key, new["template"]) == old["template"]
        if sha256 is None:
            assert new["picture_digest"] is None
        else:
            assert new["picture_digest"] == key.digest(b"picture\0" + bytes.fromhex(sha256))
    # The same picture of two subjects: nobody can tell that it is the same.
    assert found[0]["picture_digest"] != found[2]["picture_digest"]


def test_faces_of_0002_are_kept_as_they_are(path: Path, keyring: Keyring) -> None:
    engine = sqlite_engine(path, 5.0)
    with engine.begin() as connection:
        config = configuration()
        config.attributes.update(connection=connection, keyring=keyring)
        command.upgrade(config, "0002")
    before = rows_of(path, "faces")
    assert len(before) == len(OLD["faces"])
    assert not set(before[0]) & set(NEW_IN_0003)
    with engine.begin() as connection:
        upgrade(connection, "0002")
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == schema.REVISION
    engine.dispose()
    assert rows_of(path, "faces") == [{**row, **dict.fromkeys(NEW_IN_0003)} for row in before]


def test_evidence_is_sealed(path: Path, keys: dict[int, DataKey]) -> None:
    for new, old in zip(rows_of(path, "consents"), OLD["consents"], strict=True):
        sealed, changed = new["evidence"], ("evidence", "evidence_file", "evidence_sha256")
        assert without(new, "evidence", "last_interaction") == without(old, *changed)
        assert new["last_interaction"] == old["given"]
        wanted = old["evidence"] or EvidenceFile(old["evidence_file"], old["evidence_sha256"])
        assert sealing.open_evidence(keys[old["subject_key"]], sealed) == wanted


def test_the_bytes_of_evidence_are_compact_json(path: Path, keys: dict[int, DataKey]) -> None:
    by_text, by_file, *_ = rows_of(path, "consents")
    text = '{"text":"She ticked the box \u2013 \\"yes\\"\\nat the desk"}'
    assert keys[2].open(by_text["evidence"], b"evidence") == text.encode()
    file = f'{{"file":"signed-form-of-bob.pdf","sha256":"{SIGNED}"}}'
    assert keys[3].open(by_file["evidence"], b"evidence") == file.encode()


@pytest.mark.usefixtures("keys")
def test_consents_end_three_years_after_they_were_given_or_earlier(path: Path) -> None:
    idle = 1095 * DAY
    ends = {
        1: (None, RECORDED - DAY + idle),
        2: (RECORDED + 30 * DAY, RECORDED + 30 * DAY),
        5: (RECORDED + 5000 * DAY, RECORDED - DAY + idle),
        6: (None, RECORDED - 400 * DAY + idle),
    }
    added = ("notice", "latest", "idle", "ends")
    found = rows_of(path, "consent_purposes", "consent_key, purpose")
    wanted = sorted(OLD["consent_purposes"], key=lambda row: (row["consent_key"], row["purpose"]))
    assert [without(row, *added) for row in found] == wanted
    for row in found:
        assert (row["notice"], row["idle"]) == (1, idle)
        assert (row["latest"], row["ends"]) == ends[row["consent_key"]]


@pytest.mark.usefixtures("keys")
def test_purposes_of_consents_are_declared_with_a_notice(path: Path) -> None:
    found = rows_of(path, "purposes")
    assert [(row["collection_key"], row["name"]) for row in found] == [
        (1, "door"),
        (1, "photo-delivery"),
        (4, "results"),
    ]
    assert len({uuid.UUID(row["id"]) for row in found}) == len(found)
    rule = {"notice": 1, "max_days": None, "idle_days": 1095, "by_default": 1, "met": None}
    for row in found:
        assert without(row, "key", "id", "collection_key", "name") == rule
    notices = rows_of(path, "notices", "purpose_key")
    assert [row["purpose_key"] for row in notices] == [row["key"] for row in found]
    for row in notices:
        assert row["version"] == 1
        assert row["text"] == "Before version 0.2 no notice was recorded for this purpose."
        assert row["written"] > RECORDED
        assert row["written_by"] == "migration"


@pytest.mark.usefixtures("keys")
def test_the_rest_is_kept(path: Path) -> None:
    assert rows_of(path, "collections") == [{**row, **NEW_IN_0004} for row in OLD["collections"]]
    assert rows_of(path, "removals", "face_key") == OLD["removals"]
    assert rows_of(path, "tombstones", "id") == [
        {**row, "reason": "asked"} for row in OLD["tombstones"]
    ]
    (state,) = rows_of(path, "state", "id")
    assert uuid.UUID(state.pop("epoch")).version == 4
    assert state == {**OLD["state"][0], "events": 0, "head": None}
    for table in ("audit", "audit_subjects", "access_keys", "pending_endings"):
        assert rows_of(path, table, "1") == []


@pytest.mark.usefixtures("keys")
def test_a_migrated_gallery_has_exactly_the_schema(path: Path) -> None:
    engine = sqlite_engine(path, 5.0)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        numbering = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all()
    engine.dispose()
    # Keys are never given twice, also not those whose rows were gone before.
    assert sorted(map(tuple, numbering)) == sorted(
        {**LAST_GIVEN, "collections": 4, "purposes": 3}.items()
    )


@pytest.mark.usefixtures("keys")
def test_nothing_in_the_clear_is_left_after_a_vacuum(path: Path) -> None:
    secrets = _plain()
    wal = path.with_name(path.name + "-wal")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA secure_delete=ON")
        raw.execute("VACUUM")
        assert raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        left = path.read_bytes() + (wal.read_bytes() if wal.exists() else b"")
    assert len(left) > 0
    assert [secret for secret in secrets if secret in left] == []


def _plain() -> list[bytes]:
    """What the old gallery has in the clear and the new one must not have."""
    found = [row["template"] for row in OLD["faces"]]
    found += [row["name"].encode() for row in OLD["subjects"]]
    found += [row["evidence"].encode() for row in OLD["consents"] if row["evidence"]]
    return [*found, b"signed-form-of-bob", SIGNED.encode(), SHA256.encode()]


_KILLED = """
import os, signal, sys
from pathlib import Path
from sayso.gallery.migrations import upgrade
from sayso.keyring.store import Keyring
from sayso.sqlite import WRITING, sqlite_engine
path = Path(sys.argv[1])
connection = sqlite_engine(path, 5.0).connect()
connection.execution_options(**WRITING)
with connection.begin():
    upgrade(connection, "0001", Keyring(path.parent / "keyring"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_whoever_is_killed_after_the_migration_leaves_the_rest_to_the_next_opening(
    path: Path, keyring: Keyring
) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL

    def left() -> list[bytes]:
        files = b"".join(each.read_bytes() for each in path.parent.glob("gallery.sqlite*"))
        return [each for each in _plain() if each in files]

    assert left()
    with contextlib.closing(Store(path.parent, keyring)) as store:
        assert left() == []
        with store.read() as connection:
            assert connection.exec_driver_sql("PRAGMA user_version").scalar() == 0


def test_as_long_as_somebody_reads_the_old_pages_it_is_left_to_the_one_after(
    path: Path, keyring: Keyring
) -> None:
    """The log cannot be emptied then, so the mark must stay."""
    migrate(path, keyring)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM subjects").fetchone()
        Store(path.parent, keyring).close()
        assert reader.execute("PRAGMA user_version").fetchone() == (1,)
        reader.execute("ROLLBACK")
        assert reader.execute("PRAGMA user_version").fetchone() == (1,)
    Store(path.parent, keyring).close()
    with contextlib.closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (0,)


def test_nothing_is_to_be_scrubbed_where_nothing_was_sealed(
    tmp_path: Path, keyring: Keyring
) -> None:
    with contextlib.closing(Store(tmp_path / "new", keyring)) as store, store.read() as connection:
        assert connection.exec_driver_sql("PRAGMA user_version").scalar() == 0


def test_the_old_gallery_is_in_the_clear(path: Path) -> None:
    # Without which the test above could not fail.
    left = path.read_bytes()
    assert all(row["template"] in left for row in OLD["faces"])
    assert b"member-ann" in left
    assert b"She ticked the box" in left


def test_subjects_cannot_be_sealed_without_a_keyring(path: Path) -> None:
    with pytest.raises(KeyringUnavailable, match="together with its keyring"):
        migrate(path, None)
    # It is as it was, and can be migrated yet.
    for table in ("collections", "subjects", "consents", "faces"):
        assert rows_of(path, table) == OLD[table]


def test_without_subjects_no_keyring_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "gallery.sqlite"
    rows = {name: OLD[name] for name in ("state", "collections", "removals", "tombstones")}
    old_gallery(path, rows)
    migrate(path, None)
    assert rows_of(path, "collections") == [{**row, **NEW_IN_0004} for row in OLD["collections"]]
    assert len(rows_of(path, "tombstones", "id")) == 1


def test_a_migration_that_failed_is_done_again_with_the_same_keys(
    path: Path, keyring: Keyring
) -> None:
    ids = [row["id"] for row in OLD["subjects"]]
    engine = sqlite_engine(path, 5.0)
    with engine.connect() as connection:
        connection.execution_options(**WRITING)
        transaction = connection.begin()
        upgrade(connection, "0001", keyring)
        transaction.rollback()
    engine.dispose()
    assert rows_of(path, "subjects") == OLD["subjects"]
    before = keyring.find(ids)
    migrate(path, keyring)
    for row in rows_of(path, "subjects"):
        assert sealing.open_name(before[row["id"]], row["name"]).startswith("member-")


def test_more_rows_than_one_batch_are_all_sealed(tmp_path: Path, keyring: Keyring) -> None:
    keys = range(1, 10_002)
    path = tmp_path / "gallery.sqlite"
    rows = {
        "collections": OLD["collections"],
        "subjects": [subject(key, 1, f"member-{key}") for key in keys],
        "consents": [consent(key, key, evidence=f"text {key}") for key in keys],
        "faces": [face(key, key, key, 1, template=b"template %d" % key) for key in keys],
    }
    old_gallery(path, rows)
    migrate(path, keyring)
    of = keyring.find([row["id"] for row in rows["subjects"]])
    data_keys = [of[row["id"]] for row in rows["subjects"]]
    opened = {
        "subjects": ("name", sealing.open_name),
        "consents": ("evidence", sealing.open_evidence),
        "faces": ("template", sealing.open_template),
    }
    for table, (column, opener) in opened.items():
        found = rows_of(path, table)
        assert [row["key"] for row in found] == list(keys)
        plain = [opener(key, row[column]) for key, row in zip(data_keys, found, strict=True)]
        assert plain == [row[column] for row in rows[table]]


# --- 0002 -> 0003 -------------------------------------------------------------------------------


def at_0002(path: Path, keyring: Keyring) -> dict[str, list[Row]]:
    """Bring the old gallery to 0002, with an access key; return every row that it then has."""
    engine = sqlite_engine(path, 5.0)
    with engine.connect() as connection:
        connection.execution_options(**WRITING)
        with connection.begin():
            config = configuration()
            config.attributes |= {"connection": connection, "keyring": keyring}
            command.upgrade(config, "0002")
            connection.exec_driver_sql(
                "INSERT INTO access_keys (id, actor, purpose, actions, created, created_by) "
                "VALUES ('SAYSKEY', 'desk', 'door', '[\"search\"]', 1, 'cli:ann')"
            )
            tables = inspect(connection).get_table_names()
    engine.dispose()
    return {table: rows_of(path, table, "1") for table in tables if table != "alembic_version"}


def test_a_gallery_of_0002_keeps_every_row_and_seal(path: Path, keyring: Keyring) -> None:
    before = at_0002(path, keyring)
    assert "users" not in before
    assert len(before["faces"]) == len(OLD["faces"])
    assert set(before["faces"][0]).isdisjoint(NEW_IN_0003)
    Store(path.parent, keyring).close()  # whoever opens it migrates it
    for table, rows in before.items():
        found = rows_of(path, table, "1")
        if table == "faces":
            assert [{row[name] for name in NEW_IN_0003} for row in found] == [{None}] * len(rows)
            found = [without(row, *NEW_IN_0003) for row in found]
        if table == "collections":
            found = [without(row, *NEW_IN_0004) for row in found]
        assert found == rows, table
    for table in ("users", "tags", "answers"):
        assert rows_of(path, table, "1") == []
    engine = sqlite_engine(path, 5.0)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").all() == [
            (schema.REVISION,)
        ]
        with pytest.raises(IntegrityError):  # a face cannot be of a user who is not there
            connection.exec_driver_sql("UPDATE faces SET user_key = 1")
    engine.dispose()


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_whoever_was_enrolled_before_can_be_made_a_user(
    path: Path, keyring: Keyring, revision: str
) -> None:
    if revision == "0002":
        at_0002(path, keyring)
    keyring.close()
    shutil.copytree(path.parent / "keyring", path.parent, dirs_exist_ok=True)

    def recorded() -> datetime:
        return datetime.fromtimestamp(RECORDED / 1e6, UTC)

    with Sayso(path.parent, clock=recorded) as app:
        listed = app.enrolled_faces("club")
        assert sorted(face.subject for face in listed) == ["member-ann"] * 2 + ["member-bob"]
        assert {(face.picture, face.picture_size, face.user) for face in listed} == {
            (None, None, None)
        }
        app.create_user("club", "member-ann")
        anns = [face.id for face in listed if face.subject == "member-ann"]
        with app._resources.store.write() as change:  # its model has no calibration to associate by
            pinned = collections.find(change.connection, "club")
            ann = subjects.find(change.connection, change.keyring, pinned, "member-ann")
            rows = enrolled.find(change.connection, pinned, anns, purpose=None, now=change.now)
            user = users.find(change.connection, pinned, ann)
            users.link(change, user, [row.key for row in rows.values()])
        assert app.user("club", "member-ann").faces == 2
        index = app._resources.index
        fused, _ = index.fused_template("club", user.key, "photo-delivery")
        wanted = sum(np.frombuffer(template(key), "<f4").astype(float) for key in (3, 4))
        assert fused is not None
        assert np.allclose(fused, wanted / np.linalg.norm(wanted), atol=1e-6)
