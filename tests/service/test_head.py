"""HEAD is answered like GET, without the body."""

import httpx
import pytest

from service.app import create_app
from service.settings import Settings
from tests.support.servers import running

GET = ["/healthz", "/readyz", "/models", "/models/undertone-ravdess-2", "/version", "/metrics", "/"]


@pytest.mark.parametrize("path", [*GET, "/docs", "/static/icon.svg"])
def test_whatever_can_be_got_can_be_asked_after(client: httpx.Client, path):
    head, got = client.head(path), client.get(path)
    assert head.status_code == got.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize(("path", "status"), [("/predict", 405), ("/nowhere", 404)])
def test_what_cannot_be_got_is_refused_alike(client, path, status):
    head = client.head(path)
    assert (head.status_code, head.content) == (status, b"")


def test_the_connection_and_the_count_go_on(client):
    for _ in range(3):
        assert client.head("/models").status_code == 200
        assert client.get("/healthz").json() == {"status": "ok"}
    assert 'undertone_requests_total{route="/models",status="200"}' in client.get("/metrics").text


def test_who_is_told_what_is_taken_is_told_of_it(client):
    response = client.post("/healthz")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert response.json()["allowed"] == {"method": ["GET", "HEAD"]}
    assert client.get("/predict").headers["allow"] == "POST"


def test_scripts_of_other_pages_may_ask_so_too(models):
    app = create_app(Settings(cors_origins="https://example.com"), models)
    asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "HEAD"}
    with running(app) as url:
        assert httpx.options(f"{url}/models", headers=asked).status_code == 200


def test_one_that_fails_is_counted_where_it_failed(models, monkeypatch):
    def fail(self):
        raise ZeroDivisionError

    monkeypatch.setattr("service.metrics.Metrics.exposition", fail)
    app = create_app(Settings(), models)
    with running(app) as url:
        assert httpx.head(f"{url}/metrics").status_code == 500
    monkeypatch.undo()
    told = app.state.metrics.exposition().decode()
    assert 'undertone_requests_total{route="/metrics",status="500"}' in told
