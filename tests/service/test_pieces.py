"""How much of a body is read before the app is given any of it."""

import asyncio
import socket
import tracemalloc
from dataclasses import dataclass, field

import pytest
import uvicorn
from uvicorn.server import ServerState

from service.pieces import FEW, READ_ON, Pieces
from service.protocol import PunctualProtocol

KIB = 1024


class Line(asyncio.Transport):
    """A connection that is read from, or is not."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read = True

    def pause_reading(self):
        self.is_read = False

    def resume_reading(self):
        self.is_read = True

    def write(self, data):
        pass

    def is_closing(self):
        return False

    def close(self):
        """There is nothing to close."""

    def get_write_buffer_size(self):
        return 0


@dataclass
class Talk:
    """What an app was given of a body, and whether more was read after each piece of it."""

    given: list[bytes] = field(default_factory=list)
    read_on: list[bool] = field(default_factory=list)
    kept: int = 0
    """Bytes that stay when all is answered."""


def speaking(found: Talk, *, listens: bool = True) -> PunctualProtocol:
    """A connection to an app that asks for all of a body, or answers at once."""

    async def app(scope, receive, send):
        more = listens
        while more:
            message = await receive()
            found.given.append(message["body"])
            more = message["more_body"]
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    config = uvicorn.Config(app, lifespan="off", access_log=False)
    config.load()
    return PunctualProtocol(config, ServerState(), {})


def talk(length: bytes, *pieces: bytes, before: bytes = b"", listens: bool = True) -> Talk:
    """Send ``pieces`` in one turn of the loop to an app that then asks for all, or answers at once."""
    found = Talk()

    async def scenario() -> None:
        line, protocol = Line(), speaking(found, listens=listens)
        protocol.connection_made(line)
        protocol.data_received(before + b"POST / HTTP/1.1\r\nHost: test\r\n%b\r\n\r\n" % length)
        for piece in pieces:
            protocol.data_received(piece)
            found.read_on.append(line.is_read)
        while protocol.tasks:
            await asyncio.gather(*protocol.tasks)
        found.kept = len(protocol.cycle.body)
        protocol.connection_lost(None)

    asyncio.run(scenario())
    return found


def sized(pieces: list[bytes]) -> bytes:
    return b"Content-Length: %d" % sum(map(len, pieces))


def noise(n_bytes: int, number: int) -> bytes:
    return bytes([number]) * n_bytes


def test_a_clip_that_is_there_is_read_and_handed_on_in_one_go():
    pieces = [noise(size * KIB, number) for number, size in enumerate((250, 250, 100))]
    found = talk(sized(pieces), *pieces)
    assert found.read_on == [True] * 3
    assert found.given == [b"".join(pieces)]


def test_uvloop_reads_all_of_a_clip_that_is_there():
    uvloop = pytest.importorskip("uvloop")
    found, body = Talk(), bytes(300_000)

    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * KIB * KIB)
            theirs.settimeout(10)
            theirs.sendall(b"POST / HTTP/1.1\r\nHost: test\r\n%b\r\n\r\n%b" % (sized([body]), body))
            ours.setblocking(False)
            loop = asyncio.get_running_loop()
            _, protocol = await loop.connect_accepted_socket(lambda: speaking(found), ours)
            while not found.given or protocol.tasks:
                await asyncio.sleep(0.01)
        while not protocol.transport.is_closing():
            await asyncio.sleep(0.01)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(scenario(), 20))
    assert found.given == [body]


def test_of_a_long_recording_no_more_is_read_until_the_app_has_the_first_of_it():
    pieces = [noise(256 * KIB, number) for number in range(6)]
    found = talk(sized(pieces), *pieces)
    assert found.read_on == [True] * 3 + [False] * 3
    assert READ_ON == 4 * 256 * KIB
    assert b"".join(found.given) == b"".join(pieces)


def test_of_small_pieces_few_are_kept_apart():
    pieces = [noise(12 * KIB, number) for number in range(FEW + 3)]
    found = talk(sized(pieces), *pieces)
    assert found.read_on == [True] * (FEW - 1) + [False] * 4
    assert b"".join(found.given) == b"".join(pieces)


@pytest.mark.parametrize("n_bytes", [1, 7, 20_000])
def test_a_body_whose_length_nobody_knows_is_whole(n_bytes):
    pieces = [noise(n_bytes, number) for number in range(3 * FEW)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    found = talk(b"Transfer-Encoding: chunked", chunks + b"0\r\n\r\n")
    assert b"".join(found.given) == b"".join(pieces)


def test_what_nobody_asked_for_does_not_stay():
    pieces = [noise(100 * KIB, number) for number in range(3)]
    assert talk(sized(pieces), *pieces, listens=False).kept == 0


def test_of_a_request_that_has_to_wait_no_more_is_read_than_others_read():
    pieces = [noise(50 * KIB, number) for number in range(4)]
    found = talk(sized(pieces), *pieces, before=b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    assert found.read_on == [True, False, False, False]
    assert b"".join(found.given) == b"".join(pieces)


def test_the_smallest_pieces_take_no_more_memory_than_what_is_in_them():
    n_pieces, pieces = 100_000, Pieces()
    tracemalloc.start()
    try:
        for number in range(n_pieces):
            pieces += (number % 65_536).to_bytes(2)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert bytes(pieces) == b"".join((number % 65_536).to_bytes(2) for number in range(n_pieces))
    assert most < 3 * len(pieces)
