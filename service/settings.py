"""What an operator can set, by environment variable; `undertone serve` takes nothing else."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.origins import require_origin
from service.secrets import parse_keys
from undertone.limits import Limits
from undertone.processors import available


def _models_folder() -> Path:
    """``models/`` of this checkout where there is one, otherwise that of the working directory."""
    beside = Path(__file__).resolve().parent.parent / "models"
    return beside if beside.is_dir() else Path("models")


_DEFAULTS = Limits()

_OF_OTHERS: Final = {"UNDERTONE_DATA", "UNDERTONE_KEY"}
"""Variables that `undertone-train`, and whoever asks a service, read."""


class Settings(BaseSettings):
    """Read from the environment: the field ``port`` is ``UNDERTONE_PORT``."""

    model_config = SettingsConfigDict(
        env_prefix="UNDERTONE_",
        env_ignore_empty=True,
        allow_inf_nan=False,
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    """The address to listen on; ``0.0.0.0`` is every one of the machine."""

    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """The port to listen on; 0 takes any that is free, and the log says which."""

    models: Annotated[Path, Field(default_factory=_models_folder)]
    """The folder with the bundles to serve, or one bundle."""

    default_model: str | None = None
    """The model for requests that name none. Unset: ``undertone-ravdess-2``, or the first by name."""

    default_model_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """The digest that the default model must have, as ``undertone verify`` prints it; the service
    does not start with another. Unset: any."""

    preload: Literal["default", "all"] = "default"
    """Which models are loaded at start: the default one alone, and each other one when it is first
    asked for; or all. One that fails its check keeps the service from starting if it is loaded
    then; otherwise a request for it gets a 503."""

    max_upload_bytes: PositiveInt = _DEFAULTS.max_bytes
    """The largest audio file taken, in bytes."""

    max_duration_s: PositiveFloat = _DEFAULTS.max_duration_s
    """The longest recording taken, in seconds."""

    max_requests: PositiveInt = 32
    """How many predictions are in work at once. Uploads, in work or not, may together take as much
    memory as this many of the largest."""

    max_waiting: NonNegativeInt = 64
    """How many further ones may wait for their turn; the rest is turned away with a 503."""

    max_streams: PositiveInt = 64
    """How many streams may be open at once; further ones are turned away."""

    deadline_s: PositiveFloat = 30.0
    """How long a prediction may take once its upload is complete, in seconds; then it is given up,
    with a 504."""

    upload_timeout_s: PositiveFloat = 20.0
    """How long an upload may stand still, or fall behind 16 KiB/s, in seconds; then it is given up,
    with a 408."""

    grace_s: Annotated[float, Field(ge=2)] = 8.0
    """How long the process may go on after SIGTERM to finish what is in work, in seconds; ``docker
    stop`` kills after ten."""

    workers: PositiveInt = 1
    """How many processes serve. Above one, a supervisor replaces those that die. Each loads the
    models, and counts, limits and measures for itself."""

    threads: PositiveInt | None = None
    """How many processors a process may fill: with its event loop, the network, and helpers, processes that
    prepare sound, one for every two processors; with one, the loop does all. Unset: the processors that it
    may use (of the machine, or of its container), divided among the processes."""

    api_keys: SecretStr | None = None
    """Keys of which a request has to show one, as ``name:key``, apart by commas. Unset, and without
    a file: everybody is let in."""

    api_keys_file: Path | None = None
    """A file with such keys, one a line; it is read when the service starts."""

    rate_per_minute: PositiveInt | None = None
    """How many uploads and streams a key may begin in a minute; further ones get a 429. Unset: any
    number."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """The origins, apart by commas, from which scripts of other pages may ask and open streams; ``*``
    is any. Unset: none."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe messages to log."""

    docs: bool = True
    """Whether the page, ``/docs``, ``/redoc`` and ``/openapi.json`` are served."""

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [require_origin(each.strip()) for each in value.split(",") if each.strip()]

    @field_validator("api_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            parse_keys(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _keys_are_enough(self) -> Self:
        # The keys first: those of the variable and of the file may contradict each other.
        if not self.keys and self.rate_per_minute:
            raise ValueError("UNDERTONE_RATE_PER_MINUTE is for each key, and there is no key")
        return self

    @cached_property
    def keys(self) -> Mapping[str, str]:
        """The keys, by the names of those who hold them."""
        texts = [self.api_keys.get_secret_value()] if self.api_keys else []
        if self.api_keys_file:
            texts.append(_keys_in(self.api_keys_file))
        return parse_keys("\n".join(texts)) if texts else {}

    @property
    def limits(self) -> Limits:
        """What a recording has to keep within."""
        return Limits(max_bytes=self.max_upload_bytes, max_duration_s=self.max_duration_s)

    @property
    def crew(self) -> int:
        """How many processors this process may fill."""
        return self.threads or max(1, available() // self.workers)


def misspelt(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Variables that look like settings and are none, each with the setting that may be meant."""
    known = {f"UNDERTONE_{name.upper()}" for name in Settings.model_fields}
    looked_at = {name: name.upper() for name in sorted(environment)}  # their case does not matter
    return {
        name: next(iter(get_close_matches(upper, known, 1, 0.85)), None)
        for name, upper in looked_at.items()
        if upper.startswith("UNDERTONE_") and upper not in known | _OF_OTHERS
    }


def explain(error: ValidationError) -> str:
    """What is wrong with the environment, one line for each variable."""
    return "\n".join(map(_explain, error.errors()))


def _keys_in(path: Path) -> str:
    """The text of a file of keys, which is read once: it may be a pipe."""
    try:
        text = path.read_text()
        parse_keys(text)
    except (OSError, ValueError) as error:
        reason = f"cannot be read: {error}" if isinstance(error, OSError | UnicodeError) else error
        raise ValueError(f"UNDERTONE_API_KEYS_FILE={path}: {reason}") from error
    return text


def _explain(wrong: ErrorDetails) -> str:
    message = wrong["msg"].removeprefix("Value error, ")
    if not wrong["loc"]:
        return message
    name = str(wrong["loc"][0])
    shown = "" if name == "api_keys" else str(wrong["input"])
    return f"UNDERTONE_{name.upper()}={shown}: {message}"
