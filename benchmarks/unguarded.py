"""The gallery without its safeguards, to measure what they cost; nothing but benchmarks has it.

Nothing is sealed, no data key is kept, and no call leaves an entry in an audit log; a search is not
even a change. The rules of consent and the bystander check are as ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from sayso.audit.log import Log
from sayso.core import Sayso
from sayso.core.base import Call
from sayso.core.recognising import candidates_of
from sayso.evidence.decision import Decision
from sayso.keyring.sealing import DataKey
from sayso.keyring.store import Keyring
from sayso.results import TemplateMatches


class _NoKey(DataKey):
    """Seals nothing."""

    __slots__ = ()

    @classmethod
    def generate(cls) -> DataKey:
        return _NO_KEY

    def seal(self, plain: bytes, context: bytes) -> bytes:  # noqa: ARG002
        return plain

    def open(self, sealed: bytes, context: bytes) -> bytes:  # noqa: ARG002
        return sealed


_NO_KEY = _NoKey(bytes(32))


class Unguarded(Sayso):
    """The application without an audit log, over a store that nothing is sealed in.

    Used within ``without_safeguards`` only.
    """

    def _match(
        self,
        call: Call,
        templates: NDArray[np.float32],
        top: int,
        decision: Decision,
        *,
        picture: str | None,  # noqa: ARG002
        settle: object = None,  # noqa: ARG002
    ) -> TemplateMatches:
        matches = self._resources.index.match(
            call.collection or "",
            templates,
            purpose=call.caller.purpose or "",
            top=top,
            least=decision.least_score,
        )
        return TemplateMatches(
            candidates_of(matches, decision.calibration), decision.threshold(matches.templates)
        )


@contextlib.contextmanager
def without_safeguards(folder: Path) -> Iterator[Unguarded]:
    """Open a gallery that has no safeguards, in a folder of its own."""

    def find(_: Keyring, subjects: Iterable[str]) -> dict[str, DataKey]:
        return dict.fromkeys(subjects, _NO_KEY)

    def keep(_: Keyring, keys: Mapping[str, DataKey]) -> None:
        """Keep nothing."""

    def append(*_: object) -> int:
        return 0

    with (
        mock.patch("sayso.gallery.subjects.DataKey", _NoKey),
        mock.patch.multiple(Keyring, find=find, keep=keep),
        mock.patch.object(Log, "append", append),
        Unguarded(folder) as app,
    ):
        yield app
