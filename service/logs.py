"""Logging as JSON, one object a line: no file names, no addresses, no audio."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)


class JsonFormatter(logging.Formatter):
    """A record as a line; with what was passed as ``extra={"fields": {…}}``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line)


def has_no_address(record: logging.LogRecord) -> bool:
    """Whether a record is none of those in which uvicorn says which client opened what WebSocket."""
    return '"WebSocket ' not in record.msg if isinstance(record.msg, str) else True


def configuration(level: str) -> dict[str, Any]:
    """What `logging.config.dictConfig` takes, and uvicorn as its ``log_config``."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "filters": [has_no_address],
                "stream": "ext://sys.stdout",
            }
        },
        "root": {"handlers": ["stdout"], "level": "WARNING"},
        "loggers": {
            **{name: {"level": level.upper()} for name in ("undertone", "uvicorn")},
            "undertone.wire": {
                "level": "WARNING"
            },  # it tells who connects, and what they asked for
            "python_multipart": {"level": "ERROR"},  # it warns of what the client is told anyway
        },
    }
