"""Every operation of the API is served or refused by a policy that has a name."""

from __future__ import annotations

import pytest

from sayso.service.rekognition.model import service
from sayso.service.rekognition.policy import REFUSED
from sayso.service.rekognition.registry import handlers

_POLICIES = {
    "live-watchlists",
    "no-celebrities",
    "no-person-tracking",
    "not-yet-available",
    "not-about-faces",
}


def test_none_of_the_75_operations_is_forgotten_and_none_is_both() -> None:
    operations = list(service().operation_names)
    assert len(operations) == len(set(operations)) == 75
    assert set(handlers()) | set(REFUSED) == set(operations)
    assert not set(handlers()) & set(REFUSED)


@pytest.mark.parametrize("operation", sorted(REFUSED))
def test_clients_know_the_error_of_what_is_refused(operation: str) -> None:
    errors = {shape.name for shape in service().operation_model(operation).error_shapes}
    assert "AccessDeniedException" in errors
    refused = REFUSED[operation]
    assert refused.policy in _POLICIES
    assert refused.message.startswith(refused.why)
    assert f"(policy {refused.policy}; see docs/differences.md)" in refused.message


def test_the_policies_are_about_what_they_say() -> None:
    by_policy: dict[str, set[str]] = {}
    for operation, refused in REFUSED.items():
        by_policy.setdefault(refused.policy, set()).add(operation)
    assert set(by_policy) == _POLICIES
    streams = {name for name in service().operation_names if "StreamProcessor" in name}
    assert len(streams) == 7
    assert by_policy["live-watchlists"] == streams
    assert by_policy["no-celebrities"] == {
        name for name in service().operation_names if "Celebrit" in name
    }
    assert by_policy["no-person-tracking"] == {"StartPersonTracking", "GetPersonTracking"}
    assert by_policy["not-yet-available"] >= {
        "StartFaceDetection",
        "GetFaceDetection",
        "StartFaceSearch",
        "GetFaceSearch",
    }


def test_no_policy_can_be_lifted_at_run_time() -> None:
    with pytest.raises(TypeError):
        REFUSED["DetectText"] = REFUSED["DetectLabels"]  # type: ignore[index]
