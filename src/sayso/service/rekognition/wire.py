"""The endpoint that AWS clients post to: from a signed request to an answer, or to a fault."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from botocore.model import OperationModel, StructureShape
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sayso.core import Sayso
from sayso.errors import SaysoError, UnknownKey
from sayso.service.engine import TRIES
from sayso.service.place import signed_paths
from sayso.service.refusals import AWS_JSON, aws_error
from sayso.service.rekognition import policy
from sayso.service.rekognition.context import Context
from sayso.service.rekognition.faults import Fault, fault_of
from sayso.service.rekognition.model import operation_of
from sayso.service.rekognition.registry import handlers
from sayso.service.rekognition.serialising import serialise
from sayso.service.rekognition.signing import Claim, SignedRequest, query_members, read_claim
from sayso.service.rekognition.validation import parse, validate
from sayso.service.state import ServiceState

_log = logging.getLogger(__name__)
#: From this size on a body is hashed and read in a thread, so that nobody else waits for it.
_LARGE = 256 * 1024
#: Bytes of a body, whatever the service takes elsewhere: two pictures of 5 MB as Base64, and more.
MOST_BYTES = 15 * 1024 * 1024
#: Operations that decode pictures or search.
_HEAVY = frozenset(
    {
        "DetectFaces",
        "CompareFaces",
        "IndexFaces",
        "SearchFaces",
        "SearchFacesByImage",
        "SearchUsers",
        "SearchUsersByImage",
        "AssociateFaces",
    }
)


class RekognitionEndpoint:
    """An ASGI application for ``POST /``."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._handlers = handlers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        request_id = str(scope.get("sayso.request_id") or uuid4())
        try:
            response = await self._answer(request, request_id)
        except ClientDisconnect:
            return
        response.headers["x-amzn-RequestId"] = request_id
        await response(scope, receive, send)

    async def _answer(self, request: Request, request_id: str) -> Response:
        try:
            answer, headers = await self._serve(request, request_id)
            return Response(answer, media_type=AWS_JSON, headers=headers)
        except Fault as fault:
            return _refusal(fault)
        except SaysoError as error:
            found = fault_of(error)
            if found.code == "InternalServerError":
                _log.error("%s in request %s", type(error).__name__, request_id)
            return _refusal(found)

    async def _serve(self, request: Request, request_id: str) -> tuple[bytes, dict[str, str]]:
        operation = operation_of(request.headers.get("x-amz-target"))
        if operation is not None:
            request.scope["sayso.route"] = f"rekognition:{operation.name}"
            if operation.name in _HEAVY:
                TRIES.set(_tries(request))
                # Before the body is read: it says whose key it is, and may be refused for that.
                self._state.engine.require_room(_claimed(request))
        # Raw: nothing says that it is text in UTF-8.
        query: bytes = request.scope.get("query_string", b"")
        head = SignedRequest(
            request.method,
            signed_paths(request.scope.get("raw_path") or b"/"),
            query,
            request.headers.raw,
            b"",
        )
        # Nothing of a body is read for somebody without a key.
        claim = await self._claim(request, head)
        body = await _body(request, operation)
        app = await self._sign_in(request, claim, replace(head, body=body))
        if operation is None:
            raise Fault("UnknownOperationException", "X-Amz-Target names no operation of the API")
        key = app.caller.key
        request.scope["sayso.key"] = key
        async with self._state.limits.admit(key):
            refused = policy.REFUSED.get(operation.name)
            if refused is not None:
                raise Fault("AccessDeniedException", refused.message)
            asked = await _in_thread_if_large(
                len(body), _read, operation, body, query, claim.presigned
            )
            del body  # it may be long until this has its turn, and what was read of it suffices
            settings = self._state.settings
            context = Context(
                self._state, app, app.caller, claim.region, settings.account, request_id
            )
            answer = await self._handlers[operation.name](context, asked)
            request.scope["sayso.faces"] = _faces(answer)
            return serialise(operation.output_shape, answer), context.headers

    async def _claim(self, request: Request, head: SignedRequest) -> Claim:
        """Return what a request says of its signature, by a key that there is."""
        state = self._state
        claim = read_claim(head, datetime.now(UTC), state.settings.region)
        state.limits.check_peer(_peer(request), claim.key)
        try:
            await state.engine.light(lambda: state.app.require_key(claim.key))
        except UnknownKey:
            state.limits.failed(_peer(request), claim.key)
            raise
        return claim

    async def _sign_in(self, request: Request, claim: Claim, signed: SignedRequest) -> Sayso:
        state = self._state
        signature = await _in_thread_if_large(len(signed.body), claim.over, signed)
        app = state.app
        try:
            caller = await state.engine.light(
                lambda: app.authenticate_signature(signature.key, signature.verifies)
            )
        except UnknownKey:
            state.limits.failed(_peer(request), signature.key)
            raise
        return app.acting_as(caller)


