"""Signature Version 4: who signed a request, and whether they really did.

After "AWS Signature Version 4 for API requests", in the two forms that clients send: the header
``Authorization``, and the query of a presigned address. What was signed is put together from the
request as it came, byte for byte, and the body is always hashed here, whatever the client says its
hash is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from sayso.service.rekognition.faults import Fault

Headers = Sequence[tuple[bytes, bytes]]

ALGORITHM = "AWS4-HMAC-SHA256"
_ASYMMETRIC = "AWS4-ECDSA-P256-SHA256"
SERVICE = "rekognition"
#: How far the clocks of client and service may be apart.
SKEW = timedelta(minutes=15)
_LONGEST_PRESIGNED = 604_800  # seconds: a week
_MOST_SIGNED = 64
_STAMP = "%Y%m%dT%H%M%SZ"
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9]{1,128}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_TERMINATOR = "aws4_request"
#: Headers that decide what is done, and so must be signed wherever they are sent.
_DECISIVE = ("x-amz-target", "x-amz-date", "x-amz-content-sha256")


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it came: ``query`` raw, header names in small letters.

    ``paths`` are the raw paths that may have been signed: where a proxy has changed what came, one
    of several.
    """

    method: str
    paths: tuple[bytes, ...]
    query: bytes
    headers: Headers
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature of a request: the access key it claims, and the region it is for.

    ``presigned`` tells that it came in the address.
    """

    key: str
    region: str
    presigned: bool
    _date: str = field(repr=False)
    _texts: tuple[bytes, ...] = field(repr=False)
    _given: str = field(repr=False)

    def verifies(self, secret: str) -> bool:
        """Tell whether somebody with that secret made the signature."""
        key = b"AWS4" + secret.encode()
        for part in (self._date, self.region, SERVICE, _TERMINATOR):
            key = hmac.digest(key, part.encode(), hashlib.sha256)
        made = [hmac.new(key, text, hashlib.sha256).hexdigest() for text in self._texts]
        return any(hmac.compare_digest(each, self._given) for each in made)


@dataclass(frozen=True, slots=True)
class _Claims:
    """What a request says of its own signature."""

    credential: str
    signed: str
    signature: str
    stamp: str
    life: timedelta
    presigned: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """All that a request says of its signature before its body is known.

    ``key``, ``region`` and ``presigned`` are as in ``Signature``.
    """

    key: str
    region: str
    presigned: bool
    _date: str = field(repr=False)
    _claims: _Claims = field(repr=False)
    _names: list[str] = field(repr=False)

    def over(self, request: SignedRequest) -> Signature:
        """Return the signature of the request, with its body; raises Fault for another's hash."""
        body = _body_digest(request)
        claims, scope = self._claims, "/".join((self._date, self.region, SERVICE, _TERMINATOR))
        canonical = (_canonical(request, path, self._names, claims, body) for path in request.paths)
        digests = [hashlib.sha256(each).hexdigest() for each in canonical]
        texts = tuple(
            "\n".join((ALGORITHM, claims.stamp, scope, digest)).encode() for digest in digests
        )
        given = claims.signature
        return Signature(self.key, self.region, self.presigned, self._date, texts, given)


def read_signature(request: SignedRequest, now: datetime, region: str | None = None) -> Signature:
    """Return the signature of a request, which is still to be verified with the key's secret.

    Raises Fault as ``read_claim`` does, and for a body of another hash than the client says.
    """
    return read_claim(request, now, region).over(request)


def read_claim(request: SignedRequest, now: datetime, region: str | None = None) -> Claim:
    """Return what a request claims of its signature; its body plays no part yet.

    ``region`` is the only one that is taken, or None for any. Raises Fault for a request that has
    none, or one that is not whole, not for this service or not of this time.
    """
    claims = _claims(request)
    key, date, found_region = _scope(claims.credential, region)
    if date != claims.stamp[:8]:
        raise _invalid("the date of the credential is not that of X-Amz-Date")
    _check_time(claims, now)
    if not _SIGNATURE.fullmatch(claims.signature):
        raise _incomplete("the signature must be 64 hexadecimal digits")
    names = _signed_names(claims.signed, request.headers)
    return Claim(key, found_region, claims.presigned, date, claims, names)


def _claims(request: SignedRequest) -> _Claims:
    given = [value for name, value in request.headers if name == b"authorization"]
    query = _query(request.query)
    sent = {name for name, _ in request.headers} | {name.lower().encode() for name, _ in query}
    if b"x-amz-security-token" in sent:
        raise Fault(
            "UnrecognizedClientException",
            "session tokens are not supported: use an access key of Sayso's (sayso keys create) "
            "without one",
        )
    presigned = any(name == "X-Amz-Algorithm" for name, _ in query)
    if not given and not presigned:
        raise Fault(
            "MissingAuthenticationTokenException",
            "the request is not signed: sign it with an access key (Signature Version 4)",
            HTTPStatus.FORBIDDEN,
        )
    if len(given) + presigned > 1:
        raise _incomplete("the request is signed more than once")
    return _from_query(query) if presigned else _from_header(given[0], request.headers)


