"""Settings from the environment: every name starts with ``SAYSO_``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sayso.errors import SaysoError

if TYPE_CHECKING:
    from sayso.vision.limits import PictureLimits

RuntimeName = Literal["openvino", "onnxruntime"]
Precision = Literal["auto", "f32", "bf16"]


class SettingsError(SaysoError):
    """An environment variable has a value that cannot be used."""


def _default_data() -> Path:
    return user_data_path("sayso", appauthor=False)


def _expanded(path: Path) -> Path:
    """Return a path with ``~`` as the home folder: what sets a variable may be no shell."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("there is no such home folder: give the whole path") from None


#: A file or a folder.
Place = Annotated[Path, AfterValidator(_expanded)]


class Settings(BaseSettings):
    """What can be set from outside; each field is read from ``SAYSO_`` and its name."""

    model_config = SettingsConfigDict(env_prefix="SAYSO_", env_ignore_empty=True, frozen=True)

    data: Place = Field(
        default_factory=_default_data,
        description="Folder of the gallery and the installed models.",
    )
    key_file: Place | None = Field(
        default=None,
        description="File of the master key; master.key in the keyring's folder unless set.",
    )
    keyring_dir: Place | None = Field(
        default=None,
        description="Folder of the keyring; the data folder unless set.",
    )
    model_dir: Place | None = Field(
        default=None,
        description="Folder that model files as published are taken from before any other source.",
    )
    runtime: RuntimeName = Field(
        default="openvino",
        description="What runs the models. One that is not installed is an error.",
    )
    precision: Precision = Field(
        default="auto",
        description="Arithmetic of the models; auto: bf16 where the CPU computes in it, else f32.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="CPU threads for the models; as many as there are cores unless set.",
    )
    calibration: Place | None = Field(
        default=None,
        description="File of a calibration of your own (sayso calibrate); it goes before the one "
        "that comes with the model.",
    )
    max_picture_bytes: int | None = Field(
        default=None,
        ge=1,
        description="Largest picture file that is read, in bytes.",
    )
    max_picture_pixels: int | None = Field(
        default=None,
        ge=1,
        description="Largest picture that is looked at, in pixels (width x height).",
    )
    max_decoded_pixels: int | None = Field(
        default=None,
        ge=1,
        description="Most pixels of one picture in memory. A JPEG of more is looked at reduced; "
        "other pictures of more, and redaction of any, are refused.",
    )
    max_picture_side: int | None = Field(
        default=None,
        ge=1,
        description="Longest side of a picture that is decoded, in pixels.",
    )
    decode_apart: bool = Field(
        default=False,
        description="Decode pictures in a process that is bounded in time and memory, as the "
        "service always does; for pictures of strangers, at a second for the first one.",
    )

    @property
    def picture_limits(self) -> PictureLimits:
        """The limits on pictures, as the decoder takes them; its own where none is set."""
        from sayso.vision.limits import PictureLimits

        own = PictureLimits()
        return PictureLimits(
            max_bytes=self.max_picture_bytes or own.max_bytes,
            max_pixels=self.max_picture_pixels or own.max_pixels,
            max_side=self.max_picture_side or own.max_side,
            max_decoded=self.max_decoded_pixels or own.max_decoded,
        )


class FolderBucket(BaseModel):
    """A bucket that is a folder on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    folder: Place


class EndpointBucket(BaseModel):
    """A bucket of an S3 endpoint, with credentials for it; ``bucket`` is its name there."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    endpoint: str
    region: str = "us-east-1"
    access_key: str = Field(min_length=1, repr=False)
    secret_key: SecretStr = Field(min_length=1)
    bucket: str | None = Field(default=None, min_length=1)

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("an endpoint is an address such as https://s3.example.org")
        if parts.username is not None or parts.password is not None:
            raise ValueError("an endpoint has no credentials in it: use access_key and secret_key")
        return value


