"""After many bad uploads the service is as it was."""

import gc
import tempfile
import threading
import tracemalloc
from pathlib import Path

from tests.hostile.test_uploads import CORPUS, scores
from tests.hostile.upload import PLAIN

RAW = {"Content-Type": "audio/wav"}


def test_a_good_upload_after_many_bad_ones_is_answered_as_before(client, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = scores(client.post("/predict", content=PLAIN, headers=RAW).json())
    bad = [
        upload
        for upload in CORPUS.values()
        if upload.code and upload.status != 413 and len(upload.data) < 100_000
    ]

    def send_all() -> None:
        for upload in bad:
            response = client.post("/predict", content=upload.data, headers=upload.headers)
            assert response.status_code < 500

    def grown() -> tuple[int, list[str]]:
        tracemalloc.start()
        send_all()
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
        largest = [str(each) for each in tracemalloc.take_snapshot().statistics("lineno")[:5]]
        tracemalloc.stop()
        return size, largest

    send_all()
    gc.collect()
    threads = threading.active_count()
    # Of two: a table of the interpreter's own, such as that of all names, may happen to grow in one of them.
    least, where = min(grown(), grown())

    assert scores(client.post("/predict", content=PLAIN, headers=RAW).json()) == before
    assert list(Path(tmp_path).iterdir()) == []
    assert threading.active_count() == threads
    assert least < 1_000_000, f"what hundreds of bad uploads leave behind: {where}"
