"""What the handlers of the service share."""

from __future__ import annotations

from dataclasses import dataclass

from sayso.core import Sayso
from sayso.service.engine import Engine
from sayso.service.limits import KeyLimits
from sayso.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The open gallery, the settings, what runs the work, and the limits of access keys."""

    app: Sayso
    settings: ServiceSettings
    engine: Engine
    limits: KeyLimits
