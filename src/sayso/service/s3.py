"""Pictures by bucket and name: from a folder of this machine, or from an S3 endpoint.

Which buckets there are, and what each stands for, is the operator's to say (``SAYSO_BUCKETS``). A
name can't leave its bucket, no more bytes than the limit are ever read, nothing here can block for
long, and messages tell no path and no address.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sayso import outbound
from sayso.errors import PictureTooLarge, SaysoError
from sayso.settings import Bucket, EndpointBucket, FolderBucket

_log = logging.getLogger(__name__)
#: How long, in seconds, an endpoint may be silent, and how long an object may take in all.
SILENCE, LONGEST = 5.0, 15.0
_SHOWN = 60
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class ObjectUnavailable(SaysoError):
    """There is no such object in a bucket, or it cannot be read; tells no path and no address."""


def read_object(
    buckets: Mapping[str, Bucket], bucket: str, name: str, version: str | None, limit: int
) -> bytes:
    """Return the bytes of an object, at most ``limit``.

    Raises ObjectUnavailable, and PictureTooLarge for an object of more bytes.
    """
    place = buckets.get(bucket)
    if place is None:
        raise ObjectUnavailable(f"no bucket {bucket[:_SHOWN]!r} is set up here (SAYSO_BUCKETS)")
    if not _is_plain(name):
        raise ObjectUnavailable(f"{name[:_SHOWN]!r} can't be the name of an object here")
    try:
        if isinstance(place, FolderBucket):
            if version is not None:
                raise ObjectUnavailable(
                    f"bucket {bucket!r} is a folder and keeps no versions: leave Version out"
                )
            found = _read_file(place.folder, name.split("/"), limit)
        else:
            found = _fetch(place, place.bucket or bucket, name, version, limit)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if not isinstance(place, FolderBucket):  # a missing file is everyday; this is not
            _log.warning("bucket %s could not be read: %s", bucket, type(error).__name__)
        found = None
    if found is None:
        raise ObjectUnavailable(
            f"object {name[:_SHOWN]!r} can't be read from bucket {bucket!r}: check the bucket, the "
            "object's name and version, and whether it may be read"
        )
    return found


def _is_plain(name: str) -> bool:
    """Tell whether a name leads nowhere else, and is text without control characters."""
    if {".", ".."} & set(name.split("/")):  # file systems and proxies would go up by it
        return False
    try:
        name.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return not any(unicodedata.category(character) == "Cc" for character in name)


# --- folders ----------------------------------------------------------------------------------


def _read_file(folder: Path, parts: list[str], limit: int) -> bytes | None:
    """Return what a file has; None where it is no regular one. Raises OSError."""
    if "" in parts or any("\\" in part for part in parts):  # an absolute path, or one of Windows
        return None
    with contextlib.ExitStack() as opened:
        # One folder after the other, each held open: no link is followed, however quickly
        # somebody puts one in the place of a folder. Only the bucket itself may be one.
        at = os.open(folder, _FOLDER & ~os.O_NOFOLLOW)
        opened.callback(os.close, at)
        for part in parts[:-1]:
            at = os.open(part, _FOLDER, dir_fd=at)
            opened.callback(os.close, at)
        # Looking first spares a device from being opened at all.
        if not stat.S_ISREG(os.stat(parts[-1], dir_fd=at, follow_symlinks=False).st_mode):
            return None
        file = opened.enter_context(os.fdopen(os.open(parts[-1], _FILE, dir_fd=at), "rb"))
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        _check_size(status.st_size, limit)
        content = file.read(limit + 1)
    _check_size(len(content), limit)
    return content


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise PictureTooLarge(f"the object has {size:,} bytes, over the limit of {limit:,}")


# --- endpoints --------------------------------------------------------------------------------


def _fetch(
    place: EndpointBucket, bucket: str, name: str, version: str | None, limit: int
) -> bytes | None:
    """Return what an endpoint has; None where it does not give it. Raises OSError, HTTPException.

    One signed GET, and nothing that the environment says plays a part. A redirect is not followed:
    it would lead where the operator did not. Which addresses are asked is ``outbound``'s to say.
    """
    parts = urlsplit(place.endpoint)
    path = f"{parts.path.rstrip('/')}/{quote(bucket)}/{quote(name, safe='/~')}"
    if version is not None:
        path += f"?versionId={quote(version, safe='~')}"
    request = AWSRequest("GET", f"{parts.scheme}://{parts.netloc}{path}")
    credentials = Credentials(place.access_key, place.secret_key.get_secret_value())
    S3SigV4Auth(credentials, "s3", place.region).add_auth(request)
    with outbound.exchange(
        parts.hostname or "",
        parts.port,
        secure=parts.scheme == "https",
        silence=SILENCE,
        longest=LONGEST,
    ) as connection:
        connection.request("GET", path, headers=dict(request.headers.items()))
        with connection.getresponse() as response:
            if response.status != http.client.OK:
                if response.status != http.client.NOT_FOUND:  # for the operator to look into
                    _log.warning("bucket %s was answered with %s", bucket, response.status)
                return None
            _check_size(int(response.headers.get("Content-Length") or 0), limit)
            if response.length is None and not response.chunked:
                return None  # one couldn't tell whether all of it came
            content = response.read(limit + 1)
            missing = response.length  # what was announced and did not come
    _check_size(len(content), limit)
    return None if missing else content
