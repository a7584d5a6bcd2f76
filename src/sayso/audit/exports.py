"""Exports: the log as JSON Lines, which anybody can verify without the store.

A line is ``{"entry":...,"hash":"...","signature":"..."}``, with the body of the entry as it was
hashed and signed.
"""

from __future__ import annotations

from collections.abc import Iterable

from sayso.audit.canonical import canonical, parse
from sayso.audit.heads import Head
from sayso.audit.log import Entry
from sayso.audit.walk import Verification, Walk


def export_line(entry: Entry) -> str:
    """Return the line of an export for an entry, without a line feed."""
    return _line(entry.body, entry.hash, entry.signature)


def verify_export(
    lines: Iterable[str], *, public_key: bytes | None = None, head: Head | None = None
) -> Verification:
    """Verify the lines of an export, every signature in it, also against a saved ``head``.

    Without the log's public key (32 bytes) that of ``head`` is used, and without either the one
    that the first entry names; ``notes`` tell which. An export may begin later than the log.
    Raises AuditError only for a public key that is none.
    """
    walk = Walk(public_key, head, every_signature=True, whole=False)
    for place, line in enumerate(lines, 1):
        read = _read(line.removesuffix("\n").removesuffix("\r"))
        if read is None:
            walk.skip(f"line {place} is not as an export writes it")
        else:
            walk.take(walk.next, *read)
    return walk.finish()


def _line(body: str, entry_hash: object, signature: object) -> str:
    return f'{{"entry":{body},"hash":"{entry_hash}","signature":"{signature}"}}'


def _read(line: str) -> tuple[bytes, bytes, bytes] | None:
    """Return body, hash and signature, or None unless an export could have written the line."""
    document = parse(line) or {}
    entry, entry_hash, signature = (document.get(n) for n in ("entry", "hash", "signature"))
    if not (isinstance(entry, dict) and isinstance(entry_hash, str) and isinstance(signature, str)):
        return None
    try:
        body = canonical(entry)
        # Compared as a whole, so that nothing else can stand in the line.
        if line != _line(body, entry_hash, signature):
            return None
        return body.encode(), bytes.fromhex(entry_hash), bytes.fromhex(signature)
    except (TypeError, ValueError, RecursionError):
        return None
