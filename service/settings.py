"""What an operator can set, by environment variable; `undertone serve` takes nothing else."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from undertone.limits import Limits


def _models_folder() -> Path:
    """``models/`` of this checkout where there is one, otherwise that of the working directory."""
    beside = Path(__file__).resolve().parent.parent / "models"
    return beside if beside.is_dir() else Path("models")


_DEFAULTS = Limits()


class Settings(BaseSettings):
    """Read from the environment: the field ``port`` is ``UNDERTONE_PORT``."""

    model_config = SettingsConfigDict(
        env_prefix="UNDERTONE_",
        env_ignore_empty=True,
        frozen=True,
        use_attribute_docstrings=True,
    )

    host: str = "127.0.0.1"
    """The address to listen on; ``0.0.0.0`` is every one of the machine."""

    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """The port to listen on; 0 takes any that is free, and the log says which."""

    models: Annotated[Path, Field(default_factory=_models_folder)]
    """The folder with the bundles to serve, or one bundle."""

    default_model: str | None = None
    """The model for requests that name none. Unset: ``undertone-ravdess``, or the first by name."""

    preload: Literal["default", "all"] = "default"
    """Which models are loaded at start: the default one alone, and each other one when it is first
    asked for; or all. One that fails its check keeps the service from starting if it is loaded
    then; otherwise a request for it gets a 503."""

    max_upload_bytes: PositiveInt = _DEFAULTS.max_bytes
    """The largest audio file taken, in bytes."""

    max_duration_s: PositiveFloat = _DEFAULTS.max_duration_s
    """The longest recording taken, in seconds."""

    max_requests: PositiveInt = 32
    """How many predictions may be under way at once; further ones are turned away with a 503.
    Each holds its upload in memory."""

    threads: PositiveInt | None = None
    """How many threads decode, and how many TensorFlow uses. Unset: one for each processor."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe messages to log."""

    docs: bool = True
    """Whether ``/docs``, ``/redoc`` and ``/openapi.json`` are served."""

    @property
    def limits(self) -> Limits:
        """What a recording has to keep within."""
        return Limits(max_bytes=self.max_upload_bytes, max_duration_s=self.max_duration_s)

    @property
    def decoders(self) -> int:
        """How many uploads are decoded at the same time."""
        return self.threads or os.cpu_count() or 1


def explain(error: ValidationError) -> str:
    """What is wrong with the environment, one line for each variable."""
    return "\n".join(
        f"UNDERTONE_{str(wrong['loc'][0]).upper()}={wrong['input']}: {wrong['msg']}"
        for wrong in error.errors()
    )
