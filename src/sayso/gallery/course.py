"""The audit logs of a gallery and of a backup: where they part, and how one is taken over."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from sayso.errors import BackupError
from sayso.gallery import restorable, schema
from sayso.gallery.restorable import Source, insert_rows, rows_of

_AUDIT = schema.audit.c
#: What to do where a gallery that is there is in the way.
MOVE_AWAY = (
    "to restore it all the same, with the audit log that it has, stop every process that uses the "
    "gallery, move gallery.sqlite away, and whatever lies beside it under that name, and restore "
    "again"
)


def last_common(connection: Connection, source: Source) -> int:
    """Return the number of the last entry that the logs of a gallery and a backup both have."""
    own = connection.execute(select(schema.state.c.events)).scalar_one()
    # Each entry has the hash of the one before in it: the logs agree up to there, and no further.
    least, most = 0, min(int(own), source.events)
    while least < most:
        middle = (least + most + 1) // 2
        if _hash(connection, middle) == _hash(source.connection, middle):
            least = middle
        else:
            most = middle - 1
    return least


def _hash(connection: Connection, number: int) -> bytes | None:
    query = select(_AUDIT.hash).where(_AUDIT.number == number)
    return connection.execute(query).scalar()


def another_course(source: Source) -> BackupError:
    """Return the error for a backup whose log neither begins the gallery's nor goes on from it."""
    return BackupError(
        f"the audit log of the backup {str(source.path)!r} ends with an entry, number "
        f"{source.events}, that is not in the log of this gallery: it is the backup of "
        f"another one, or of another course that this one took; {MOVE_AWAY}"
    )


def take_over_log(connection: Connection, source: Source, parted: int) -> None:
    """Go on with the backup's log from where it parts from the gallery's, which is dropped."""
    state, mention = schema.state, schema.audit_subjects.c
    connection.execute(delete(schema.audit_subjects).where(mention.number > parted))
    connection.execute(delete(schema.audit).where(_AUDIT.number > parted))
    for table in (schema.audit, schema.audit_subjects):
        at = [column.name for column in table.columns].index("number")
        for rows in rows_of(source, table):
            insert_rows(connection, insert(table), [row for row in rows if row[at] > parted])
    with restorable.reading(source.path):
        created = source.connection.execute(select(state.c.created)).scalar_one()
    connection.execute(
        update(state).values(events=source.events, head=source.head, created=created)
    )
    for own in (schema.tombstones, schema.pending_endings):
        connection.execute(delete(own))
