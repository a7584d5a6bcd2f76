"""Access keys: made, listed, revoked, and recognised."""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from sayso.audit.events import KeyCreated, KeyRevoked, KeysRead, SignedIn, SignInWay
from sayso.callers import ACTIONS, Action, Caller
from sayso.core.base import Base, Call
from sayso.errors import GalleryError, UnknownKey
from sayso.gallery import access_keys
from sayso.results import AccessKey, NewAccessKey


class Keys(Base):
    """What can be done with access keys."""

    def create_key(
        self,
        actor: str,
        *,
        purpose: str,
        actions: Sequence[Action],
        collections: Sequence[str] | None = None,
        until: datetime | None = None,
        attestation: str | None = None,
    ) -> NewAccessKey:
        """Make an access key for an actor; its secret is told now and never again.

        It may do those actions, for that one purpose, in those collections (None: in all) until
        then (None: until it is revoked). ``attestation`` says how consent is collected before
        somebody is enrolled by it, and then serves as the evidence. Nobody can give actions,
        collections or time that they do not have; whoever may ``admin`` does so for every purpose.

        Raises InvalidName, AccessDenied, or GalleryError for what a key cannot be.
        """
        call = self._admit("admin")
        if isinstance(actions, str) or isinstance(collections, str):
            raise GalleryError("actions and collections are lists of names, not one text")
        unknown = sorted(set(actions) - set(ACTIONS))
        if unknown or not actions:
            raise GalleryError(
                f"{', '.join(unknown) or 'nothing'} is no action that a key could allow: name some "
                f"of {', '.join(ACTIONS)}"
            )
        with self._act(call) as act:
            call.caller.require_within(actions, collections, until and until.astimezone())
            made = access_keys.create(
                act.change,
                actor,
                purpose=purpose,
                actions=actions,
                collections=collections,
                until=None if until is None else until.astimezone(),
                attestation=attestation,
                created_by=call.caller.actor,
            )
            key = made.key
            act.record(
                KeyCreated(
                    key_created=key.id,
                    for_actor=key.actor,
                    for_purpose=key.purpose,
                    actions=key.actions,
                    collections=key.collections,
                    expires=None if key.expires is None else key.expires.isoformat(),
                    attested=key.attestation is not None,
                )
            )
        return made

    def keys(self) -> tuple[AccessKey, ...]:
        """Return every access key, the oldest first; no secrets."""
        with self._act(self._admit("admin", everywhere=True)) as act:
            act.record(KeysRead())
            return access_keys.describe_all(act.connection, act.change.keyring.secrets())

    def revoke_key(self, key: str) -> AccessKey:
        """Revoke an access key at once and for good; raises KeyNotFound."""
        with self._act(self._admit("admin", everywhere=True), ends=True) as act:
            revoked = access_keys.revoke(act.change, key)
            act.record(KeyRevoked(key_revoked=key))
        return revoked

    def signed_in(self, by: SignInWay) -> None:
        """Put on record that the caller signed in, so that what follows is asked by a browser."""
        with self._act(self._admit(*ACTIONS)) as act:
            act.record(SignedIn(by))

    def authenticate(self, key: str, secret: str) -> Caller:
        """Return the caller whose key this is; raises UnknownKey.

        Asked by ways in, before there is a caller. What is refused is on record.
        """
        given = secret.encode("utf-8", "surrogatepass")

        def is_theirs(known: str) -> bool:
            return hmac.compare_digest(known.encode(), given)

        return self._authenticate(key, is_theirs)

    def authenticate_signature(self, key: str, verify: Callable[[str], bool]) -> Caller:
        """Return the caller whose key made a signature, as ``verify`` says of the key's secret.

        Raises UnknownKey; what is refused is on record.
        """
        return self._authenticate(key, verify)

    def require_key(self, key: str) -> None:
        """Raise UnknownKey unless there is a key of that id; what is refused is on record.

        Asked by ways in before they read anything else of a request. It proves nothing of the
        caller. That a key has expired is said once its secret was seen.
        """
        with self._on_record(), self._resources.store.read() as connection:
            access_keys.require_there(connection, key)

    def _authenticate(self, key: str, verify: Callable[[str], bool]) -> Caller:
        resources = self._resources
        with self._on_record(), resources.store.read() as connection:
            found = access_keys.authenticate(
                connection, resources.keyring.secrets(), key, verify, resources.store.now()
            )
        return Caller.of(found)

    @contextlib.contextmanager
    def _on_record(self) -> Iterator[None]:
        try:
            yield
        except UnknownKey as error:
            self._refused(Call(Caller("unknown"), "authenticate", None), error)
            raise
