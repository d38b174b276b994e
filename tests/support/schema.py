"""The service held to its own OpenAPI document: whatever schemathesis thinks of sending."""

from contextlib import suppress

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.hostile import containers, headers, sounds
from tests.hostile.upload import PLAIN

SMALL = 60_000
"""Bytes; larger uploads say nothing more about the document."""

PATIENCE_S = 60
"""A batch of 32 files takes a while on a busy machine."""


def load_schema(app: FastAPI) -> BaseSchema:
    """The OpenAPI document of ``app``, which is asked in this process.

    There is real audio among the random bytes, or hardly an upload would ever be answered.
    """
    corpus = [
        upload.data
        for module in (containers, headers, sounds)
        for upload in module.UPLOADS.values()
        if len(upload.data) < SMALL
    ]
    audio = st.just(PLAIN) | st.sampled_from(corpus) | st.binary(max_size=200)
    schemathesis.openapi.format("binary", audio)
    schemathesis.openapi.media_type("audio/wav", audio)
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def operations(schema: BaseSchema) -> list[APIOperation]:
    """Every method of every path."""
    return [found.ok() for found in schema.get_all_operations()]


def probe(operation: APIOperation, mode: GenerationMode, max_examples: int) -> dict[int, int]:
    """Send what the document allows, or (negative) what it forbids; how often each status came back.

    That all which is allowed be taken is not asked for: no schema can say what a WAV file is.

    Raises:
        schemathesis.FailureGroup: a 5xx, a status or a Content-Type that is not declared, a body that
            breaks its schema, or what is forbidden was taken.
    """
    statuses: dict[int, int] = {}
    excluded = [positive_data_acceptance]
    if operation.path == "/stream":  # a plain GET of it is refused with a 426, right or wrong
        excluded.append(negative_data_rejection)

    @settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def send(case: Case) -> None:
        response = case.call(timeout=PATIENCE_S)
        statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
        case.validate_response(response, excluded_checks=excluded)

    # Some operations take nothing that could be wrong.
    with suppress(Unsatisfiable):
        send()
    return statuses
