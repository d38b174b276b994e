"""Real servers for tests, on ports that the system picks."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from service.protocol import PunctualProtocol


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """The address of a uvicorn that serves ``app`` in a thread, for as long as the block lasts."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http=PunctualProtocol,
        lifespan="on",
        ws="websockets-sansio",
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            assert server.started, "the app did not start"
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
