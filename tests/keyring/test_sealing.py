from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.errors import SealBroken
from sayso.keyring.sealing import OVERHEAD, DataKey

KEY = DataKey(bytes(range(32)))


@given(st.binary(max_size=3000), st.binary(max_size=50))
def test_what_was_sealed_opens_in_its_context(plain: bytes, context: bytes) -> None:
    sealed = KEY.seal(plain, context)
    assert len(sealed) == len(plain) + OVERHEAD
    assert KEY.open(sealed, context) == plain
    with pytest.raises(SealBroken):
        KEY.open(sealed, context + b"x")


def test_the_form_is_aes_256_gcm() -> None:
    """Test case 13 of McGrew and Viega, The Galois/Counter Mode of Operation: AES-256, no data."""
    nonce, tag = bytes(12), bytes.fromhex("530f8afbc74536b9a963b4f1c4cb738b")
    assert DataKey(bytes(32)).open(nonce + tag, b"") == b""


def test_every_changed_bit_is_found() -> None:
    sealed = KEY.seal(b"a template", b"context")
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            KEY.open(bytes(changed), b"context")


@pytest.mark.parametrize("length", [0, 1, 12, 27])
def test_too_few_bytes_are_no_seal(length: int) -> None:
    with pytest.raises(SealBroken, match=f"^{length} bytes are too few"):
        KEY.open(bytes(length), b"")


def test_another_key_opens_nothing() -> None:
    with pytest.raises(SealBroken):
        DataKey.generate().open(KEY.seal(b"plain", b""), b"")


def test_no_nonce_comes_twice() -> None:
    assert len({KEY.seal(b"", b"")[:12] for _ in range(1000)}) == 1000


def test_a_digest_needs_the_key_and_is_under_none_that_seals() -> None:
    digest = KEY.digest(b"picture")
    assert len(digest) == 32
    # HKDF-Expand (RFC 5869, 2.3) for one block, and then HMAC-SHA256.
    assert digest.hex() == "07a30873d09211272c11d8326a070b2b038daee05456a0a2688959f05be4a450"
    assert DataKey.generate().digest(b"picture") != digest
    assert KEY.digest(b"other") != digest


def test_it_never_shows_itself() -> None:
    for shown in (repr(KEY), str(KEY), f"{KEY}", f"{KEY!r}"):
        assert shown == "DataKey(...)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(KEY)
    assert not hasattr(KEY, "__dict__")


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match=r"^a key has 32 bytes, not 16$"):
        DataKey(bytes(16))
