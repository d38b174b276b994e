"""schemathesis over the whole OpenAPI document, with the model of this repository."""

from typing import Any, Final

from schemathesis import GenerationMode

from service.app import create_app
from tests.support.schema import load_schema, operations, probe

EXAMPLES: Final = 300
"""Of what is allowed, and as many of what is forbidden, for each operation."""


def measure() -> dict[str, Any]:
    """How often each operation gave each status; 5xx and what is not declared raise.

    Raises:
        schemathesis.FailureGroup: the service broke its own document.
    """
    found: dict[str, Any] = {}
    for operation in operations(load_schema(create_app())):
        for name, mode in (
            ("allowed", GenerationMode.POSITIVE),
            ("forbidden", GenerationMode.NEGATIVE),
        ):
            statuses = probe(operation, mode, EXAMPLES)
            found.setdefault(operation.label, {})[name] = {
                str(status): count for status, count in sorted(statuses.items())
            }
    total = sum(n for modes in found.values() for counts in modes.values() for n in counts.values())
    return {"requests": total, "statuses": found}
