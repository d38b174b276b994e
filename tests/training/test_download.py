"""Downloading from a server on this machine that speaks the publishers' APIs."""

import contextlib
import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from training import download as module
from training.download import download, progress_bar
from training.errors import DownloadError

ARCHIVE = "Audio_Speech_Actors_01-24.zip"
ARCHIVE_PATH = f"/records/1188976/files/{ARCHIVE}/content"
CLIP = "Actor_01/03-01-01-01-01-01-01.wav"
TESS = {f"OAF_{word}_sad.wav": word.encode() * 999 for word in ("back", "bar", "base", "bath")}


@dataclass
class Publisher:
    """What the server holds and how it behaves; a test changes it before or between downloads."""

    base: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """By path."""
    honours_range: bool = True
    says_length: bool = True
    cuts: list[int] = field(default_factory=list)
    """After how many bytes the next answers with a file break off, in turn."""
    statuses: list[int] = field(default_factory=list)
    """What the next requests are answered with instead, in turn."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request there was."""

    def publish_ravdess(self, archive: bytes, **changes: object) -> None:
        """A Zenodo record as its API gives it, with ``changes`` to what it says of ``archive``."""
        entry = {
            "key": ARCHIVE,
            "size": len(archive),
            "checksum": f"md5:{hashlib.md5(archive).hexdigest()}",
            "links": {"self": self.base + ARCHIVE_PATH},
        }
        other = {**entry, "key": "Video_Speech_Actor_01.zip", "links": {"self": "unreachable"}}
        record = {"id": 1188976, "files": [other, entry | changes]}
        self.bodies["/records/1188976"] = json.dumps(record).encode()
        self.bodies[ARCHIVE_PATH] = archive

    def publish_tess(self, clips: dict[str, bytes]) -> None:
        """A Dataverse dataset as the API gives it, with ``clips`` and a text file in it."""
        files = []
        for number, (name, body) in enumerate({**clips, "read me.txt": b"words"}.items()):
            checksum = {"type": "SHA-1", "value": hashlib.sha1(body).hexdigest()}
            data = {"id": number, "filename": name, "filesize": len(body), "checksum": checksum}
            files.append({"label": name, "dataFile": data})
            self.bodies[f"/access/datafile/{number}"] = body
        answer = {"status": "OK", "data": {"id": 1, "latestVersion": {"files": files}}}
        dataset = "/datasets/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF"
        self.bodies[dataset] = json.dumps(answer).encode()

    def ranges(self, path: str = ARCHIVE_PATH) -> list[str | None]:
        """The Range of each request for ``path``."""
        return [asked for requested, asked in self.requests if requested == path]


class Handler(BaseHTTPRequestHandler):
    publisher: Publisher

    def do_GET(self) -> None:
        publisher, asked = self.publisher, self.headers.get("Range")
        publisher.requests.append((self.path, asked))
        body = publisher.bodies.get(self.path)
        status = publisher.statuses.pop(0) if publisher.statuses else 200 if body else 404
        if body is None or status != 200:
            self.send_response(status)
            self.send_header("Retry-After", "0")
            self.end_headers()
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if asked and publisher.honours_range:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            body = body[start:]
        else:
            self.send_response(200)
        if publisher.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        is_record = body.startswith(b"{")
        if publisher.cuts and not is_record:
            body = body[: publisher.cuts.pop(0)]
        with contextlib.suppress(ConnectionError):  # a download that fails hangs up on the others
            self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    held = Publisher()
    handler = type("Bound", (Handler,), {"publisher": held})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        held.base = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield held
        server.shutdown()
        thread.join()


