"""One app with the model of this repository, for everything that is thrown at it."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from service.app import create_app
from service.models import Models, load_models
from service.settings import Settings
from tests.support.in_process import InProcess, in_process


@pytest.fixture(scope="session")
def shipped() -> Models:
    return load_models(Settings())


@pytest.fixture(scope="session")
def app(shipped: Models) -> FastAPI:
    return create_app(Settings(), shipped)


@pytest.fixture(scope="session")
def client(app: FastAPI) -> Iterator[InProcess]:
    """Speaks to the app in this process; what the app does not catch is raised here."""
    with in_process(app) as client:
        yield client
