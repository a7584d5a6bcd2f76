"""What is refused before any handler has a say, in the form that its side of the service has."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from sayso.service.place import at

Scope = MutableMapping[str, Any]
AWS_JSON = "application/x-amz-json-1.1"
_CLOSE = ("Connection", "close")
SOMETHING_WRONG = "something went wrong here; the log has it under the id of this request"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is wrong, as a problem of the REST API and as a fault of the Rekognition wire.

    ``detail`` is a sentence for whoever reads it.
    """

    problem: str
    fault: str
    fault_status: HTTPStatus
    detail: str
    headers: tuple[tuple[str, str], ...] = ()

    def response(self, scope: Scope) -> Response:
        """Return the answer to a request, in the form of the side that it was for."""
        if scope.get("path") == at("/") and scope.get("method") == "POST":
            return self._aws(scope)
        # Here, since the sides of the service are built after what is around them.
        from sayso.service.rest.kinds import KINDS
        from sayso.service.rest.problems import respond

        return respond(KINDS[self.problem], self.detail, scope, headers=dict(self.headers))

    def _aws(self, scope: Scope) -> Response:
        request_id = str(scope.get("sayso.request_id", ""))
        headers = {"x-amzn-RequestId": request_id, **dict(self.headers)}
        return aws_error(self.fault, self.detail, int(self.fault_status), headers)


def aws_error(code: str, message: str, status: int, headers: Mapping[str, str]) -> Response:
    """Return an error in every way that AWS clients read it."""
    return Response(
        json.dumps({"__type": code, "message": message, "Message": message}),
        status_code=status,
        media_type=AWS_JSON,
        headers={"x-amzn-ErrorType": code, **headers},
    )


def too_large(limit: int) -> Refusal:
    """The body is over the limit."""
    return Refusal(
        "body-too-large",
        "RequestEntityTooLargeException",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body has more than {limit:,} bytes, which is the limit",
        headers=(_CLOSE,),
    )


def too_slow(seconds: float, rate: int) -> Refusal:
    """The body did not come in time; ``rate`` is the least, in bytes a second."""
    return Refusal(
        "body-timeout",
        "RequestTimeoutException",
        HTTPStatus.REQUEST_TIMEOUT,
        f"the body did not come within {seconds:g} seconds (SAYSO_BODY_TIMEOUT), or it came more "
        f"slowly than {rate:,} bytes a second",
        headers=(_CLOSE,),
    )


def too_much() -> Refusal:
    """There is no memory for one more body."""
    return Refusal(
        "too-many-requests",
        "ThrottlingException",
        HTTPStatus.BAD_REQUEST,
        "the service holds as many bodies of requests as it can; retry in 1 s",
        headers=(("Retry-After", "1"), _CLOSE),
    )


def stopping() -> Refusal:
    """The service stops, and does not wait for the answer any more."""
    return Refusal(
        "unavailable",
        "ServiceUnavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the service is shutting down",
        headers=(("Retry-After", "1"), _CLOSE),
    )


def internal() -> Refusal:
    """Something happened that nobody expected; what, is in the log only."""
    return Refusal(
        "internal-error",
        "InternalServerError",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        SOMETHING_WRONG,
    )
