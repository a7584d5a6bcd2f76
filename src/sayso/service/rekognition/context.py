"""What a handler of an operation is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from sayso.callers import Caller
from sayso.core import Sayso
from sayso.service.state import ServiceState


@dataclass(frozen=True, slots=True)
class Context:
    """A request whose caller is known: ``app`` acts as them.

    ``region`` is the one that the request was signed for, and ``account`` whose the service is;
    both go into the names of resources. ``headers`` go with the answer: the modelled shapes have no
    room for what they tell.
    """

    state: ServiceState
    app: Sayso
    caller: Caller
    region: str
    account: str
    request_id: str
    headers: dict[str, str] = field(default_factory=dict)
