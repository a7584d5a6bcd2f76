"""The page of models: what the registry knows."""

from __future__ import annotations

from urllib.parse import urlsplit

from docs.writers.markdown import code, table
from sayso.models.registry import InputDescription, ModelDescription, load_registry

_INTRODUCTION = """\
# Models

What `sayso models list` knows. A default model is fetched by the first command that needs it; any
other only when it is asked for by name. Whatever way a file comes, its size and sha256 are checked
before a byte of it is parsed. Why so: [models and trust](../explanation/models-and-trust.md).
Without a network: [install models offline](../how-to/install-models-offline.md).
"""


def page() -> str:
    """Return the page."""
    registry = load_registry().values()
    rows = [
        (
            f"[{each.name}](#{each.name})",
            each.kind,
            "yes" if each.default else "no",
            f"{each.size:,}",
            each.licence,
        )
        for each in registry
    ]
    headers = ["model", "kind", "default", "bytes", "licence"]
    return "\n".join([_INTRODUCTION, table(headers, rows), *map(_section, registry)])


def _section(model: ModelDescription) -> str:
    rows = [
        ("file", code(model.file)),
        ("sha256", code(model.sha256)),
        ("bytes", f"{model.size:,}"),
        ("licence", model.licence),
        ("terms to accept", model.terms or "none"),
        ("made by", model.source),
        ("training data", model.training_data),
        ("fetched from", _sources(model)),
        ("input", _input(model.input)),
        ("output", model.output),
    ]
    return f"\n## {model.name}\n\n{model.title}.\n\n{table(['what', 'value'], rows)}"


def _sources(model: ModelDescription) -> str:
    sources = []
    if model.wheel is not None:
        sources.append(
            f"{code(model.member)} in the wheel {code(model.wheel.requirement)} "
            f"(sha256 {code(model.wheel.sha256)})"
        )
    sources += [code(urlsplit(address).hostname or "") for address in model.upstream]
    return ", then ".join(sources) or "nowhere: bring the file"


def _input(fed: InputDescription) -> str:
    size = f"{fed.width} x {fed.height}" if fed.width else "any size"
    if any(fed.mean) or fed.scale != 1:
        values = f"(value - {fed.mean[0]:g}) x {fed.scale:.6g}"
    else:
        values = "0 to 255"
    return f"{fed.layout}, {fed.colour}, {size}, {values}"