def _from_header(value: bytes, headers: Headers) -> _Claims:
    algorithm, _, rest = value.decode("latin-1").strip().partition(" ")
    _check_algorithm(algorithm)
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, found, text = part.strip().partition("=")
        if not found or name in parts:
            raise _incomplete("the header Authorization cannot be read")
        parts[name] = text.strip()
    missing = {"Credential", "SignedHeaders", "Signature"} - set(parts)
    if missing:
        raise _incomplete(f"the header Authorization lacks {', '.join(sorted(missing))}")
    stamps = [v.decode("latin-1").strip() for n, v in headers if n == b"x-amz-date"]
    if len(stamps) != 1:
        raise _incomplete("the request needs one header X-Amz-Date")
    return _Claims(
        parts["Credential"], parts["SignedHeaders"], parts["Signature"], stamps[0], SKEW, False
    )


def _from_query(query: list[tuple[str, str]]) -> _Claims:
    names = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    found = {}
    for name in names:
        values = [value for known, value in query if known == f"X-Amz-{name}"]
        if len(values) != 1:
            raise _incomplete(f"the address needs one X-Amz-{name}")
        found[name] = values[0]
    _check_algorithm(found["Algorithm"])
    expires = found["Expires"]
    if not re.fullmatch(r"[0-9]{1,6}", expires) or not 1 <= int(expires) <= _LONGEST_PRESIGNED:
        raise _incomplete(f"X-Amz-Expires runs from 1 to {_LONGEST_PRESIGNED} seconds")
    return _Claims(
        found["Credential"],
        found["SignedHeaders"],
        found["Signature"],
        found["Date"],
        timedelta(seconds=int(expires)),
        True,
    )


def _check_algorithm(name: str) -> None:
    if name == _ASYMMETRIC:
        raise _incomplete(
            f"Signature Version 4A is not supported: sign for one region, with {ALGORITHM}"
        )
    if name != ALGORITHM:
        raise _incomplete(f"the algorithm of the signature must be {ALGORITHM}")


def _scope(credential: str, region: str | None) -> tuple[str, str, str]:
    parts = credential.split("/")
    if len(parts) != 5 or not _KEY.fullmatch(parts[0]):
        raise _incomplete("the credential must be KEY/DATE/REGION/rekognition/aws4_request")
    key, date, found, service, terminator = parts
    if service != SERVICE or terminator != _TERMINATOR:
        raise _invalid(f"Credential should be scoped to correct service: '{SERVICE}'.")
    if not _REGION.fullmatch(found) or (region is not None and found != region):
        raise _invalid(
            "Credential should be scoped to a valid region"
            + (f": '{region}'." if region is not None else ".")
        )
    return key, date, found


def _check_time(claims: _Claims, now: datetime) -> None:
    try:
        signed = datetime.strptime(claims.stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete("X-Amz-Date must be a time such as 20260504T093000Z") from None
    if signed.strftime(_STAMP) != claims.stamp:
        raise _incomplete("X-Amz-Date must be a time such as 20260504T093000Z")
    here = now.strftime(_STAMP)
    if signed - now > SKEW:
        raise _invalid(f"Signature not yet current: {claims.stamp} is still later than {here}")
    if now - signed > claims.life:
        raise _invalid(f"Signature expired: {claims.stamp} is now too old, it is {here}")


def _signed_names(listed: str, headers: Headers) -> list[str]:
    names = listed.split(";")
    there = {name.decode("latin-1") for name, _ in headers}
    if len(names) > _MOST_SIGNED or names != sorted(set(names)) or not set(names) <= there:
        raise _incomplete("SignedHeaders must list headers that are sent, each once, in order")
    needed = {"host", *(name for name in _DECISIVE if name in there)}
    if not needed <= set(names):
        raise _incomplete(f"these headers must be signed: {', '.join(sorted(needed - set(names)))}")
    return names


def _body_digest(request: SignedRequest) -> str:
    """Return the hash of the body; raises Fault where the client says another."""
    digest = hashlib.sha256(request.body).hexdigest()
    said = [value.strip() for name, value in request.headers if name == b"x-amz-content-sha256"]
    if any(value != digest.encode() for value in said):
        raise _invalid("X-Amz-Content-SHA256 is not the SHA-256 of the body, in small letters")
    return digest


def _canonical(
    request: SignedRequest, path: bytes, names: list[str], claims: _Claims, body: str
) -> bytes:
    parts = request.query.split(b"&") if request.query else []
    pairs = [part.partition(b"=")[::2] for part in parts]
    kept = sorted(pair for pair in pairs if not claims.presigned or pair[0] != b"X-Amz-Signature")
    values: dict[str, list[bytes]] = {}
    for name, value in request.headers:
        values.setdefault(name.decode("latin-1"), []).append(b" ".join(value.split()))
    lines = [
        request.method.encode(),
        path or b"/",
        b"&".join(name + b"=" + value for name, value in kept),
        *(name.encode("latin-1") + b":" + b",".join(values[name]) for name in names),
        b"",
        ";".join(names).encode("latin-1"),
        body.encode(),
    ]
    return b"\n".join(lines)


def _query(raw: bytes) -> list[tuple[str, str]]:
    pairs = (pair.partition(b"=") for pair in raw.split(b"&") if pair)
    return [(_decoded(name), _decoded(value)) for name, _, value in pairs]


def _decoded(part: bytes) -> str:
    return unquote_to_bytes(part).decode("utf-8", "replace")


def query_members(raw: bytes) -> dict[str, str]:
    """Return what a presigned address asks beside its signature: botocore puts the body there."""
    return {name: value for name, value in _query(raw) if not name.lower().startswith("x-amz-")}


def _incomplete(message: str) -> Fault:
    return Fault("IncompleteSignatureException", message)


def _invalid(message: str) -> Fault:
    return Fault("InvalidSignatureException", message)
