import signal
import socket

import uvicorn
from uvicorn.supervisors.multiprocess import SIGNALS

from service.supervisor import Supervisor
from tests.support.apps import refusing


def test_workers_that_cannot_start_end_it(caplog):
    before = {number: signal.getsignal(number) for number in SIGNALS}
    config = uvicorn.Config(refusing, factory=True, lifespan="on", log_config=None, workers=2)
    try:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            supervisor = Supervisor(config, sockets=[listening])
            supervisor.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert supervisor.failed
    assert "worker did not start" in caplog.messages
