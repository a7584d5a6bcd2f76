"""Heads: the end of the log at some moment, to be kept where the log's keeper cannot change it.

A head pins every entry up to its own. Against a saved one, ``verify`` also finds what a log by
itself cannot show: that its last entries were cut off, or an old copy was put in its place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from sayso.audit import chain
from sayso.audit.canonical import parse
from sayso.errors import AuditError
from sayso.gallery.times import microseconds, moment

_NAME = "sayso-audit-head"
_VERSION = 1
_HEX = {"hash": 64, "signature": 128, "public_key": 64}


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a log: its number, hash, signature and time, and the log's public key.

    ``hash`` (32 bytes), ``signature`` (64) and ``public_key`` (32) are hex. The signature is of
    the hash, which stands for the whole entry and, through the chain, for all before it;
    ``number`` and ``time`` are only checked where the entry is at hand.
    """

    number: int
    hash: str
    signature: str
    public_key: str
    time: datetime

    @classmethod
    def parse(cls, text: str | bytes) -> Head:
        """Read a head from its JSON document; raises AuditError when it is none."""
        document = parse(text)
        if document is None or _NAME not in document:
            raise AuditError("this is no head of an audit log: 'sayso audit head' writes one")
        if type(document[_NAME]) is not int or document[_NAME] != _VERSION:
            raise AuditError(f"this version of Sayso reads heads of version {_VERSION} only")
        number = document.get("number")
        if type(number) is not int or number < 1:
            raise _bad("number", "a whole number from 1")
        for name, digits in _HEX.items():
            value = document.get(name)
            if not isinstance(value, str) or not re.fullmatch(f"[0-9a-f]{{{digits}}}", value):
                raise _bad(name, f"{digits} hexadecimal digits in small letters")
        time = chain.read_stamp(document.get("time"))
        if time is None:
            raise _bad("time", "a time in UTC such as 2026-03-01T12:00:00.000000Z")
        return cls(
            number=number,
            hash=document["hash"],
            signature=document["signature"],
            public_key=document["public_key"],
            time=time,
        )

    def document(self) -> dict[str, Any]:
        """Return the head as a JSON document."""
        return {
            _NAME: _VERSION,
            "number": self.number,
            "hash": self.hash,
            "signature": self.signature,
            "public_key": self.public_key,
            "time": chain.stamp(microseconds(self.time)),
        }

    def to_json(self) -> str:
        """Return the head's document as text, which ``parse`` reads."""
        return json.dumps(self.document(), indent=2) + "\n"

    def check(self) -> None:
        """Raise AuditError unless the signature is of the hash, by the head's own key."""
        key = chain.public_key(bytes.fromhex(self.public_key))
        if not chain.signed(key, bytes.fromhex(self.hash), bytes.fromhex(self.signature)):
            raise AuditError("the head of the audit log was changed: its signature does not fit")


def current_head(connection: Connection, public_key: bytes) -> Head | None:
    """Return the head of the log as it is, or None before its first entry.

    ``public_key`` is the log's, 32 bytes. Raises AuditError when the last entry is not what the
    holder of that key signed.
    """
    tail = chain.read_tail(connection)
    if tail.number is None:
        return None
    if not chain.signed(chain.public_key(public_key), tail.hash, tail.signature):
        raise chain.broken(tail.number)
    return Head(
        tail.number, tail.hash.hex(), tail.signature.hex(), public_key.hex(), moment(tail.time)
    )


def _bad(name: str, rule: str) -> AuditError:
    return AuditError(f"the head of the audit log is damaged: {name} must be {rule}")
