"""What waits for buckets: threads and a line of its own for each, so that none holds up another.

A bucket is as fast as what it stands for: a disk, a share on the network, an endpoint far away. One
that is slow takes only its own threads. Access keys take turns at a bucket, and what would wait too
long is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from sayso.service.engine import CLIENT_GONE
from sayso.service.line import Line, counted_line
from sayso.service.s3 import LONGEST, ObjectUnavailable, read_object
from sayso.settings import Bucket

#: Objects of one bucket that are read at once, and requests that may wait for their turn.
AT_ONCE: Final = 4
WAITING: Final = 60
#: How long a request waits for an object in all, in seconds.
PATIENCE: Final = 2 * LONGEST


class Fetches:
    """Reads objects of buckets; made and used on one event loop."""

    def __init__(self, buckets: Mapping[str, Bucket]) -> None:
        self._buckets = buckets
        self._lines: dict[str, Line] = {}

    async def read(
        self, key: str | None, bucket: str, name: str, version: str | None, limit: int
    ) -> bytes:
        """Return the bytes of an object, at most ``limit``; ``key`` is whose turn it is.

        Raises ObjectUnavailable, also when it takes too long, PictureTooLarge, or Overloaded where
        too many wait for the bucket.
        """

        def work() -> bytes:
            return read_object(self._buckets, bucket, name, version, limit)

        if bucket not in self._buckets:
            return work()  # which says so
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._line(bucket).run(key, work, CLIENT_GONE.get())
        except TimeoutError:
            raise ObjectUnavailable(
                f"bucket {bucket!r} did not answer within {PATIENCE:g} seconds"
            ) from None

    @property
    def idle(self) -> bool:
        """Whether nothing is read or waits."""
        return not any(each.gauges.running or each.gauges.waiting for each in self._lines.values())

    async def close(self) -> None:
        """Refuse what comes, and wait for what was accepted."""
        for each in self._lines.values():
            await each.close()

    def _line(self, bucket: str) -> Line:
        if bucket not in self._lines:
            name = f"sayso-bucket-{len(self._lines)}"
            self._lines[bucket] = counted_line(name, AT_ONCE, WAITING)
        return self._lines[bucket]
