"""Logs to test with: a database with the log's tables, and an event of every kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, insert

from sayso.audit import events
from sayso.audit.events import Event, Found
from sayso.audit.log import Log, Who
from sayso.gallery import schema
from sayso.sqlite import WRITING, sqlite_engine

ADA = "0b4f5f0e-6d57-4f0e-9d0c-3a1f6a0c9a01"
BOB = "0b4f5f0e-6d57-4f0e-9d0c-3a1f6a0c9a02"
CY = "0b4f5f0e-6d57-4f0e-9d0c-3a1f6a0c9a03"
CONSENT = "5b0f2c3e-14a7-4d2a-8d4e-6f5a7b8c9d01"
FACE = "7c1d2e3f-25b8-4e3b-9e5f-7a6b8c9d0e01"
PICTURE, OTHER_PICTURE = "a1" * 32, "b2" * 32
UNTIL = "2027-03-01T12:00:00.000000Z"
START = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z
SECOND = 1_000_000
WHO = Who("user:ada")
GUEST = Who("kiosk 7", "3f9c", "photo-delivery")

#: One of every kind but the first, which comes by itself.
SAMPLES: tuple[Event, ...] = (
    events.CollectionCreated("club"),
    events.PurposeDeclared("club", "photo-delivery", 1, "c3" * 32, 365, 1095, False),
    events.ConsentRecorded("club", ADA, CONSENT, ("photo-delivery", "door"), UNTIL),
    events.ConsentsImported("club", (BOB, CY), ("photo-delivery",)),
    events.FacesEnrolled("club", ADA, CONSENT, (FACE,), (PICTURE,), (BOB,)),
    events.LookalikeRefused("club", None, ADA, OTHER_PICTURE),
    events.TemplatesEnrolled("club", (BOB, CY), 3, (ADA,)),
    events.PictureSearched("club", PICTURE, 3, 87.5, (Found(ADA, 99.1234), Found(BOB, 88)), 88.25),
    events.InteractionRecorded("club", ADA, UNTIL),
    events.ConsentWithdrawn("club", ADA, ("door",)),
    events.SubjectErased("club", CY, "asked", 2, 1),
    events.PurposeMet("club", "door"),
    events.FacesDetected(OTHER_PICTURE, 12),
    events.FacesCompared((PICTURE, OTHER_PICTURE), 3.25),
    events.CollectionsRead(1),
    events.SubjectsRead("club", 2),
    events.SubjectRead("club", ADA, "report"),
    events.TombstonesRead("club", 1),
    events.PurposesRead("club"),
    events.KeysRead(),
    events.KeyCreated("3f9c", "kiosk 7", "photo-delivery", ("search",), ("club",), None, True),
    events.KeyRevoked("3f9c"),
    events.MasterKeyRotated("0123456789abcdef"),
    events.KeyringCopied(),
    events.BackupMade(24),
    events.Restored(24, 2, 1),
    events.AuditRead("export", 25),
    events.CallRefused("search", "ConsentRequired", "club"),
    events.CollectionDeleted("club", 2),
)
#: Kinds that the samples leave out, so that the numbers in the tests stay theirs.
MORE: tuple[Event, ...] = (
    events.PicturesEvaluated(40, 8),
    events.EvaluationBegun("5d1e"),
    events.EvaluationLabelled("5d1e", 2),
    events.EvaluationRead("5d1e", "report"),
    events.EvaluationDropped("5d1e", 12, "expired"),
    events.RetentionSwept(2),
    events.SignedIn("link"),
    events.KeyringRead(),
    events.FacesErased("club", ADA, 2, "withdrawn"),
    events.EnrolledSearched("club", ADA, FACE, 80.0, (Found(BOB, 91.5),)),
    events.PictureRedacted(
        "club", PICTURE, "solid", 3, 1, (ADA,), ((10, 20, 50, 70),), ((-5, 2, 30, 40),)
    ),
    events.FacesRead("club", 3),
    events.UserCreated("club", ADA),
    events.UserDeleted("club", ADA),
    events.UsersRead("club", 2),
    events.FacesAssociated("club", ADA, (FACE,), (BOB,)),
    events.FacesDisassociated("club", ADA, (FACE,), (BOB,)),
    events.CollectionTagged("club", ("team",), ("room",)),
    events.FalseMatchRuleSet("club", "0.1", "face"),
    events.ConflictRefused("club", BOB, OTHER_PICTURE),
    events.FacesTaken("club", (ADA,), 1),
)


def new_store(path: Path) -> Engine:
    """Make a database with the tables of the gallery and an empty log."""
    path.touch()  # an engine makes no database
    engine = sqlite_engine(path, 5)
    with engine.connect().execution_options(**WRITING) as connection, connection.begin():
        schema.metadata.create_all(connection)
        row = {"id": 1, "sequence": 0, "created": START, "epoch": "1", "events": 0}
        connection.execute(insert(schema.state).values(row))
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    with engine.connect().execution_options(**WRITING) as connection, connection.begin():
        yield connection


def write(engine: Engine, log: Log, told: Sequence[Event] = SAMPLES, who: Who = WHO) -> int:
    """Append events one by one, a second apart; return the last number."""
    last = 0
    for place, event in enumerate(told):
        with writing(engine) as connection:
            last = log.append(connection, START + place * SECOND, who, [event])
    return last


def new_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()