def _peer(request: Request) -> str | None:
    return None if request.client is None else request.client.host


async def _body(request: Request, operation: OperationModel | None) -> bytes:
    """Return the body; raises Fault over the limit, once all was read, or clients miss it."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= MOST_BYTES:
            parts.append(part)
        else:
            parts.clear()
    if size <= MOST_BYTES:
        return b"".join(parts)
    told = f"the body has {size:,} bytes; the limit is {MOST_BYTES:,}"
    if operation is not None and _takes_a_picture(operation):
        raise Fault("ImageTooLargeException", told)
    raise Fault("RequestEntityTooLargeException", told, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _takes_a_picture(operation: OperationModel) -> bool:
    shape = operation.input_shape
    members = shape.members.values() if isinstance(shape, StructureShape) else ()
    return any(member.name == "Image" for member in members)


def _claimed(request: Request) -> str | None:
    """Return the id of the access key that a request says it is of; nothing is believed yet."""
    text = request.headers.get("authorization") or request.query_params.get("X-Amz-Credential", "")
    _, _, rest = text.rpartition("Credential=")
    return rest.partition("/")[0][:64] or None


def _tries(request: Request) -> int | None:
    """Return how often the client has tried before: ``amz-sdk-request: attempt=2; max=3``.

    None where it does not say, or will not try again.
    """
    told = request.headers.get("amz-sdk-request", "")
    found = re.search(r"\battempt=(\d{1,3})\b", told)
    if found is None or int(found[1]) < 1 or re.search(r"\bmax=1\b", told):
        return None
    return int(found[1]) - 1


def _read(operation: OperationModel, body: bytes, query: bytes, presigned: bool) -> dict[str, Any]:
    document = parse(body)
    shape = operation.input_shape
    if presigned and not document and isinstance(shape, StructureShape):
        document = _from_query(shape, query_members(query))
    return validate(shape, document)


def _from_query(shape: StructureShape, members: dict[str, str]) -> dict[str, Any]:
    """Return members of a presigned address, where botocore has put those of the body."""
    found: dict[str, Any] = {}
    for name, value in members.items():
        member = shape.members.get(name)
        if member is None or member.type_name == "string":
            found[name] = value
            continue
        try:
            found[name] = json.loads(value)
        except (ValueError, RecursionError):
            raise Fault(
                "SerializationException", f"{name} cannot be sent in a presigned address"
            ) from None
    return found


async def _in_thread_if_large(size: int, work: Any, *arguments: Any) -> Any:
    if size < _LARGE:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)


def _faces(answer: dict[str, Any]) -> int:
    """Return how many faces an answer tells of, for the metrics."""
    lists = (answer.get(name) for name in ("FaceDetails", "FaceRecords", "FaceMatches"))
    return sum(len(found) for found in lists if found is not None)


def _refusal(fault: Fault) -> Response:
    headers = {}
    if fault.retry_after is not None:
        # The first is for clients of HTTP, the second, in milliseconds, for those of AWS.
        headers = {
            "Retry-After": fault.retry_after,
            "x-amz-retry-after": str(1000 * int(fault.retry_after)),
        }
    return aws_error(fault.code, fault.message, fault.status, headers)
