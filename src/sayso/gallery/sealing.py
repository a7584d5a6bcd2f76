"""What the gallery seals, and under which key: one place for the contexts and the encodings.

Everything here is under the subject's own data key, but for ``name_digest``, by which a subject is
found, and which therefore is under a key for all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sayso.gallery.types import EvidenceFile
from sayso.keyring.sealing import DataKey

#: Templates are float32, little-endian, one number after the other, before they are sealed.
STORED = np.dtype("<f4")

_NAME, _TEMPLATE, _EVIDENCE = b"name", b"template", b"evidence"


def seal_name(key: DataKey, name: str) -> bytes:
    """Seal a subject's name."""
    return key.seal(name.encode(), _NAME)


def open_name(key: DataKey, sealed: bytes) -> str:
    """Return a subject's name; raises SealBroken."""
    return key.open(sealed, _NAME).decode()


def name_digest(digests: DataKey, collection: str, name: str) -> bytes:
    """Return the 32 bytes by which a collection's subject of that name is found."""
    return digests.digest(b"subject\0" + collection.encode() + b"\0" + name.encode())


def seal_templates(keys: Sequence[DataKey], templates: NDArray[np.float32]) -> list[bytes]:
    """Seal templates, float32 (n, d), row i under ``keys[i]``."""
    rows = templates.astype(STORED, copy=False)
    return [key.seal(row.tobytes(), _TEMPLATE) for key, row in zip(keys, rows, strict=True)]


def open_template(key: DataKey, sealed: bytes) -> bytes:
    """Return a template's bytes (see ``STORED``); raises SealBroken."""
    return key.open(sealed, _TEMPLATE)


def seal_evidence(key: DataKey, evidence: str | EvidenceFile) -> bytes:
    """Seal the evidence of a consent."""
    document: dict[str, Any]
    if isinstance(evidence, EvidenceFile):
        document = {"file": evidence.name, "sha256": evidence.sha256}
    else:
        document = {"text": evidence}
    plain = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return key.seal(plain.encode(), _EVIDENCE)


def open_evidence(key: DataKey, sealed: bytes) -> str | EvidenceFile:
    """Return the evidence of a consent; raises SealBroken."""
    document = json.loads(key.open(sealed, _EVIDENCE))
    if "text" in document:
        return str(document["text"])
    return EvidenceFile(document["file"], document["sha256"])


#: How often one picture may enrol the same subject, each time for purposes of its own.
_MOST_OF_A_PICTURE = 16


def picture_digest(key: DataKey, sha256: str, again: int = 0) -> bytes:
    """Return the 32 bytes by which a picture of the subject's is known again.

    ``sha256`` is that of the picture's file, in hex. Under the subject's key, so that after an
    erasure nobody can tell which pictures somebody had. A picture that enrols somebody ``again``,
    for another purpose, has another digest.
    """
    number = again.to_bytes() if again else b""
    return key.digest(b"picture\0" + bytes.fromhex(sha256) + number)


def picture_digests(key: DataKey, sha256: str) -> list[bytes]:
    """Return all that a picture of the subject's may be known by."""
    return [picture_digest(key, sha256, again) for again in range(_MOST_OF_A_PICTURE)]


def audited_digest(digests: DataKey, sha256: str) -> str:
    """Return the digest, in hex, by which the audit log names a picture.

    ``sha256`` is that of the picture's file, in hex.
    """
    return digests.digest(b"audit\0" + bytes.fromhex(sha256)).hex()
