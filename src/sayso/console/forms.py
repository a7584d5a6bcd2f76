"""Forms of pages: read within limits, and in memory, since their files are people's pictures."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import ClassVar, Final

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from sayso.errors import SaysoError

#: What a form calls its CSRF token, and what it wants to be done.
CSRF_FIELD: Final = "csrf"
DO_FIELD: Final = "do"
#: Files of one form at most.
MOST_FILES: Final = 20
_MOST_FIELDS = 200
_LARGEST_FIELD = 256 << 10


class FormRefused(SaysoError):
    """A form cannot be read, or what it has is not what the page asks for.

    ``kind`` is what pages and scripts tell such a refusal by, unless it is like most.
    """

    kind: ClassVar[str] = ""


class FormTooLarge(FormRefused):
    """A form has more bytes than the page takes."""


async def read_form(request: Request, largest: int) -> FormData:
    """Return a form of either encoding, of at most so many bytes; its files stay in memory.

    Raises FormRefused.
    """
    body = _bounded(request, largest)
    try:
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return await FormParser(
                request.headers, body, max_fields=_MOST_FIELDS, max_part_size=_LARGEST_FIELD
            ).parse()
        parser = MultiPartParser(
            request.headers,
            body,
            max_files=MOST_FILES,
            max_fields=_MOST_FIELDS,
            max_part_size=_LARGEST_FIELD,
        )
        parser.spool_max_size = largest + 1
        return await _whole(parser)
    except MultiPartException as error:
        raise FormRefused(error.message) from None
    except HTTPException as error:
        raise FormRefused(str(error.detail)) from None


async def _whole(parser: MultiPartParser) -> FormData:
    """Return a form; files that it leaves out, since it ended in the middle of them, are closed."""
    form = FormData()
    try:
        form = await parser.parse()
        return form
    finally:
        values = (each for _, each in form.multi_items())
        kept = {id(each.file) for each in values if isinstance(each, UploadFile)}
        for file in parser._files_to_close_on_error:
            if id(file) not in kept:
                file.close()


async def _bounded(request: Request, largest: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > largest:
            raise FormTooLarge(f"the form has more than {largest:,} bytes, which is the limit")
        yield chunk
