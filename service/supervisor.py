"""Several processes on one port, of which each that dies is replaced."""

import logging
import os
import signal
import threading
from multiprocessing import parent_process

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

_log = logging.getLogger("undertone")


def end_with_supervisor() -> None:
    """Have this process end as on SIGTERM when the one that started it is gone, however that ended.

    Killed, a supervisor tells nobody: its workers would go on answering, and hold the port against the
    next one. In a process that nobody supervises, this does nothing.
    """
    supervisor = parent_process()
    if supervisor is None:
        return

    def wait() -> None:
        supervisor.join()
        _log.error("supervisor died", extra={"fields": {"pid": supervisor.pid}})
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="supervised", daemon=True).start()


class Supervisor(Multiprocess):
    """uvicorn's own, which starts processes anew and never forks: TensorFlow has threads.

    That one also asks each process in turn whether it is well, which here does harm: one that reads
    TensorFlow from a disk answers late and would be killed for it, and while it is waited for, one
    that died is not seen.
    """

    @property
    def failed(self) -> bool:
        """Whether it ended because a process could not start."""
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)

    def keep_subprocess_alive(self) -> None:
        """Replace the processes that have died; end if one could not start, as the next could not."""
        for index, process in enumerate(self.processes):
            if process.process.is_alive():
                continue
            process.join()
            fields = {"pid": process.pid, "exit_code": process.exitcode}
            if process.exitcode == STARTUP_FAILURE:
                _log.error("worker did not start", extra={"fields": fields})
                self.should_exit.set()
                return
            _log.error("worker died", extra={"fields": fields})
            self.processes[index] = Process(self.config, self.sockets)
            self.processes[index].start()
