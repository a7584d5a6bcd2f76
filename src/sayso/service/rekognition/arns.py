"""Names of collections as AWS writes them."""

from __future__ import annotations

import re

from sayso.service.rekognition.context import Context
from sayso.service.rekognition.faults import Fault

_ARN = re.compile(
    r"arn:aws:rekognition:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12})"
    r":collection/(?P<name>[a-zA-Z0-9_.\-]{1,255})"
)


def collection_arn(context: Context, name: str) -> str:
    """Return the ARN of a collection."""
    return f"arn:aws:rekognition:{context.region}:{context.account}:collection/{name}"


def collection_of(context: Context, arn: str) -> str:
    """Return the collection that an ARN names; raises Fault unless it is one of here."""
    found = _ARN.fullmatch(arn)
    if found is None:
        if arn.startswith("arn:aws:rekognition:"):
            raise Fault(
                "ResourceNotFoundException",
                "the ARN names no collection, and nothing else can have tags here",
            )
        raise Fault(
            "InvalidParameterException",
            "the ARN is none of Rekognition's: it has the form arn:aws:rekognition:REGION:ACCOUNT"
            ":collection/ID",
        )
    if (found["region"], found["account"]) != (context.region, context.account):
        raise Fault(
            "ResourceNotFoundException",
            f"the collection is not in region {context.region} of account {context.account}: use "
            "the ARN that DescribeCollection tells",
        )
    return found["name"]
