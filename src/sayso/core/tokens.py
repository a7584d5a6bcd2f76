"""What ways in from outside need: places to go on reading, and answers to give again."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from sayso.core.base import Base
from sayso.errors import InvalidPageToken
from sayso.gallery import answers

#: How long, in seconds, a token to go on reading is good for.
PAGE_TOKEN_LIFE = 3600
_MAC = 16
_TIME = 6
_LONGEST_POSITION = 128


class Tokens(Base):
    """Tokens that are of one caller: those of other keys are not taken."""

    def page_token(self, scope: str, position: bytes) -> str:
        """Return a token to go on reading at a position, for an hour.

        It is authenticated, and good only for that scope and this caller's key: at most 200
        characters for a position of at most 128 bytes.
        """
        if len(position) > _LONGEST_POSITION:
            raise ValueError(f"a position has {len(position)} bytes, at most {_LONGEST_POSITION}")
        expires = self._seconds() + PAGE_TOKEN_LIFE
        plain = expires.to_bytes(_TIME, "big") + position
        return _text(plain + self._mac(scope, plain))

    def page_position(self, scope: str, token: str) -> bytes:
        """Return the position of a token; raises InvalidPageToken."""
        try:
            raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            raise _invalid() from None
        plain, mac = raw[:-_MAC], raw[-_MAC:]
        # Base64 has several texts for the same bytes; only ours is taken.
        if (
            _text(raw) != token
            or len(plain) < _TIME
            or not hmac.compare_digest(mac, self._mac(scope, plain))
        ):
            raise _invalid()
        if int.from_bytes(plain[:_TIME], "big") < self._seconds():
            raise InvalidPageToken("the token has expired: begin anew without one")
        return plain[_TIME:]

    def recall(self, scope: str, token: str, request: bytes) -> bytes | None:
        """Return what was answered to a request that comes again, or None if it is a new one.

        ``token`` is the client's for it, within a scope such as the operation, and ``request``
        what it asks. Raises TokenReused when the token came with another request.
        """
        resources = self._resources
        with resources.store.read() as connection:
            return answers.find(
                connection,
                resources.keyring.secrets(),
                self._named(scope, token),
                hashlib.sha256(request).digest(),
                resources.store.now(),
            )

    def remember(
        self,
        scope: str,
        token: str,
        request: bytes,
        answer: bytes,
        *,
        collection: str | None = None,
    ) -> None:
        """Keep what was answered, for a day, sealed; see ``recall``.

        What concerns a collection is dropped when somebody is erased from it.
        """
        resources = self._resources
        with resources.store.write() as change:
            answers.keep(
                change,
                resources.keyring.secrets(),
                self._named(scope, token),
                hashlib.sha256(request).digest(),
                answer,
                collection,
            )

    def _seconds(self) -> int:
        return self._resources.store.now() // 1_000_000

    def _named(self, scope: str, token: str) -> bytes:
        parts = [b"answer", (self._caller.key or "").encode(), scope.encode(), token.encode()]
        return self._resources.keyring.digests().digest(_joined(parts))

    def _mac(self, scope: str, plain: bytes) -> bytes:
        parts = [b"page", (self._caller.key or "").encode(), scope.encode(), plain]
        return self._resources.keyring.digests().digest(_joined(parts))[:_MAC]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _joined(parts: list[bytes]) -> bytes:
    """Join parts so that no others give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _invalid() -> InvalidPageToken:
    return InvalidPageToken("the token was not given here, or not for this: begin anew without one")