def zipped(**members: bytes) -> bytes:
    """A ZIP archive; stored, so that it is as long as what is in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return stream.getvalue()


@pytest.fixture
def archive(publisher: Publisher) -> bytes:
    """The published RAVDESS: one clip of 100 kB."""
    body = zipped(**{CLIP: bytes(range(250)) * 400})
    publisher.publish_ravdess(body)
    return body


@pytest.mark.usefixtures("archive")
class TestRavdess:
    def test_is_unpacked_under_its_name_and_nothing_else_stays(
        self, publisher: Publisher, tmp_path: Path
    ) -> None:
        home = download("ravdess", tmp_path / "data", api_base=publisher.base)
        assert home == tmp_path / "data" / "ravdess"
        assert (home / CLIP).read_bytes() == bytes(range(250)) * 400
        assert sorted(tmp_path.rglob("*.*")) == [home / CLIP]
        assert [path for path, _ in publisher.requests] == ["/records/1188976", ARCHIVE_PATH]

    def test_is_not_fetched_again(self, publisher: Publisher, tmp_path: Path) -> None:
        first = download("ravdess", tmp_path, api_base=publisher.base)
        publisher.requests.clear()
        assert download("ravdess", tmp_path, api_base=publisher.base) == first
        assert publisher.requests == []

    @pytest.mark.parametrize("says_length", [True, False])
    def test_a_cut_connection_goes_on_in_the_same_run(
        self, publisher: Publisher, tmp_path: Path, says_length: bool
    ) -> None:
        publisher.cuts, publisher.says_length = [30_000, 20_000], says_length
        assert (download("ravdess", tmp_path, api_base=publisher.base) / CLIP).exists()
        assert publisher.ranges() == [None, "bytes=30000-", "bytes=50000-"]

    def test_a_given_up_run_goes_on_in_the_next(self, publisher: Publisher, tmp_path: Path) -> None:
        publisher.cuts = [10_000] * module.ATTEMPTS
        with pytest.raises(DownloadError, match=r"127\.0\.0\.1 cannot be reached, or broke off"):
            download("ravdess", tmp_path, api_base=publisher.base)
        assert not (tmp_path / "ravdess").exists()
        publisher.requests.clear()
        assert (download("ravdess", tmp_path, api_base=publisher.base) / CLIP).exists()
        assert publisher.ranges() == [f"bytes={10_000 * module.ATTEMPTS}-"]

    def test_a_server_that_ignores_range(
        self, publisher: Publisher, tmp_path: Path, archive: bytes
    ) -> None:
        publisher.cuts, publisher.honours_range = [30_000], False
        progress = progress_bar()
        home = download("ravdess", tmp_path, api_base=publisher.base, progress=progress)
        assert (home / CLIP).read_bytes() == bytes(range(250)) * 400
        assert progress.tasks[0].completed == progress.tasks[0].total == len(archive)

    def test_everything_had_arrived_before_the_run_was_cut(
        self, publisher: Publisher, tmp_path: Path, archive: bytes
    ) -> None:
        (tmp_path / "ravdess.part").mkdir()
        (tmp_path / "ravdess.part" / f"{ARCHIVE}.part").write_bytes(archive)
        assert (download("ravdess", tmp_path, api_base=publisher.base) / CLIP).exists()
        assert publisher.ranges() == []

    def test_progress_counts_what_an_earlier_run_left(
        self, publisher: Publisher, tmp_path: Path, archive: bytes
    ) -> None:
        (tmp_path / "ravdess.part").mkdir()
        (tmp_path / "ravdess.part" / f"{ARCHIVE}.part").write_bytes(archive[:40_000])
        progress = progress_bar()
        download("ravdess", tmp_path, api_base=publisher.base, progress=progress)
        assert publisher.ranges() == ["bytes=40000-"]
        assert progress.tasks[0].completed == progress.tasks[0].total == len(archive)

    def test_a_damaged_start_is_found_and_not_kept(
        self, publisher: Publisher, tmp_path: Path, archive: bytes
    ) -> None:
        part = tmp_path / "ravdess.part" / f"{ARCHIVE}.part"
        part.parent.mkdir()
        part.write_bytes(b"x" * 40_000)
        with pytest.raises(DownloadError, match="arrived damaged and was removed: its md5 is"):
            download("ravdess", tmp_path, api_base=publisher.base)
        assert not part.exists()
        assert (download("ravdess", tmp_path, api_base=publisher.base) / CLIP).exists()

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_busy_server_is_asked_again(
        self, publisher: Publisher, tmp_path: Path, status: int
    ) -> None:
        publisher.statuses = [status, 200, status, status]
        assert (download("ravdess", tmp_path, api_base=publisher.base) / CLIP).exists()
        assert len(publisher.requests) == 5

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_refusal_is_taken_at_its_word(
        self, publisher: Publisher, tmp_path: Path, status: int
    ) -> None:
        publisher.statuses = [200, status]
        with pytest.raises(DownloadError, match=f"{ARCHIVE}/content answered {status}") as caught:
            download("ravdess", tmp_path, api_base=publisher.base)
        assert "download from https://zenodo.org/records/1188976 by hand" in str(caught.value)
        assert len(publisher.requests) == 2

    def test_too_little_disk_space(
        self, publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=99_999))
        with pytest.raises(DownloadError, match="needs 0 MB and its disk has 0 MB left"):
            download("ravdess", tmp_path, api_base=publisher.base)
        assert publisher.ranges() == []


class TestTess:
    def test_every_recording_and_no_text(self, publisher: Publisher, tmp_path: Path) -> None:
        publisher.publish_tess(TESS)
        home = download("tess", tmp_path, api_base=publisher.base)
        assert {path.name: path.read_bytes() for path in home.iterdir()} == TESS

    def test_what_an_earlier_run_got_is_not_fetched_again(
        self, publisher: Publisher, tmp_path: Path
    ) -> None:
        clips = {f"OAF_{'a' * length}_sad.wav": b"x" * length for length in range(1, 41)}
        publisher.publish_tess(clips)
        last = publisher.bodies.pop("/access/datafile/39")
        with pytest.raises(DownloadError, match="datafile/39 answered 404"):
            download("tess", tmp_path, api_base=publisher.base)
        got = len(list((tmp_path / "tess.part").glob("*.wav")))
        assert 40 - module.CONNECTIONS <= got < 40
        publisher.bodies["/access/datafile/39"] = last
        publisher.requests.clear()
        home = download("tess", tmp_path, api_base=publisher.base)
        assert {path.name: path.read_bytes() for path in home.iterdir()} == clips
        assert len(publisher.ranges("/access/datafile/0")) == 0
        assert len(publisher.ranges("/access/datafile/39")) == 1

    def test_a_name_that_leads_elsewhere(self, publisher: Publisher, tmp_path: Path) -> None:
        publisher.publish_tess({"../../OAF_back_sad.wav": b"x"})
        with pytest.raises(DownloadError, match="refused to write"):
            download("tess", tmp_path / "data", api_base=publisher.base)
        assert list(tmp_path.rglob("*.wav")) == []


class TestBadArchives:
    @pytest.mark.parametrize("name", ["../escaped.wav", "a/../../escaped.wav", "/escaped.wav"])
    def test_members_that_lead_elsewhere(
        self, publisher: Publisher, tmp_path: Path, name: str
    ) -> None:
        publisher.publish_ravdess(zipped(**{CLIP: b"x", name: b"x"}))
        with pytest.raises(DownloadError, match=f"refused to write {name!r}"):
            download("ravdess", tmp_path, api_base=publisher.base)
        assert list(tmp_path.rglob("*.wav")) == []

    def test_no_archive_at_all(self, publisher: Publisher, tmp_path: Path) -> None:
        publisher.publish_ravdess(b"no archive")
        with pytest.raises(DownloadError, match="File is not a zip file"):
            download("ravdess", tmp_path, api_base=publisher.base)

    def test_more_in_it_than_the_disk_holds(
        self, publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(CLIP, bytes(3_000_000))
        publisher.publish_ravdess(stream.getvalue())
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
        with pytest.raises(DownloadError, match="needs 3 MB and its disk has 1 MB left"):
            download("ravdess", tmp_path, api_base=publisher.base)


class TestBadRecords:
    @pytest.mark.parametrize(
        "body",
        [
            b"<html>log in to this network</html>",
            b"[]",
            b'{"files": [{"key": "x"}]}',
            b'{"files": [{"key": "x", "size": 1, "checksum": "md4:0", "links": {"self": "x"}}]}',
        ],
    )
    def test_another_answer(self, publisher: Publisher, tmp_path: Path, body: bytes) -> None:
        publisher.bodies["/records/1188976"] = body
        with pytest.raises(DownloadError, match="something else than a record") as caught:
            download("ravdess", tmp_path, api_base=publisher.base)
        assert "https://zenodo.org/records/1188976 by hand" in str(caught.value)

    def test_without_the_corpus(self, publisher: Publisher, tmp_path: Path) -> None:
        publisher.publish_ravdess(b"x", key="Audio_Speech.rar")
        with pytest.raises(DownloadError, match=re.escape(r"lists no file like Audio_Speech_Act")):
            download("ravdess", tmp_path, api_base=publisher.base)


def test_an_unknown_corpus(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="known are ravdess, ravdess-song, tess"):
        download("crema-d", tmp_path)


def test_no_network(publisher: Publisher, tmp_path: Path) -> None:
    unused = "http://127.0.0.1:1"
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 cannot be reached") as caught:
        download("tess", tmp_path, api_base=unused)
    assert "download from https://doi.org/10.5683/SP2/E8H2MF by hand" in str(caught.value)
    assert str(tmp_path / "tess") in str(caught.value)
