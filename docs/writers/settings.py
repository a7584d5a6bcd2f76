"""The page of settings: the environment variables that Sayso reads."""

from __future__ import annotations

from typing import Any, get_args

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from docs.writers.markdown import code, table
from sayso.settings import Settings
from sayso.vision.picture import PictureLimits

_INTRODUCTION = """\
# Settings

Sayso is set up by environment variables. One that is empty counts as not set; one with a value
that cannot be used is refused, with the variable and the value in the message.
"""

#: What a setting's default is, where the field itself cannot say.
_DEFAULTS = {
    "data": "`sayso` in the folder that your system keeps for a user's data",
    "model_dir": "not set",
    "key_file": "`master.key` beside the keyring",
    "keyring_dir": "the data folder",
    "threads": "all cores",
    "max_picture_bytes": f"{PictureLimits().max_bytes:,}",
    "max_picture_pixels": f"{PictureLimits().max_pixels:,}",
    "max_picture_side": f"{PictureLimits().max_side:,}",
}

#: Variables that are read outside of the settings.
OTHERS = {
    "SAYSO_DEBUG": "With 1, a command that fails shows the whole traceback. For looking into bugs.",
}


def page() -> str:
    """Return the page."""
    rows = [
        (code(variable(name)), _values(name, field), _default(name, field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    rows += [(code(name), "1", "not set", meaning) for name, meaning in OTHERS.items()]
    return (
        f"{_INTRODUCTION}\n{table(['variable', 'values', 'default', 'meaning'], rows)}\n\n"
        "In the library, `sayso.open(folder)` takes the place of `SAYSO_DATA`, and\n"
        "`sayso.Analyzer(runtime=..., precision=..., threads=...)` that of the settings of the "
        "same names.\n"
    )


def variable(field: str) -> str:
    """Return the environment variable of a field of the settings."""
    return f"{Settings.model_config['env_prefix']}{field}".upper()


def _default(name: str, field: FieldInfo) -> str:
    return _DEFAULTS[name] if name in _DEFAULTS else code(str(field.default))


def _values(name: str, field: FieldInfo) -> str:
    choices = [choice for choice in _leaves(field.annotation) if isinstance(choice, str)]
    if choices:
        return ", ".join(code(choice) for choice in choices)
    least = next((m.ge for m in field.metadata if isinstance(m, Ge)), None)
    most = next((m.le for m in field.metadata if isinstance(m, Le)), None)
    if least is None:
        return "a file" if name.endswith("_file") else "a folder"
    return f"{least} to {most:,}" if isinstance(most, int) else f"a number from {least}"


def _leaves(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation)
