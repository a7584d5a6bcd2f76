"""Sealing: AES-256-GCM (NIST SP 800-38D), with what the sealed bytes are for bound to them.

Sealed bytes are 12 random bytes of nonce, the ciphertext, and 16 bytes of tag.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from sayso.errors import SealBroken

#: Bytes of a key.
KEY_BYTES = 32
#: Bytes that sealing adds.
OVERHEAD = 28

_NONCE = 12
_DIGESTS = b"sayso digests"


class DataKey:
    """A key of 32 bytes, which it never shows: one subject's, or one that the gallery itself has.

    It may be used by several threads. Nonces are random, so a key may seal 2^32 times (NIST SP
    800-38D, 8.3); a subject's seals a few dozen.
    """

    # The cipher is made for each use: in 2 us, where keeping it takes a kilobyte for each subject.
    __slots__ = ("_digests", "_raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(raw)}")
        self._raw = raw
        self._digests: bytes | None = None

    @classmethod
    def generate(cls) -> DataKey:
        """Return a new, random key."""
        return cls(os.urandom(KEY_BYTES))

    @property
    def raw(self) -> bytes:
        """The 32 bytes of the key; for wrapping it and nothing else."""
        return self._raw

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Encrypt, so that it only opens in the same context: what it is and whose."""
        return seal(AESGCM(self._raw), plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return what was sealed in this context by this key.

        Raises SealBroken when it was changed, or sealed in another context or by another key.
        """
        return unseal(AESGCM(self._raw), sealed, context)

    def digest(self, data: bytes) -> bytes:
        """Return 32 bytes that only a holder of this key can compute from the data.

        HMAC-SHA256 (RFC 2104) under a key that HKDF (RFC 5869) derives for digests alone.
        """
        if self._digests is None:  # one key for all names digests hundreds of thousands of them
            self._digests = HKDFExpand(SHA256(), KEY_BYTES, _DIGESTS).derive(self._raw)
        return hmac.digest(self._digests, data, hashlib.sha256)

    def __repr__(self) -> str:
        return "DataKey(...)"

    def __reduce__(self) -> str:
        raise TypeError("a DataKey is not pickled: it would leave the keyring in the clear")


def seal(cipher: AESGCM, plain: bytes, context: bytes) -> bytes:
    """Encrypt with a cipher, as ``DataKey.seal`` does with its own."""
    nonce = os.urandom(_NONCE)
    return nonce + cipher.encrypt(nonce, plain, context)


def unseal(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    """Decrypt with a cipher, as ``DataKey.open`` does with its own; raises SealBroken."""
    if len(sealed) < OVERHEAD:
        raise SealBroken(
            f"{len(sealed)} bytes are too few for anything sealed; restore it from a backup"
        )
    try:
        return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
    except InvalidTag:
        raise SealBroken(
            "what was sealed does not open: it was changed, or another key sealed it; "
            "restore it from a backup"
        ) from None
