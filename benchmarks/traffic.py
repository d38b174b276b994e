"""A client that costs next to nothing, so that on two processors it is the service that is measured.

Requests are bytes that were put together before; an answer is a status, whether it says when to come
again, and how long it took. Connections are kept and used again, as browsers and proxies do.
"""

import asyncio
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, cycle
from pathlib import Path
from typing import Final

CLIP: Final = Path(__file__).resolve().parents[1] / "examples" / "hello.wav"

LOST: Final = 0
"""The status of a request that was sent and not answered."""

REFUSED: Final = -1
"""The status of a request for which no connection could be opened."""

FRESH_S: Final = 2.0
"""How long an idle connection is used again; the service closes it after 5 s."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP, or `LOST` or `REFUSED`.
        says_when: whether there is a ``Retry-After``.
        seconds: from when it was to be sent until the last byte of the answer.
        at: when it was to be sent, on the clock of `time.perf_counter`.
    """

    status: int
    says_when: bool
    seconds: float
    at: float


def predict_request(data: bytes) -> bytes:
    """``POST /predict`` of a WAV file."""
    return (
        b"POST /predict HTTP/1.1\r\nHost: soak\r\nContent-Type: audio/wav\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(data), data)
    )


def form_request(data: bytes) -> bytes:
    """``POST /predict`` of a WAV file as the field ``file`` of a form, as curl and browsers send it."""
    boundary = b"------------------------d74496d66958873e"
    body = (
        b'--%b\r\nContent-Disposition: form-data; name="file"; filename="clip.wav"\r\n'
        b"Content-Type: audio/wav\r\n\r\n%b\r\n--%b--\r\n" % (boundary, data, boundary)
    )
    return (
        b"POST /predict HTTP/1.1\r\nHost: bench\r\nContent-Type: multipart/form-data; boundary=%b\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (boundary, len(body), body)
    )


class Client:
    """Sends requests to one address, each over a connection that is idle or a new one."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, request: bytes, at: float | None = None) -> Answer:
        """Send ``request``; its time counts from ``at``, or from now."""
        at = time.perf_counter() if at is None else at
        try:
            reader, writer = self._kept() or await self._connect()
        except OSError:
            return Answer(REFUSED, False, time.perf_counter() - at, at)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lower = head.lower()
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return Answer(LOST, False, time.perf_counter() - at, at)
        if b"connection: close" in lower:
            writer.close()
        else:
            self._idle.append((time.perf_counter(), reader, writer))
        says_when = b"\r\nretry-after:" in lower
        return Answer(int(head[9:12]), says_when, time.perf_counter() - at, at)

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The connection that was used last, unless the service may be about to close it."""
        while self._idle:
            since, reader, writer = self._idle.pop()
            if time.perf_counter() - since < FRESH_S and not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)


async def closed_loop(
    port: int, n_clients: int, seconds: float, requests: Sequence[bytes] = ()
) -> list[Answer]:
    """``n_clients``, each of whom asks again as soon as there is an answer; ``requests`` go round."""
    client, following = Client(port), cycle(requests or [predict_request(CLIP.read_bytes())])
    end = time.perf_counter() + seconds

    async def one() -> list[Answer]:
        answers = []
        while time.perf_counter() < end:
            answers.append(await client.ask(next(following)))
        return answers

    return [*chain(*await asyncio.gather(*(one() for _ in range(n_clients))))]


async def open_loop(
    port: int,
    per_second: float,
    seconds: float,
    requests: Sequence[bytes] = (),
    *,
    seed: int | None = None,
) -> list[Answer]:
    """Requests at regular times, or at random ones (Poisson), whether earlier ones are answered or not.

    Args:
        port: where the service listens.
        per_second: requests.
        seconds: for how long they are sent.
        requests: they go round; the shipped clip where left out.
        seed: of the random times; regular ones where left out.
    """
    client, following = Client(port), cycle(requests or [predict_request(CLIP.read_bytes())])
    start = time.perf_counter()
    tasks = []
    for number, due in enumerate(_moments(per_second, seed)):
        if due >= seconds:
            break
        if (wait := start + due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        elif number % 8 == 0:
            await asyncio.sleep(0)  # it is late; those under way must not starve
        tasks.append(asyncio.create_task(client.ask(next(following), start + due)))
    return await asyncio.gather(*tasks)


def _moments(per_second: float, seed: int | None) -> Iterator[float]:
    """When requests are due, in seconds."""
    if seed is None:
        yield from (number / per_second for number in count())
    chance, due = random.Random(seed), 0.0
    while True:
        due += chance.expovariate(per_second)
        yield due


async def until_gone(port: int, n_clients: int) -> list[Answer]:
    """As `closed_loop`, until the port is closed; each client ends with its first `REFUSED`."""
    client, request = Client(port), predict_request(CLIP.read_bytes())

    async def one() -> list[Answer]:
        answers = [await client.ask(request)]
        while answers[-1].status != REFUSED:
            answers.append(await client.ask(request))
        return answers

    return [*chain(*await asyncio.gather(*(one() for _ in range(n_clients))))]


def at(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of them do not exceed; 0 where there is none."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else 0.0
