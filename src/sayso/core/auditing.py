"""The audit log read, verified and exported, and what a subject is told about themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import Connection

from sayso.audit import exports, heads, log, verification
from sayso.audit.about import about
from sayso.audit.events import AuditRead, SubjectRead
from sayso.audit.heads import Head
from sayso.audit.log import Entry
from sayso.audit.verification import Verification
from sayso.core.base import Act, Base, Call
from sayso.errors import AuditError
from sayso.gallery import collections, enrolled, erasure, purposes
from sayso.gallery.collections import Pinned
from sayso.results import ConsentRecord, SubjectReport

#: Entries that an export reads at once.
_CHUNK = 1000


class Auditing(Base):
    """What an auditor can do."""

    def audit_entries(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        collection: str | None = None,
        actor: str | None = None,
        kind: str | None = None,
        subject: tuple[str, str] | None = None,
    ) -> tuple[Entry, ...]:
        """Return entries of the audit log numbered above ``after``, at most ``limit``.

        And below ``before``, where it is given. Those of a collection, an actor, a kind of event,
        or about a subject: a pair of collection and name, or of collection and id, which finds the
        erased, too. Raises SubjectNotFound.
        """
        where = collection or (subject[0] if subject else None)
        call = self._admit("audit", collection=where, everywhere=where is None)
        if subject is not None and subject[0] != where:
            self._admit("audit", collection=subject[0])
        # Read before it is recorded: a long log would keep everybody else from writing.
        with self._resources.store.read() as connection:
            subject_id = None if subject is None else self._subject_id(connection, call, *subject)
            found = tuple(
                log.entries(
                    connection,
                    after=after,
                    before=before,
                    limit=limit,
                    newest_first=newest_first,
                    collection=where,
                    actor=actor,
                    kind=kind,
                    subject=subject_id,
                )
            )
        with self._act(call) as act:
            act.record(AuditRead(what="tail", entries=len(found)))
        return found

    def audit_export(self, after: int = 0) -> Iterator[str]:
        """Yield the log's entries numbered above ``after`` as lines of JSON, each with its hash.

        What is written while this goes on is not in it, nor is the entry of the export itself.
        """
        call = self._admit("audit", everywhere=True)
        resources = self._resources
        with resources.store.read() as connection:
            head = heads.current_head(connection, resources.log.public_key)
        last = 0 if head is None else head.number
        with self._act(call) as act:
            act.record(AuditRead(what="export", entries=max(0, last - after)))
        return self._lines(after, last)

    def audit_verify(self, head: Head | None = None) -> Verification:
        """Check the whole log: every hash, every link, the signature, and a saved head if given.

        That it was checked is on record, and is the first entry that this check does not cover.
        Only where the log is so damaged that no entry can follow it, the check leaves none.
        """
        call = self._admit("audit", everywhere=True)
        resources = self._resources
        with resources.store.read() as connection:
            found = verification.verify(connection, resources.log.public_key, head)
        try:
            with self._act(call) as act:
                act.record(AuditRead(what="verify", entries=found.entries))
        except AuditError:
            if found.ok:
                raise
        return found

    def audit_head(self) -> Head:
        """Return the signed end of the log, to be kept elsewhere; raises AuditError if empty.

        With it, a later check finds whether anything up to there was changed or cut off. That it
        was read is on record, and is the last entry that it covers.
        """
        with self._act(self._admit("audit", everywhere=True)) as act:
            act.record(AuditRead(what="head", entries=1))
        return self._head()

    def report(self, collection: str, subject: str) -> SubjectReport:
        """Return all that a subject can be told: what is held, on what consent, who found them.

        Raises CollectionNotFound or SubjectNotFound.
        """
        call = self._admit("audit", "admin", collection=collection)
        with self._act(call) as act:
            pinned = collections.find(act.connection, collection)
            known = act.subject(pinned, subject)
            connection, change = act.connection, act.change
            records = act.consents(known)
            entries = tuple(
                about(each, known.id) for each in log.entries(connection, subject=known.id)
            )
            act.record(SubjectRead(collection=collection, subject=known.id, what="report"))
            return SubjectReport(
                subject=act.describe(pinned, known),
                faces=tuple(
                    # Nobody else is told of: not whom their faces are said to be of, either.
                    replace(face, user=face.user if face.user == subject else None)
                    for face in enrolled.of_subject(
                        connection,
                        change.find_keys,
                        pinned,
                        known,
                        purpose=call.known_purpose,
                        now=change.now,
                    )
                ),
                consents=records,
                notices=_notices(act, pinned, records),
                entries=entries,
            )

    def _head(self) -> Head:
        resources = self._resources
        with resources.store.read() as connection:
            head = heads.current_head(connection, resources.log.public_key)
        if head is None:
            raise AuditError("the audit log has no entry yet, so it has no head")
        return head

    def _lines(self, after: int, until: int) -> Iterator[str]:
        while after < until:
            with self._resources.store.read() as connection:
                chunk = list(log.entries(connection, after=after, limit=min(_CHUNK, until - after)))
            if not chunk:
                return
            yield from map(exports.export_line, chunk)
            after = chunk[-1].number

    def _subject_id(self, connection: Connection, call: Call, collection: str, name: str) -> str:
        if erasure.is_tombstone(connection, collection, name):
            return name
        pinned = collections.find(connection, collection)
        store = self._resources.store
        return call.subject(connection, store.keyring, pinned, name, store.now()).id


def _notices(
    act: Act, pinned: Pinned, records: tuple[ConsentRecord, ...]
) -> dict[tuple[str, int], str]:
    """Return the texts that were agreed to, by purpose and version."""
    agreed = {pair for record in records for pair in record.notices.items()}
    return {
        (name, version): purposes.notice_text(act.connection, pinned, name, version)
        for name, version in sorted(agreed)
    }
