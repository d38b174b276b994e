"""Connections where several loops listen on one socket."""

import asyncio
import errno
import socket
import threading
from contextlib import ExitStack, closing, contextmanager
from queue import Queue

import pytest

from service.door import MOST, new_loop


class Guest(asyncio.Protocol):
    """Counts itself, and answers with where it is."""

    def __init__(self, inside, name):
        self.inside, self.name = inside, name

    def connection_made(self, transport):
        self.inside.put(self.name)
        transport.write(self.name.encode())


@contextmanager
def listening(sock, name, inside):
    """A loop in a thread, which takes connections of a socket."""
    loop, ready = new_loop(), threading.Event()
    ended = asyncio.Event()

    async def serve():
        door = await loop.create_server(lambda: Guest(inside, name), sock=sock, backlog=100)
        ready.set()
        await ended.wait()
        door.close()
        door.close()
        await door.wait_closed()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        assert not thread.is_alive()
        loop.close()


@pytest.fixture
def free():
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


def connected(stack, free):
    return stack.enter_context(socket.create_connection(free.getsockname(), timeout=10))


def test_a_crowd_that_comes_at_once_is_shared_out(free):
    inside: Queue[str] = Queue()
    with listening(free, "one", inside), listening(free, "other", inside), ExitStack() as stack:
        for _ in range(64):
            connected(stack, free)
        names = [inside.get(timeout=10) for _ in range(64)]
    assert min(names.count("one"), names.count("other")) >= 16


def test_alone_it_takes_everybody(free):
    inside: Queue[str] = Queue()
    with listening(free, "one", inside), ExitStack() as stack:
        guests = [connected(stack, free) for _ in range(10 * MOST)]
        assert [guest.recv(8) for guest in guests] == 10 * MOST * [b"one"]


class Crowded(socket.socket):
    """A socket of a process that has as many files open as it may, once."""

    refused = False

    def accept(self):
        if not self.refused:
            self.refused = True
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_where_there_is_no_room_they_wait_outside(monkeypatch, caplog):
    monkeypatch.setattr("service.door.PAUSE_S", 0.05)
    inside: Queue[str] = Queue()
    with closing(Crowded()) as crowded:
        crowded.bind(("127.0.0.1", 0))
        with listening(crowded, "one", inside), ExitStack() as stack:
            assert connected(stack, crowded).recv(8) == b"one"
    assert [record.fields for record in caplog.records] == [{"reason": "Too many open files"}]


def test_a_loop_listens_elsewhere_as_any_other():
    async def main():
        loop = asyncio.get_running_loop()
        inside: Queue[str] = Queue()
        server = await loop.create_server(lambda: Guest(inside, "one"), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read(8) == b"one"
        writer.close()
        server.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
