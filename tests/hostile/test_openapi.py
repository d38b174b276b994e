"""The service keeps to its own OpenAPI document; `make soak` sends a hundred times as much."""

import pytest
from schemathesis import GenerationMode

from service.app import create_app
from service.settings import Settings
from tests.support.schema import load_schema, operations, probe


@pytest.fixture(scope="module")
def every(shipped):
    return operations(load_schema(create_app(Settings(), shipped)))


def test_what_the_document_allows_is_answered_as_it_says(every):
    seen = {operation.label: probe(operation, GenerationMode.POSITIVE, 100) for operation in every}
    assert {"POST /predict", "GET /models", "GET /metrics", "GET /problems"} <= set(seen)
    assert {200, 400, 415, 422} <= set(seen["POST /predict"])
    plain = {label for label in seen if label.startswith("GET") and "{" not in label}
    assert all(200 in seen[label] for label in plain - {"GET /stream"})


def test_what_the_document_forbids_is_refused_as_it_says(every):
    seen = {operation.label: probe(operation, GenerationMode.NEGATIVE, 40) for operation in every}
    assert {400, 422} <= set(seen["POST /predict"])
