"""The API put together."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from sayso.errors import SaysoError
from sayso.service.rest import openapi, problems, reading
from sayso.service.rest.calls import Shared
from sayso.service.rest.operations import Resource
from sayso.service.rest.problems import Refused
from sayso.service.rest.replays import Replays
from sayso.service.rest.resources import (
    audit,
    collections,
    consents,
    evaluations,
    faces,
    keys,
    pictures,
    purposes,
    redactions,
    searches,
    subjects,
    users,
)
from sayso.service.state import ServiceState

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

RESOURCES: Final[tuple[Resource, ...]] = (
    pictures.resource,
    searches.resource,
    redactions.resource,
    collections.resource,
    purposes.resource,
    subjects.resource,
    consents.resource,
    faces.resource,
    users.resource,
    keys.resource,
    audit.resource,
    evaluations.resource,
)

_NO_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def build(state: ServiceState) -> FastAPI:
    """Return the API of a service, to be mounted at ``/v1``."""
    app, told = _bare(), description()
    if state.settings.prefix:
        told = {**told, "servers": [{"url": state.settings.prefix}]}
    app.router.routes.extend(reading.routes(told))
    app.state.shared = Shared(state, Replays(), openapi.queries(told))
    return app


@functools.cache
def description() -> dict[str, Any]:
    """Return the API's description, for which no service is needed."""
    return openapi.document(_bare(), RESOURCES)


def _bare() -> FastAPI:
    app = FastAPI(
        title=openapi.TITLE,
        version=openapi.VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Its traces would hold paths, with the names of people, and go where the environment says.
        telemetry=_NO_TELEMETRY,
        exception_handlers={
            SaysoError: problems.on_error_of_core,
            Refused: problems.on_refused,
            RequestValidationError: problems.on_invalid,
            HTTPException: problems.on_http_error,
            ClientDisconnect: problems.on_left,
            Exception: problems.on_unexpected,
        },
    )
    for resource in RESOURCES:
        for operation in resource.operations:
            app.add_api_route(operation.path, operation.endpoint, **openapi.arguments(operation))
    return app
