"""Requests with a ClientRequestToken, which may come again and are then not done again."""

from __future__ import annotations

import json
from collections.abc import Callable

from sayso.service.rekognition.answers import Document
from sayso.service.rekognition.context import Context

_TOKEN = "ClientRequestToken"  # noqa: S105 - what clients call it


def once(
    context: Context, operation: str, request: Document, work: Callable[[], Document]
) -> Document:
    """Return what was answered to the same token, or do the work; raises TokenReused.

    Without a token, the work is done.
    """
    token = request.get(_TOKEN)
    if token is None:
        return work()
    asked = {name: value for name, value in request.items() if name != _TOKEN}
    plain = json.dumps(asked, sort_keys=True).encode()
    before = context.app.recall(operation, token, plain)
    if before is not None:
        answered: Document = json.loads(before)
        return answered
    answer = work()
    context.app.remember(
        operation, token, plain, json.dumps(answer).encode(), collection=request["CollectionId"]
    )
    return answer
