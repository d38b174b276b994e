"""What the service does for its first client before there is one."""

import shutil

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.app import create_app
from service.models import Models, find_models
from service.settings import Settings
from tests.support.servers import running
from undertone.bundle import GOLDEN
from undertone.classifier import Classifier, load


class Counting:
    """An engine that counts what it is asked."""

    def __init__(self, engine):
        self.engine = engine
        self.rows = 0

    def infer(self, features):
        self.rows += len(features)
        return self.engine.infer(features)


@pytest.fixture
def counted(bundle):
    """The models, and the engine of the default one, asked nothing yet."""
    engines = []

    def counting(path):
        classifier = load(path, threads=1)
        engines.append(Counting(classifier.engine))
        return Classifier(classifier.bundle, engines[0])

    models = Models(find_models(Settings(models=bundle)), "undertone-ravdess-2", counting)
    models.load("undertone-ravdess-2")
    return models, engines[0]


def test_a_clip_was_heard_before_the_first_request_and_is_not_counted_as_one(counted):
    models, engine = counted
    with running(create_app(Settings(), models)) as url:
        assert engine.rows == 1
        metrics = httpx.get(f"{url}/metrics").text
    samples = [
        sample
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if family.name.startswith("undertone_")
    ]
    assert {sample.name for sample in samples if sample.value} == {"undertone_requests_in_flight"}


def test_it_starts_where_the_sample_is_longer_than_what_is_taken(counted):
    models, engine = counted
    with running(create_app(Settings(max_duration_s=0.5), models)) as url:
        assert httpx.get(f"{url}/readyz").status_code == 200
        assert engine.rows == 0


def test_it_starts_where_the_sample_is_gone_since_the_model_was_loaded(bundle, tmp_path):
    path = shutil.copytree(bundle, tmp_path / bundle.name)
    models = Models(find_models(Settings(models=path)), "undertone-ravdess-2", load)
    models.load("undertone-ravdess-2")
    (path / GOLDEN).unlink()
    with running(create_app(Settings(), models)) as url:
        assert httpx.get(f"{url}/readyz").status_code == 200
