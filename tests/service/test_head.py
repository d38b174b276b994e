"""HEAD is answered like GET, without the body."""

import httpx
import pytest

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