def _kind_of_bucket(value: Any) -> str | None:
    if isinstance(value, FolderBucket | EndpointBucket):
        return "folder" if isinstance(value, FolderBucket) else "endpoint"
    kinds = [kind for kind in ("folder", "endpoint") if isinstance(value, dict) and kind in value]
    return kinds[0] if len(kinds) == 1 else None


#: What a bucket of an S3Object stands for.
Bucket = Annotated[
    Annotated[FolderBucket, Tag("folder")] | Annotated[EndpointBucket, Tag("endpoint")],
    Discriminator(
        _kind_of_bucket,
        custom_error_type="bucket",
        custom_error_message="A bucket is an object with either a folder or an endpoint",
    ),
]
LogLevel = Literal["debug", "info", "warning", "error"]
_MIB = 1024 * 1024


class ServiceSettings(BaseSettings):
    """What can be set of the service; each field is read from ``SAYSO_`` and its name."""

    model_config = SettingsConfigDict(
        env_prefix="SAYSO_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; only this machine reaches the default one.",
    )
    port: int = Field(
        default=8080, ge=0, le=65535, description="Port to listen on; 0: any that is free."
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@\s]+(/[A-Za-z0-9._~-]+)*/?$",
        description="Address that clients reach the service at, if it is another one, such as "
        "https://faces.example.org or https://example.org/faces behind a proxy. With https, the "
        "cookies of the console are for TLS.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins whose pages may call the REST API from a browser, such as "
        "https://app.example.org; several with commas between them.",
    )
    tls_cert: Place | None = Field(
        default=None,
        description="File of the TLS certificate and its chain, in PEM. With it, only TLS.",
    )
    tls_key: Place | None = Field(
        default=None, description="File of the private key of the TLS certificate, in PEM."
    )
    first_key_purpose: str | None = Field(
        default=None,
        description="Purpose of the access key that the first start makes; administration unless "
        "set.",
    )
    first_key_attestation: str | None = Field(
        default=None,
        description="Your statement of how consent is collected, for that key, so that it can "
        "enrol people as AWS clients do. It takes a purpose.",
    )
    region: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9-]{1,64}$",
        description="Region that AWS clients must sign for; any unless set.",
    )
    account: str = Field(
        default="000000000000",
        pattern=r"^[0-9]{12}$",
        description="Account number in the ARNs that AWS clients see.",
    )
    buckets: Annotated[Mapping[str, Bucket], NoDecode] = Field(
        default_factory=dict,
        description="Where the pictures of an S3Object are.",
    )
    workers: int = Field(
        default=2, ge=1, le=256, description="Requests with pictures or searches that run at once."
    )
    picture_seconds: float = Field(
        default=30,
        gt=0,
        le=3600,
        description="Seconds that looking at one picture of a request may take; the work is "
        "stopped then.",
    )
    patience: float = Field(
        default=55,
        ge=0,
        le=3600,
        description="Seconds that such a request may wait for its turn; where it would be more, it "
        "is told to slow down. Less than clients wait: 60 seconds are usual.",
    )
    interactive_keys: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(),
        description="Ids of access keys that people wait for, with commas between: under overload "
        "their requests are refused at once rather than answered late.",
    )
    key_rate: float = Field(
        default=128,
        gt=0,
        le=1_000_000,
        description="Requests of one access key in a second; for a moment, twice as many.",
    )
    key_concurrency: int = Field(
        default=256, ge=1, le=10_000, description="Requests of one access key at the same time."
    )
    failed_sign_ins: int = Field(
        default=30,
        ge=1,
        le=1_000_000,
        description="Wrong access keys or signatures that one address may send in a minute.",
    )
    max_body_bytes: int = Field(
        default=32 * _MIB, ge=1024, description="Largest body of a request, in bytes."
    )
    body_memory: int = Field(
        default=1024 * _MIB,
        ge=1024,
        description="Bodies of all requests together that are held at once, in bytes; those that "
        "wait for their turn are among them.",
    )
    body_timeout: float = Field(
        default=30, gt=0, le=3600, description="Seconds in which a body must have come."
    )
    header_timeout: float = Field(
        default=10, gt=0, le=3600, description="Seconds in which the headers must have come."
    )
    keep_alive: float = Field(
        default=30, gt=0, le=3600, description="Seconds that an unused connection is kept."
    )
    max_connections: int = Field(
        default=1024,
        ge=1,
        le=100_000,
        description="Connections that are open at once. A few more may ask only for /healthz, "
        "/readyz and /metrics.",
    )
    address_connections: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Connections of one address that are open at once; of IPv6, of one network "
        "of 64 bits. A trusted proxy has no such limit.",
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(),
        description="Addresses or networks of proxies, with commas between them. What they say in "
        "X-Forwarded-For is believed: limits of addresses are then of their clients' addresses.",
    )
    shutdown_timeout: float = Field(
        default=30,
        ge=0,
        le=3600,
        description="Seconds that accepted work has to finish at the end.",
    )
    metrics_public: bool = Field(
        default=False,
        description="Show /metrics without a key, also when not only this machine can ask.",
    )
    log_level: LogLevel = Field(default="info", description="What is logged: this and worse.")

    @field_validator("cors_origins", "interactive_keys", "trusted_proxies", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not _ORIGIN.fullmatch(each):
                raise ValueError(
                    f"{each!r} is no origin such as https://app.example.org: a scheme, a host in "
                    "small letters and, unless it is the scheme's own, a port"
                )
        return value

    @property
    def prefix(self) -> str:
        """The path of the public address, below which the service is; empty at the root."""
        return urlsplit(self.public_url or "").path.rstrip("/")

    @property
    def public_origin(self) -> str | None:
        """The public address without its path, as browsers name where a page is from."""
        parts = urlsplit(self.public_url or "")
        return f"{parts.scheme}://{parts.netloc}" if self.public_url else None

    @field_validator("public_url")
    @classmethod
    def _leads_to_the_service_alone(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "").path.split("/")
        if {".", ".."} & set(parts):
            raise ValueError("its path has a part that clients leave out: . or ..")
        if len(parts) > 1 and parts[1] in _PATHS:
            raise ValueError(f"its path begins as one of the service's own: /{parts[1]}")
        return value

    @field_validator("buckets", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            # What is wrong with it would quote it, and there are secrets in it.
            raise ValueError("it is no JSON object") from None

    @model_validator(mode="after")
    def _attests_for_a_purpose(self) -> Self:
        if self.first_key_attestation is not None and self.first_key_purpose is None:
            raise ValueError(
                "people agree to a purpose: set SAYSO_FIRST_KEY_PURPOSE (--purpose) beside "
                "SAYSO_FIRST_KEY_ATTESTATION (--attestation)"
            )
        return self

    @model_validator(mode="after")
    def _has_both_files(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            missing = "tls_key" if self.tls_key is None else "tls_cert"
            raise ValueError(f"TLS takes a certificate and its key: set SAYSO_{missing.upper()}")
        return self


_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
#: What the service's own paths begin with.
_PATHS = frozenset({"console", "healthz", "metrics", "readyz", "v1"})
#: Their values are never quoted.
_SECRET = frozenset({"buckets"})


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises SettingsError naming the variable, its value and what is wrong with it.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise _problem(error) from None


def load_service_settings(**given: Any) -> ServiceSettings:
    """Read the settings of the service from the environment; what is given here goes first.

    Raises SettingsError as ``load_settings`` does; secrets are not in its message.
    """
    try:
        return ServiceSettings(**{name: each for name, each in given.items() if each is not None})
    except ValidationError as error:
        raise _problem(error) from None


def _problem(error: ValidationError) -> SettingsError:
    problem = error.errors(include_url=False)[0]
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:  # of several together, and the message names them
        return SettingsError(message)
    name = f"SAYSO_{problem['loc'][0]}".upper()
    if problem["loc"][0] not in _SECRET:
        return SettingsError(f"{name}={problem['input']!r}: {message}")
    where = ", ".join(str(part) for part in problem["loc"][1:])
    return SettingsError(f"{name}: {f'{where}: ' if where else ''}{message}")
