"""Read picture files from paths that somebody typed; the library and the commands share it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from sayso.errors import PictureTooLarge, UnreadablePicture

if TYPE_CHECKING:
    from sayso.vision.limits import PictureLimits

#: What files are called that are meant to be pictures, whatever is in them (see ``folders``).
PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff",
     ".webp"}
)  # fmt: skip

_KINDS = (
    (stat.S_ISDIR, "is a folder, not a picture"),
    (stat.S_ISFIFO, "is a pipe, not a file"),
    (stat.S_ISSOCK, "is a socket, not a file"),
    (stat.S_ISCHR, "is a device, not a file"),
    (stat.S_ISBLK, "is a device, not a file"),
)


def read_picture_file(path: str | os.PathLike[str], limits: PictureLimits) -> bytes:
    """Return the bytes of the picture file at ``path``.

    Only a regular file is read, and only after its size was checked; nothing here can block, and
    no more than the limit is ever read even if the file grows meanwhile.

    Raises UnreadablePicture (missing, no file, not permitted, empty) and PictureTooLarge.
    """
    shown = os.fspath(path)
    try:
        # Looking first spares a device or a socket from being opened at all; the descriptor is
        # looked at again because the name may lead elsewhere by then.
        _require_regular(os.stat(path).st_mode, shown)  # noqa: PTH116 - bytes and str alike
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            _require_regular(found.st_mode, shown)
            _require_size(found.st_size, shown, limits)
            content = file.read(limits.max_bytes + 1)
    except FileNotFoundError:
        raise UnreadablePicture(f"{shown}: there is no such file") from None
    except PermissionError:
        raise UnreadablePicture(f"{shown}: reading it is not permitted") from None
    except ValueError as error:  # a name with a null character
        raise UnreadablePicture(f"{shown!r}: {error}") from None
    except OSError as error:
        raise UnreadablePicture(f"{shown}: {error.strerror or error}") from None
    _require_size(len(content), shown, limits)
    return content


def _require_regular(mode: int, shown: str) -> None:
    for is_kind, complaint in _KINDS:
        if is_kind(mode):
            raise UnreadablePicture(f"{shown}: {complaint}")


def _require_size(size: int, shown: str, limits: PictureLimits) -> None:
    if size == 0:
        raise UnreadablePicture(f"{shown}: the file is empty")
    if size > limits.max_bytes:
        raise PictureTooLarge(
            f"{shown}: the file has {size:,} bytes; the limit is {limits.max_bytes:,} "
            "(SAYSO_MAX_PICTURE_BYTES)"
        )
