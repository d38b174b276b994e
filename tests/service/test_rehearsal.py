"""What the service does for its first client before there is one."""

import shutil
import threading

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.app import create_app
from service.crew import ASIDE
from service.models import Models, find_models
from service.settings import Settings
from tests.support.servers import running
from tests.support.sounds import hum_wav
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
    before = set(threading.enumerate())
    with running(create_app(Settings(), models)) as url:
        assert engine.rows == 1
        ours = [each.name for each in threading.enumerate() if each not in before]
        assert sum(name.startswith("aside") for name in ours) == ASIDE, "others are left behind"
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


def test_it_starts_where_it_cannot_be_heard_and_says_so(bundle, tmp_path, caplog):
    path = shutil.copytree(bundle, tmp_path / bundle.name)
    models = Models(find_models(Settings(models=path)), "undertone-ravdess-2", load)
    models.load("undertone-ravdess-2")
    (path / GOLDEN).write_bytes(b"no sample")
    with running(create_app(Settings(), models)) as url:
        assert httpx.get(f"{url}/readyz").status_code == 200
    (failed,) = [each for each in caplog.records if each.message == "rehearsal failed"]
    assert GOLDEN in failed.fields["reason"]


def test_an_engine_that_fails_once_ends_nothing(counted, caplog):
    models, engine = counted
    infer, engine.engine = engine.engine, None
    with running(create_app(Settings(), models)) as url:
        engine.engine = infer
        wav = {"Content-Type": "audio/wav"}
        assert httpx.post(f"{url}/predict", content=hum_wav(), headers=wav).status_code == 200
    assert "rehearsal failed" in caplog.messages
