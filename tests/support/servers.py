"""Real servers for tests, on ports that the system picks."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from service.protocol import PunctualProtocol
from service.wire import MAX_FRAME, FirmWebSocket


@contextmanager
def running(app: FastAPI, *, small_buffers: bool = False) -> Iterator[str]:
    """The address of a uvicorn that serves ``app`` in a thread, for as long as the block lasts.

    With ``small_buffers`` the system keeps next to nothing for a client that does not read.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http=PunctualProtocol,
        lifespan="on",
        ws=FirmWebSocket,
        ws_max_size=MAX_FRAME,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if small_buffers:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            assert server.started, "the app did not start"
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(120)
            assert not thread.is_alive(), "the server does not end"
