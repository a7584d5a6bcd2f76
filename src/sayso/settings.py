"""Settings from the environment: every name starts with ``SAYSO_``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from platformdirs import user_data_path
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sayso.errors import SaysoError

if TYPE_CHECKING:
    from sayso.vision.picture import PictureLimits

RuntimeName = Literal["openvino", "onnxruntime"]
Precision = Literal["auto", "f32", "bf16"]


class SettingsError(SaysoError):
    """An environment variable has a value that cannot be used."""


def _default_data() -> Path:
    return user_data_path("sayso", appauthor=False)


class Settings(BaseSettings):
    """What can be set from outside; each field is read from ``SAYSO_`` and its name."""

    model_config = SettingsConfigDict(env_prefix="SAYSO_", env_ignore_empty=True, frozen=True)

    data: Path = Field(
        default_factory=_default_data,
        description="Folder of the gallery and the installed models.",
    )
    key_file: Path | None = Field(
        default=None,
        description="File of the master key; master.key in the keyring's folder unless set.",
    )
    keyring_dir: Path | None = Field(
        default=None,
        description="Folder of the keyring; the data folder unless set.",
    )
    model_dir: Path | None = Field(
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
    max_picture_bytes: int | None = Field(
        default=None,
        ge=1,
        description="Largest picture file that is read, in bytes.",
    )
    max_picture_pixels: int | None = Field(
        default=None,
        ge=1,
        description="Largest picture that is decoded, in pixels (width x height).",
    )
    max_picture_side: int | None = Field(
        default=None,
        ge=1,
        description="Longest side of a picture that is decoded, in pixels.",
    )

    @property
    def picture_limits(self) -> PictureLimits:
        """The limits on pictures, as the decoder takes them; its own where none is set."""
        from sayso.vision.picture import PictureLimits

        own = PictureLimits()
        return PictureLimits(
            max_bytes=self.max_picture_bytes or own.max_bytes,
            max_pixels=self.max_picture_pixels or own.max_pixels,
            max_side=self.max_picture_side or own.max_side,
        )


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises SettingsError naming the variable, its value and what is wrong with it.
    """
    try:
        return Settings()
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = "SAYSO_" + "_".join(str(part) for part in problem["loc"]).upper()
        raise SettingsError(f"{name}={problem['input']!r}: {problem['msg']}") from None
