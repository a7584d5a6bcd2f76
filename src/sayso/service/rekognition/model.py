"""The API's own model, as botocore ships it: every operation, and the shapes of its messages."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

_TARGET = "RekognitionService."


@cache
def service() -> ServiceModel:
    """Return the model of the newest version of the API."""
    # Not the default search paths: models in ~/.aws would go before the one that botocore ships.
    loader = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
    )
    return ServiceModel(loader.load_service_model("rekognition", "service-2"), "rekognition")


def operation_of(target: str | None) -> OperationModel | None:
    """Return the operation that an ``X-Amz-Target`` header names, or None."""
    if target is None or not target.startswith(_TARGET):
        return None
    name = target[len(_TARGET) :]
    model = service()
    return model.operation_model(name) if name in model.operation_names else None
