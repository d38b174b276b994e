import platform

from openapi_spec_validator import validate

import undertone
from service.problems import KINDS
from tests.support.sounds import hum_wav
from undertone.bundle import read_manifest
from undertone.emotions import RAVDESS


def test_models_are_listed_with_all_there_is_to_know(client, bundle):
    reply = client.get("/models").json()
    manifest = read_manifest(bundle)
    assert reply["default"] == "undertone-ravdess-2"
    (model,) = reply["models"]
    assert model["default"] is True
    assert model["emotions"] == list(RAVDESS)
    assert model["sentiment"]["angry"] == "negative"
    assert model["sample_rate"] == manifest.spec.sr
    assert model["windows"] == manifest.spec.windows.model_dump()
    assert model["limits"]["max_bytes"] == 25 * 1024 * 1024
    assert model["metrics"] == manifest.model_dump(mode="json")["metrics"]
    assert model["licence"] == manifest.licence
    assert client.get("/models/undertone-ravdess-2").json() == model


def test_an_unknown_model_is_not_found(client):
    response = client.get("/models/hal-9000")
    assert response.status_code == 404
    assert response.json()["code"] == "model_not_found"
    assert response.json()["allowed"] == {"model": ["undertone-ravdess-2"]}


def test_the_state_is_told(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {
        "status": "ready",
        "models": [{"name": "undertone-ravdess-2", "version": "0.0.1"}],
    }
    assert client.get("/version").json() == {
        "undertone": undertone.__version__,
        "python": platform.python_version(),
        "manifest": 1,
        "spec": 1,
    }


def test_every_kind_of_problem_is_listed(client):
    listed = client.get("/problems").json()
    assert [each["code"] for each in listed] == list(KINDS)
    assert [each["status"] for each in listed] == sorted(each["status"] for each in listed)


def test_prometheus_is_told_of_requests_and_batches_and_of_no_emotion(client):
    client.post("/predict", content=hum_wav(), headers={"Content-Type": "audio/wav"})
    client.get("/no/such/address")
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = dict(line.rsplit(" ", 1) for line in response.text.splitlines() if line[0] != "#")
    assert float(lines['undertone_requests_total{route="/predict",status="200"}']) >= 1
    assert float(lines['undertone_requests_total{route="other",status="404"}']) >= 1
    assert float(lines['undertone_request_duration_seconds_count{route="/predict"}']) >= 1
    assert float(lines['undertone_batch_rows_count{model="undertone-ravdess-2"}']) >= 1
    assert float(lines['undertone_queue_length{model="undertone-ravdess-2"}']) == 0
    assert float(lines["undertone_requests_in_flight"]) == 1
    assert not any(emotion in response.text for emotion in RAVDESS)


def test_the_openapi_document_is_valid(client):
    document = client.get("/openapi.json").json()
    validate(document)
    predict = document["paths"]["/predict"]["post"]
    form = predict["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["file"]["format"] == "binary"
    assert predict["requestBody"]["content"]["audio/wav"]["schema"]["format"] == "binary"
    assert set(predict["responses"]) == {
        *("200", "400", "401", "404", "408", "413", "415", "422", "429", "500", "503", "504"),
        "default",
    }


def test_every_declared_problem_has_an_example_of_its_status(client):
    document = client.get("/openapi.json").json()
    predict = document["paths"]["/predict"]["post"]["responses"]
    for status, response in predict.items():
        examples = response["content"].get("application/problem+json", {}).get("examples", {})
        for code, example in examples.items():
            assert example["value"]["code"] == code
            assert str(example["value"]["status"]) == status


def test_the_example_reply_is_one(client, hello):
    """It was made by the shipped model; its numbers are checked where that model is."""
    document = client.get("/openapi.json").json()
    content = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]
    example = content["application/json"]["examples"]["plain"]["value"]
    reply = client.post("/predict", files={"file": hello.read_bytes()}).json()
    assert shape(example) == shape(reply)
    assert example["audio"] == reply["audio"]


def test_the_examples_of_what_can_be_asked_for_are_ones(client, hello):
    document = client.get("/openapi.json").json()
    content = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]
    examples = content["application/json"]["examples"]
    query = {"segments": True, "channels": "split"}
    reply = client.post("/predict", files={"file": hello.read_bytes()}, params=query).json()
    assert shape(examples["segments"]["value"]["segments"]) == shape(reply["segments"])
    alone = client.post(
        "/predict", files={"file": hello.read_bytes()}, params={"channels": "split"}
    )
    assert shape(examples["channels"]["value"]["channels"]) == shape(alone.json()["channels"])


def test_the_messages_of_a_stream_are_in_the_document(client):
    document = client.get("/openapi.json").json()
    stream = document["paths"]["/stream"]["get"]
    messages = stream["responses"]["101"]["content"]["application/json"]
    for name, example in messages["examples"].items():
        assert example["value"]["type"] == name
    for each in messages["schema"]["anyOf"]:
        assert each["$ref"].rsplit("/", 1)[1] in document["components"]["schemas"]


def shape(value: object) -> object:
    """The names in a document and the types of what they name."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value)
