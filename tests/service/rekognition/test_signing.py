"""Signatures: botocore makes them, and any change of what was signed shows."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest import mock
from urllib.parse import quote, urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sayso.service.rekognition.faults import Fault
from sayso.service.rekognition.signing import SignedRequest, query_members, read_signature

KEY, SECRET, REGION = "SAYSTESTTESTTEST", "a-secret-of-forty-characters", "eu-central-1"
NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
TARGET = "RekognitionService.ListFaces"


def signed(
    body: bytes = b'{"CollectionId":"club"}',
    *,
    presigned: bool = False,
    secret: str = SECRET,
    region: str = REGION,
    service: str = "rekognition",
    url: str = "http://127.0.0.1:8080/",
    at: datetime = NOW,
    token: str | None = None,
    key: str = KEY,
    target: str = TARGET,
    headers: dict[str, str] | None = None,
) -> SignedRequest:
    """Return a request that botocore signed, as it comes to the server."""
    request = AWSRequest(
        "POST",
        url,
        headers={
            "X-Amz-Target": target,
            "Content-Type": "application/x-amz-json-1.1",
            **(headers or {}),
        },
        data=body,
    )
    credentials = Credentials(key, secret, token)
    kind = auth.SigV4QueryAuth if presigned else auth.SigV4Auth
    with mock.patch("botocore.auth.get_current_datetime", return_value=at.replace(tzinfo=None)):
        kind(credentials, service, region).add_auth(request)
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    sent_on = [(name.lower().encode(), _bytes(value)) for name, value in prepared.headers.items()]
    sent_on = [pair for pair in sent_on if pair[0] not in {b"host", b"content-length"}]
    sent_on.append((b"host", parts.netloc.encode()))
    sent = b"" if presigned else body
    return SignedRequest("POST", (parts.path.encode(),), parts.query.encode(), sent_on, sent)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def verifies(request: SignedRequest, now: datetime = NOW, secret: str = SECRET) -> bool:
    return read_signature(request, now).verifies(secret)


def refused(request: SignedRequest, now: datetime = NOW, region: str | None = None) -> str:
    with pytest.raises(Fault) as fault:
        read_signature(request, now, region)
    return fault.value.code


def without(request: SignedRequest, *names: bytes) -> SignedRequest:
    return replace(request, headers=[pair for pair in request.headers if pair[0] not in names])


def changed(request: SignedRequest, name: bytes, old: bytes, new: bytes) -> SignedRequest:
    headers = [(n, v.replace(old, new) if n == name else v) for n, v in request.headers]
    assert headers != list(request.headers)
    return replace(request, headers=headers)


@pytest.mark.parametrize("presigned", [False, True])
@settings(max_examples=50, deadline=None)
@given(
    body=st.binary(max_size=200),
    region=st.from_regex(r"[a-z]{2}-[a-z]{4,9}-[1-9]", fullmatch=True),
    query=st.lists(st.tuples(st.text("aBz~ é/+=&", min_size=1), st.text("a /é=")), max_size=3),
)
def test_what_botocore_signs_verifies(
    presigned: bool, body: bytes, region: str, query: list[tuple[str, str]]
) -> None:
    asked = "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in query)
    url = "http://127.0.0.1:8080/" + (f"?{asked}" if asked else "")
    content = b"{}" if presigned else body
    request = signed(content, presigned=presigned, region=region, url=url)
    found = read_signature(request, NOW)
    assert (found.key, found.region, found.presigned) == (KEY, region, presigned)
    assert found.verifies(SECRET)
    assert not found.verifies(SECRET + "x")


def test_every_change_of_what_was_signed_shows() -> None:
    request = signed()
    assert verifies(request)
    for other in (
        replace(request, body=request.body + b" "),
        replace(request, body=b""),
        replace(request, method="PUT"),
        replace(request, paths=(b"/v1",)),
        replace(request, query=b"a=b"),
        changed(request, b"host", b"8080", b"8081"),
        changed(request, b"x-amz-target", b"List", b"Delete"),
        changed(request, b"authorization", b"eu-central-1", b"eu-central-2"),
    ):
        assert not verifies(other)
    assert not verifies(signed(secret="another"))


def test_every_change_of_a_presigned_address_shows() -> None:
    request = signed(b'{"CollectionId": "club"}', presigned=True)
    assert verifies(request)
    assert query_members(request.query) == {"CollectionId": "club"}
    for old, new in (
        (b"=club", b"=team"),
        (b"eu-central-1", b"eu-central-2"),
        (b"=3600", b"=3601"),
    ):
        assert old in request.query
        assert not verifies(replace(request, query=request.query.replace(old, new)))
    assert not verifies(replace(request, body=b"{}"))


_OTHERS = st.sampled_from([bytes([byte]) for byte in b"abcxyzAZ0189-_%=&;/"])


@pytest.mark.parametrize("presigned", [False, True])
@settings(max_examples=400, deadline=None)
@given(st.data())
def test_one_byte_that_is_another_shows(presigned: bool, data: st.DataObject) -> None:
    url = "http://127.0.0.1:8080/some/path?first=1&second=two"
    request = signed(b'{"CollectionId": "club"}', presigned=presigned, url=url)
    assert verifies(request)
    parts = {
        "method": request.method.encode(),
        "path": request.paths[0],
        "query": request.query,
        "body": request.body,
        # A client may sign more than it must; what it did not sign is not held against it.
        **{
            name.decode(): value
            for name, value in request.headers
            if name in {b"host", b"x-amz-target", b"x-amz-date", b"authorization"}
        },
    }
    which = data.draw(st.sampled_from([name for name, value in parts.items() if value]))
    old = parts[which]
    at = data.draw(st.integers(0, len(old) - 1))
    new = old[:at] + data.draw(_OTHERS) + old[at + 1 :]
    assume(new != old)
    match which:
        case "method":
            other = replace(request, method=new.decode())
        case "path":
            other = replace(request, paths=(new,))
        case "query":
            other = replace(request, query=new)
        case "body":
            other = replace(request, body=new)
        case _:
            other = changed(request, which.encode(), old, new)
    try:
        found = read_signature(other, NOW)
    except Fault as fault:
        assert 400 <= fault.status < 500  # noqa: PT017 - either is right
    else:
        # The id of the key is not signed in a header; another key has another secret.
        assert not found.verifies(SECRET) or found.key != KEY


def test_clocks_may_be_a_quarter_of_an_hour_apart() -> None:
    quarter, second = timedelta(minutes=15), timedelta(seconds=1)
    for presigned in (False, True):
        request = signed(b"{}", presigned=presigned)
        assert verifies(request, NOW - quarter)
        assert refused(request, NOW - quarter - second) == "InvalidSignatureException"
    assert verifies(signed(), NOW + quarter)
    assert refused(signed(), NOW + quarter + second) == "InvalidSignatureException"
    hour = timedelta(hours=1)
    request = signed(b"{}", presigned=True)
    assert verifies(request, NOW + hour)
    assert refused(request, NOW + hour + second) == "InvalidSignatureException"


def test_other_services_and_regions_are_refused() -> None:
    assert refused(signed(service="s3")) == "InvalidSignatureException"
    assert refused(signed(region="eu-west-1"), region=REGION) == "InvalidSignatureException"
    assert read_signature(signed(), NOW, REGION).verifies(SECRET)
    assert refused(signed(region="not a region")) == "InvalidSignatureException"


def test_a_credential_of_another_day_is_refused() -> None:
    request = changed(signed(), b"authorization", b"20260504", b"20260503")
    assert refused(request) == "InvalidSignatureException"


@pytest.mark.parametrize(
    "stamp",
    [b"20260504T093000", b"2026-05-04T09:30:00Z", b"20260504T0930Z", b"", b"20261304T093000Z"],
)
def test_a_date_that_is_none_is_told(stamp: bytes) -> None:
    assert refused(changed(signed(), b"x-amz-date", b"20260504T093000Z", stamp)) in {
        "IncompleteSignatureException",
        "InvalidSignatureException",
    }


def test_a_presigned_address_lasts_as_long_as_it_says_and_no_more_than_a_week() -> None:
    for seconds, right in (("1", True), ("604800", True), ("604801", False), ("0", False)):
        request = signed(b"{}", presigned=True)
        query = request.query.replace(b"X-Amz-Expires=3600", b"X-Amz-Expires=" + seconds.encode())
        other = replace(request, query=query)
        if right:
            last = NOW + timedelta(seconds=int(seconds))
            assert read_signature(other, last).key == KEY
            assert refused(other, last + timedelta(seconds=1)) == "InvalidSignatureException"
        else:
            assert refused(other) == "IncompleteSignatureException"
    for wrong in (b"", b"-1", b"1.5", b"a", b"%D9%A1", b"9" * 5000):
        query = request.query.replace(b"X-Amz-Expires=3600", b"X-Amz-Expires=" + wrong)
        assert refused(replace(request, query=query)) == "IncompleteSignatureException"


def test_what_is_sent_twice_is_refused_or_shows() -> None:
    request = signed()
    for name in (b"x-amz-date", b"authorization"):
        twice = [pair for pair in request.headers if pair[0] == name]
        other = replace(request, headers=[*request.headers, *twice])
        assert refused(other) == "IncompleteSignatureException"
    for name in (b"host", b"x-amz-target"):
        other = replace(request, headers=[*request.headers, (name, b"RekognitionService.Other")])
        assert not verifies(other)
    presigned = signed(b"{}", presigned=True)
    for part in presigned.query.split(b"&"):
        other = replace(presigned, query=presigned.query + b"&" + part)
        if part.startswith(b"X-Amz-"):
            assert refused(other) == "IncompleteSignatureException"
    both = replace(presigned, headers=[*presigned.headers, *request.headers])
    assert refused(both) == "IncompleteSignatureException"


def test_session_tokens_are_refused() -> None:
    for presigned in (False, True):
        request = signed(b"{}", presigned=presigned, token="a-token")
        assert refused(request) == "UnrecognizedClientException"


def test_what_is_missing_is_told() -> None:
    request = signed()
    assert refused(without(request, b"authorization")) == "MissingAuthenticationTokenException"
    for name in (b"x-amz-date", b"host"):
        assert refused(without(request, name)) == "IncompleteSignatureException"
    for part in (b"Credential=", b"SignedHeaders=", b"Signature="):
        other = changed(request, b"authorization", part, b"Other=")
        assert refused(other) == "IncompleteSignatureException"
    twice = replace(
        request, headers=[*request.headers, (b"authorization", b"AWS4-HMAC-SHA256 x=y")]
    )
    assert refused(twice) == "IncompleteSignatureException"


def test_headers_that_decide_must_be_signed() -> None:
    unsigned = changed(signed(), b"authorization", b";x-amz-target", b"")
    assert refused(unsigned) == "IncompleteSignatureException"
    added = signed()
    added = replace(added, headers=[*added.headers, (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")])
    assert refused(added) == "IncompleteSignatureException"


def test_what_a_client_says_of_its_body_must_be_so() -> None:
    body, other = b'{"CollectionId":"club"}', b'{"CollectionId":"team"}'
    right = hashlib.sha256(body).hexdigest()
    assert verifies(signed(body, headers={"X-Amz-Content-SHA256": right}))
    for wrong in (hashlib.sha256(other).hexdigest(), "UNSIGNED-PAYLOAD", "", right[:-1]):
        request = signed(body, headers={"X-Amz-Content-SHA256": wrong})
        assert refused(request) == "InvalidSignatureException"
    request = signed(body, headers={"X-Amz-Content-SHA256": right})
    assert refused(replace(request, body=other)) == "InvalidSignatureException"


def test_a_signature_for_several_regions_is_refused_by_its_name() -> None:
    several = b"AWS4-ECDSA-P256-SHA256"
    header = changed(signed(), b"authorization", b"AWS4-HMAC-SHA256", several)
    address = signed(b"{}", presigned=True)
    address = replace(address, query=address.query.replace(b"AWS4-HMAC-SHA256", several))
    for request in (header, address):
        with pytest.raises(Fault, match="Version 4A is not supported") as fault:
            read_signature(request, NOW)
        assert fault.value.code == "IncompleteSignatureException"


@pytest.mark.parametrize("presigned", [False, True])
def test_what_is_added_to_a_query_shows(presigned: bool) -> None:
    request = signed(b'{"a": "b"}', presigned=presigned, url="http://127.0.0.1:8080/?first=1")
    assert verifies(request)
    for other in (request.query + b"&", b"&" + request.query, request.query + b"&x=y"):
        assert not verifies(replace(request, query=other))


_HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"authorization", b"x-amz-date", b"host", b"x-amz-target"]),
        st.binary(max_size=80)
        | st.builds(
            lambda a, b, c: (
                b"AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s" % (a, b, c)
            ),
            st.binary(max_size=40),
            st.binary(max_size=20),
            st.binary(max_size=70),
        )
        | st.just(b"20260504T093000Z"),
    ),
    max_size=5,
)


@settings(max_examples=300, deadline=None)
@given(_HEADERS, st.binary(max_size=60) | st.just(b"X-Amz-Algorithm=AWS4-HMAC-SHA256"))
def test_whatever_comes_is_no_more_than_refused(
    headers: list[tuple[bytes, bytes]], query: bytes
) -> None:
    try:
        found = read_signature(SignedRequest("POST", (b"/",), query, headers, b""), NOW)
    except Fault as fault:
        assert 400 <= fault.status < 500  # noqa: PT017 - either is right
    else:
        assert not found.verifies(SECRET)
