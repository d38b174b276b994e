"""Clips prepared by other processes: the same as here, whatever becomes of those processes."""

import asyncio
import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import httpx
import numpy as np
import psutil
import pytest

from service import helper
from service import helpers as module
from service.app import create_app
from service.helpers import AHEAD, Helpers, NoHelper
from service.preparation import decode_and_begin
from service.settings import Settings
from service.upload import SHORT
from tests.service.test_server import serving
from tests.support.servers import running
from tests.support.sounds import hum_wav
from undertone import wav
from undertone.errors import AudioError
from undertone.limits import Limits
from undertone.spec import Spec, Stft

SPEC = Spec()
LIMITS = Limits()
WAV = {"Content-Type": "audio/wav"}

pytestmark = pytest.mark.skipif(
    not module.are_possible(), reason="helpers need memfd_create and SOCK_SEQPACKET: Linux has them"
)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Machines on which tests run may be slow."""
    monkeypatch.setattr(module, "START_S", 50.0)


def with_helpers(work: Callable[[Helpers], Awaitable[None]], size: int = 1) -> None:
    async def main() -> None:
        helpers = Helpers(size, LIMITS)
        try:
            await helpers.open()
            assert helpers.n_ready == size
            await work(helpers)
        finally:
            helpers.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def helpers_of(pid: int | None = None) -> list[psutil.Process]:
    """The helpers of a process, of this one where none is named."""
    found = []
    for each in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(argument.endswith("service/helper.py") for argument in each.cmdline()):
                found.append(each)
    return found


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def wait_for_the_end_of(helpers: Helpers) -> None:
    """Until nobody is at the other end of the one line, by the line itself: a process whose other threads
    have not ended is a zombie that still takes orders. The event loop stands still meanwhile.
    """
    (only,) = helpers._helpers
    end = select.poll()
    end.register(only.line, 0)  # what waits to be read is no event; the end always is
    assert end.poll(10_000), "the other end is still open"


def clips(n: int) -> list[bytes]:
    return [hum_wav(seconds=1 + number / 10) for number in range(n)]


def assert_same(found, data: bytes) -> None:
    expected = decode_and_begin(data, SPEC, LIMITS, segments=False)
    # BLAS sums in another order where it has another number of threads.
    np.testing.assert_allclose(found.features, expected.features, rtol=0, atol=1e-4)
    assert found.plan == expected.plan
    assert found.decode_ms > 0
    assert found.features_ms > 0
    for name in ("sr", "duration_s", "sample_rate", "channels", "encoding", "warnings"):
        assert getattr(found.audio, name) == getattr(expected.audio, name), name


@pytest.mark.parametrize("size", [1, 2])
def test_helpers_prepare_what_the_event_loop_prepares(size):
    many = clips(3 * size * AHEAD + 1)

    async def work(helpers: Helpers) -> None:
        found = await asyncio.gather(*(helpers.prepare(each, SPEC) for each in many))
        for each, data in zip(found, many, strict=True):
            assert_same(each, data)

    with_helpers(work, size)


def test_what_is_to_be_said_of_a_recording_comes_along():
    loud = np.clip(np.stack([8 * wave_of(hum_wav()), wave_of(hum_wav())], axis=1), -1, 1)
    data = wav.encode(loud, 44_100)[:-1]
    warnings = decode_and_begin(data, SPEC, LIMITS, segments=False).audio.warnings
    assert {each.code for each in warnings} >= {"clipped", "data_length_clamped"}

    async def work(helpers: Helpers) -> None:
        assert_same(await helpers.prepare(memoryview(data), SPEC), data)

    with_helpers(work)


def wave_of(data: bytes) -> np.ndarray:
    return np.frombuffer(data[44:], "<i2") / 2**15


def silence() -> bytes:
    return wav.encode(np.zeros(16_000, np.float32), 16_000)


def noise() -> bytes:
    rng = np.random.default_rng(1)
    return wav.encode((0.3 * rng.standard_normal(32_000)).clip(-1, 1).astype(np.float32), 16_000)


@pytest.mark.parametrize(
    "data",
    [b"no sound", hum_wav()[:60], hum_wav(seconds=0.05), silence(), noise()],
    ids=["no WAV", "cut", "short", "silent", "noise"],
)
def test_what_cannot_be_heard_is_refused_in_the_same_words(data):
    with pytest.raises(AudioError) as expected:
        decode_and_begin(data, SPEC, LIMITS, segments=False)

    async def work(helpers: Helpers) -> None:
        with pytest.raises(AudioError) as found:
            await helpers.prepare(data, SPEC)
        assert type(found.value) is type(expected.value)
        for name in ("code", "detail", "received", "allowed"):
            assert getattr(found.value, name) == getattr(expected.value, name), name

    with_helpers(work)


class Unknown(NamedTuple):
    """A spec that no helper can read."""

    sr: int = 16_000
    frames: int = 1
    width: int = 1

    def model_dump_json(self) -> str:
        return '{"sr": "none"}'


def test_one_that_fails_at_a_clip_says_why_and_prepares_the_next():
    async def work(helpers: Helpers) -> None:
        with pytest.raises(RuntimeError, match="ValidationError"):
            await helpers.prepare(hum_wav(), Unknown())
        assert_same(await helpers.prepare(hum_wav(), SPEC), hum_wav())

    with_helpers(work)


def test_features_that_would_find_no_room_are_not_asked_for():
    async def work(helpers: Helpers) -> None:
        long = SPEC.model_copy(update={"duration_s": 30.0, "stft": Stft(hop_length=64)})
        assert 4 * long.frames * long.width > SHORT
        with pytest.raises(NoHelper):
            await helpers.prepare(hum_wav(), long)

    with_helpers(work)


def test_features_that_find_no_room_spoil_no_other_clip():
    room = bytearray(hum_wav())
    order = helper.Order(0, len(room), 100, SPEC.model_dump_json())
    outcome = helper.prepare(order, memoryview(room), LIMITS)
    assert isinstance(outcome, helper.Failed)
    assert bytes(room) == hum_wav()


def test_helpers_know_no_secrets(monkeypatch):
    monkeypatch.setenv("UNDERTONE_API_KEYS", "me:0123456789abcdef0")
    monkeypatch.setenv("undertone_api_keys", "me:0123456789abcdef0")

    async def work(_: Helpers) -> None:
        (process,) = helpers_of()
        assert "0123456789abcdef0" not in str(process.environ())

    with_helpers(work)


def test_who_goes_is_forgotten_and_who_stays_is_answered():
    async def work(helpers: Helpers) -> None:
        (process,) = helpers_of()
        process.suspend()
        tasks = [asyncio.create_task(helpers.prepare(each, SPEC)) for each in clips(AHEAD + 2)]
        await asyncio.sleep(0)
        for gone in (tasks[0], tasks[AHEAD]):  # one in its hands, one that waits
            gone.cancel()
        await asyncio.sleep(0)
        process.resume()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for number, (each, data) in enumerate(zip(found, clips(AHEAD + 2), strict=True)):
            if number in (0, AHEAD):
                assert isinstance(each, asyncio.CancelledError)
            else:
                assert_same(each, data)

    with_helpers(work)


def test_one_that_dies_takes_one_clip_with_it_and_is_replaced(caplog):
    async def work(helpers: Helpers) -> None:
        (process,) = helpers_of()
        process.suspend()
        tasks = [asyncio.create_task(helpers.prepare(each, SPEC)) for each in clips(AHEAD + 1)]
        await asyncio.sleep(0)
        process.kill()
        first, *others = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(first, RuntimeError)
        assert [type(each) for each in others] == [NoHelper] * AHEAD, "nobody else could take them"
        await until(lambda: helpers.n_ready == 1)
        assert_same(await helpers.prepare(hum_wav(), SPEC), hum_wav())
        assert [each.pid for each in helpers_of()] != [process.pid]

    with_helpers(work)
    (died,) = [each for each in caplog.records if each.message == "helper died"]
    assert died.fields["exit_code"] == -signal.SIGKILL


def test_one_whose_death_was_not_heard_of_yet_takes_no_clip():
    async def work(helpers: Helpers) -> None:
        (process,) = helpers_of()
        process.kill()
        wait_for_the_end_of(helpers)
        with pytest.raises(NoHelper):
            await helpers.prepare(hum_wav(), SPEC)
        await until(lambda: helpers.n_ready == 1)
        assert_same(await helpers.prepare(hum_wav(), SPEC), hum_wav())

    with_helpers(work)


def test_one_that_cannot_be_replaced_is_done_without_until_it_can(monkeypatch, caplog):
    def fails(*_: object, **__: object) -> None:
        raise OSError("too many processes")

    async def work(helpers: Helpers) -> None:
        (process,) = helpers_of()
        process.suspend()
        tasks = [asyncio.create_task(helpers.prepare(each, SPEC)) for each in clips(AHEAD + 1)]
        await asyncio.sleep(0)
        monkeypatch.setattr(module.subprocess, "Popen", fails)
        process.kill()
        _, *others = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in others] == [NoHelper] * AHEAD
        assert not helpers.n_ready
        assert "helper did not start" in caplog.messages
        monkeypatch.undo()
        await until(lambda: helpers.n_ready == 1)

    monkeypatch.setattr(module, "AGAIN_S", 0.3)
    with_helpers(work)


def test_clips_of_one_that_dies_go_to_another():
    async def work(helpers: Helpers) -> None:
        processes = helpers_of()
        for each in processes:
            each.suspend()
        many = clips(2 * AHEAD + 1)
        tasks = [asyncio.create_task(helpers.prepare(each, SPEC)) for each in many]
        await asyncio.sleep(0)
        processes[0].kill()
        await until(lambda: any(task.done() for task in tasks))
        processes[1].resume()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in found].count(RuntimeError) == 1
        for each, data in zip(found, many, strict=True):
            if not isinstance(each, RuntimeError):
                assert_same(each, data)

    with_helpers(work, 2)


def test_one_that_stands_still_is_replaced(monkeypatch):
    async def work(helpers: Helpers) -> None:
        (process,) = helpers_of()
        monkeypatch.setattr(module, "STUCK_S", 0.2)
        process.suspend()
        with pytest.raises(RuntimeError, match="died"):
            await helpers.prepare(hum_wav(), SPEC)
        await until(lambda: helpers.n_ready == 1)
        monkeypatch.setattr(module, "STUCK_S", 2.0)
        assert_same(await helpers.prepare(hum_wav(), SPEC), hum_wav())
        (new,) = helpers_of()
        await asyncio.sleep(2.2)
        assert helpers_of() == [new], "one that has nothing to do is not stuck"

    with_helpers(work)


def test_what_one_said_before_it_died_is_heard():
    async def work(helpers: Helpers) -> None:
        (process,) = helpers_of()
        many = clips(AHEAD + 1)
        tasks = [asyncio.create_task(helpers.prepare(each, SPEC)) for each in many]
        await asyncio.sleep(0)
        time.sleep(1)  # the answers come, and nobody listens
        process.kill()
        wait_for_the_end_of(helpers)
        *answered, last = await asyncio.gather(*tasks, return_exceptions=True)
        for each, data in zip(answered, many[:AHEAD], strict=True):
            assert_same(each, data)
        assert isinstance(last, NoHelper)

    with_helpers(work)


def test_what_was_sent_does_not_stay_where_it_was_put():
    async def work(helpers: Helpers) -> None:
        await asyncio.gather(*(helpers.prepare(each, SPEC) for each in clips(4)))
        (only,) = helpers._helpers
        assert not np.frombuffer(only.room, np.uint8).any()

    with_helpers(work)


def test_one_that_says_what_no_helper_says_is_replaced():
    async def work(helpers: Helpers) -> None:
        (process,) = helpers_of()
        process.suspend()
        (only,) = helpers._helpers
        task = asyncio.create_task(helpers.prepare(hum_wav(), SPEC))
        await asyncio.sleep(0)
        helpers._take(only, b"{}")
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], RuntimeError)
        await until(lambda: helpers.n_ready == 1)
        assert_same(await helpers.prepare(hum_wav(), SPEC), hum_wav())

    with_helpers(work)


def test_a_clip_that_is_too_long_is_not_taken():
    async def work(helpers: Helpers) -> None:
        with pytest.raises(NoHelper):
            await helpers.prepare(hum_wav(seconds=40), SPEC)

    with_helpers(work)


def test_signals_to_the_whole_group_leave_the_end_to_the_service():
    async def work(helpers: Helpers) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            (process,) = helpers_of()
            os.kill(process.pid, number)
        assert_same(await helpers.prepare(hum_wav(), SPEC), hum_wav())

    with_helpers(work)
    assert not helpers_of()


def test_one_that_cannot_start_is_done_without(monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def main() -> None:
        helpers = Helpers(1, LIMITS)
        await helpers.open()
        assert not helpers.n_ready
        with pytest.raises(NoHelper):
            await helpers.prepare(hum_wav(), SPEC)
        helpers.close()

    asyncio.run(asyncio.wait_for(main(), 60))
    assert "helper did not start" in caplog.messages


def test_there_are_none_where_processes_cannot_see_the_same_memory(monkeypatch):
    monkeypatch.setattr(module, "are_possible", lambda: False)
    helpers = Helpers(2, LIMITS)
    assert not helpers_of()
    assert not helpers.is_crowded
    helpers.close()


def test_they_are_asked_where_requests_meet_and_for_a_while_after(monkeypatch):
    monkeypatch.setattr(module, "CROWD_S", 0.1)

    async def work(helpers: Helpers) -> None:
        with helpers.request():
            assert not helpers.is_crowded
        with helpers.request(), helpers.request():
            assert helpers.is_crowded
        assert helpers.is_crowded
        await until(lambda: not helpers.is_crowded)
        with helpers.request():
            assert not helpers.is_crowded

    with_helpers(work)


class Counted(Helpers):
    """Helpers that count the clips which they prepared."""

    prepared = 0

    async def prepare(self, data, spec):
        found = await super().prepare(data, spec)
        self.prepared += 1
        return found


def answers(url: str, many: list[bytes], at_once: int) -> list[dict]:
    with httpx.Client(base_url=url, timeout=60) as client, ThreadPoolExecutor(at_once) as pool:
        replies = list(
            pool.map(lambda data: client.post("/predict", content=data, headers=WAV), many)
        )
    for each in replies:
        assert each.status_code == 200, each.text
    return [
        {name: each.json()[name] for name in ("probabilities", "audio", "warnings")}
        for each in replies
    ]


def test_who_is_alone_is_heard_here_and_a_crowd_by_helpers_with_the_same_answers(models):
    helpers, many = Counted(1, LIMITS), clips(12)
    with running(create_app(Settings(), models, helpers)) as url:
        rehearsed = helpers.prepared
        assert rehearsed == 1
        alone = answers(url, many, 1)
        assert helpers.prepared == rehearsed
        crowd = answers(url, many, 6)
        assert helpers.prepared > rehearsed
    for one, other in zip(alone, crowd, strict=True):
        assert one["audio"] == other["audio"]
        assert one["warnings"] == other["warnings"]
        scores = [{p["label"]: p["score"] for p in each["probabilities"]} for each in (one, other)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert not helpers_of()


def test_a_service_whose_helper_dies_answers_all_but_one(models, monkeypatch):
    monkeypatch.setattr(module, "CROWD_S", 60.0)
    helpers, many = Helpers(1, LIMITS), clips(8)
    with running(create_app(Settings(), models, helpers)) as url:
        answers(url, many, 8)  # from here on it is crowded
        (process,) = helpers_of()
        process.suspend()
        with httpx.Client(base_url=url, timeout=60) as client, ThreadPoolExecutor(8) as pool:
            tasks = [
                pool.submit(client.post, "/predict", content=each, headers=WAV) for each in many
            ]
            deadline = time.monotonic() + 30
            while not any(len(each.at_work) == AHEAD for each in helpers._helpers):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.kill()
            statuses = sorted(task.result().status_code for task in tasks)
        assert statuses == [200] * (len(many) - 1) + [500]


@pytest.mark.parametrize(("threads", "expected"), [(1, 0), (5, 2)])
def test_a_service_starts_one_for_every_two_processors(bundle, threads, expected):
    with serving(bundle, threads=threads) as served:
        processes = helpers_of(served.process.pid)
        assert len(processes) == expected
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive


def test_a_service_that_is_killed_leaves_none_behind(bundle):
    with serving(bundle, threads=2) as served:
        processes = helpers_of(served.process.pid)
        served.process.kill()
        _, alive = psutil.wait_procs(processes, timeout=10)
        assert processes
        assert not alive
