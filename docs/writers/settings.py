"""The page of settings: the environment variables that Sayso reads."""

from __future__ import annotations

from typing import get_args

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from docs.writers.markdown import code, table
from sayso.settings import ServiceSettings, Settings
from sayso.vision.limits import PictureLimits

_INTRODUCTION = """\
# Settings

Sayso is set up by environment variables. One that is empty counts as not set; one with a value
that cannot be used is refused, with the variable and the value in the message. In a path, `~` is
the home folder, whatever sets the variable.
"""

_SERVICE = """\
## The service

What `sayso serve` is set up by, besides these; see
[Run the service](../how-to/run-the-service.md). Its options of the same names go first.
"""

_BUCKETS = """\
`SAYSO_BUCKETS` says where the pictures are that a request names as an `S3Object`: an object with
the buckets by name, each either a folder of this machine or a bucket of an S3 endpoint. The latter
has credentials of its own, and may have another name there (`bucket`) and a `region`:

```json
{
  "photos": {"folder": "pictures"},
  "archive": {
    "endpoint": "https://s3.example.org",
    "access_key": "...",
    "secret_key": "...",
    "bucket": "archive-2027"
  }
}
```
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
    "max_decoded_pixels": f"{PictureLimits().max_decoded:,}",
    "max_picture_side": f"{PictureLimits().max_side:,}",
    "port": "8080",
    "cors_origins": "none",
    "first_key_purpose": "`administration`",
    "region": "any",
    "buckets": "none",
    "trusted_proxies": "none",
    "interactive_keys": "none",
}

#: What values a setting takes, where the field itself cannot say.
_VALUES = {
    "host": "an address",
    "public_url": "an address of the web, with or without a path",
    "cors_origins": "origins",
    "first_key_purpose": "a purpose",
    "first_key_attestation": "a text",
    "tls_cert": "a file",
    "tls_key": "a file",
    "region": "a name such as `eu-central-1`",
    "account": "12 digits",
    "buckets": "JSON, as below",
    "trusted_proxies": "such as `127.0.0.1, 10.0.0.0/8`",
    "decode_apart": "0, 1",
    "interactive_keys": "ids with commas between",
    "metrics_public": "0, 1",
}

#: Variables that are read outside of the settings.
OTHERS = {
    "SAYSO_DEBUG": "With 1, a command that fails shows the whole traceback. For looking into bugs.",
}


def page() -> str:
    """Return the page."""
    others = [(code(name), "1", "not set", meaning) for name, meaning in OTHERS.items()]
    return (
        f"{_INTRODUCTION}\n{_table([*_rows(Settings), *others])}\n\n"
        "In the library, `sayso.open(folder)` takes the place of `SAYSO_DATA`, and\n"
        "`sayso.Analyzer(runtime=..., precision=..., threads=...)` that of the settings of the "
        "same names.\n\n"
        f"{_SERVICE}\n{_table(_rows(ServiceSettings))}\n\n{_BUCKETS}"
    )


def variable(field: str) -> str:
    """Return the environment variable of a field of the settings."""
    return f"{Settings.model_config['env_prefix']}{field}".upper()


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    return table(["variable", "values", "default", "meaning"], rows)


def _rows(settings: type[BaseSettings]) -> list[tuple[str, str, str, str]]:
    return [
        (code(variable(name)), _values(name, field), _default(name, field), field.description or "")
        for name, field in settings.model_fields.items()
    ]


def _default(name: str, field: FieldInfo) -> str:
    if name in _DEFAULTS:
        return _DEFAULTS[name]
    if isinstance(field.default, bool):
        return str(int(field.default))
    if isinstance(field.default, int | float):
        return f"{field.default:,}"
    return "not set" if field.default is None else code(str(field.default))


def _values(name: str, field: FieldInfo) -> str:
    if name in _VALUES:
        return _VALUES[name]
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
    if choices:
        return ", ".join(code(choice) for choice in choices)
    least = next((m.ge for m in field.metadata if isinstance(m, Ge)), None)
    above = next((m.gt for m in field.metadata if isinstance(m, Gt)), None)
    most = next((m.le for m in field.metadata if isinstance(m, Le)), None)
    if above is not None:
        return f"a number above {above}, to {most:,}"
    if least is None:
        return "a file" if name.endswith(("_file", "calibration")) else "a folder"
    return f"{least} to {most:,}" if isinstance(most, int) else f"a number from {least:,}"
