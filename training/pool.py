"""Tasks side by side: each in a process of its own, on one thread, with its bar on the screen.

On few cores two networks on one thread each are trained sooner than one on two threads, twice.
"""

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from training.errors import RunError
from training.task import Member, Report, Run, is_finished
from undertone.processors import available
from undertone.saved_model import import_tensorflow

AnyTask = TypeVar("AnyTask", Run, Member)

_channel: Any = None
"""In a worker: the queue on which it tells how far it is. Set once, when the process starts."""

_failed: Any = None
"""In a worker: set for all of them once a task failed. Some tasks lie in a pipe by then, which nobody calls
back."""


def do_all(
    tasks: Sequence[AnyTask],
    work: Callable[[AnyTask, Report], None],
    jobs: int,
    console: Console,
    *,
    fresh: bool = True,
) -> None:
    """Do every task that is not finished yet, ``jobs`` at a time.

    Args:
        tasks: what to do.
        work: how; a function of a module, since it is called in other processes.
        jobs: how many processes.
        console: where the bars go.
        fresh: whether each task has a process to itself, so that nothing of one reaches the next;
            starting one takes seconds.

    Raises:
        UndertoneError: a task failed; those that had begun beside it are finished first, and no other is
            begun.
        RunError: a process died, of too little memory perhaps.
    """
    waiting = [task for task in tasks if not is_finished(task)]
    if not waiting:
        return
    # TensorFlow must not be forked after import, and each run sets its own threads: spawn.
    context = multiprocessing.get_context("spawn")
    with (
        context.Manager() as manager,
        _bars(console) as bars,
        ProcessPoolExecutor(
            min(jobs, len(waiting)),
            mp_context=context,
            initializer=partial(_begin, channel := manager.Queue(), manager.Event()),
            max_tasks_per_child=1 if fresh else None,
        ) as executor,
    ):
        futures = [executor.submit(_do, work, task) for task in waiting]
        try:
            _show(bars, channel, futures)
            for future in as_completed(futures):
                future.result()
        except BrokenProcessPool as error:
            raise RunError(
                "a process ended in the middle of its work: is there enough memory? --jobs takes fewer at "
                "a time; the same command goes on from here"
            ) from error
        finally:  # also on Ctrl-C: nothing that has not begun is begun any more
            executor.shutdown(cancel_futures=True)


def default_jobs() -> int:
    """As many runs at a time as there are cores for this process."""
    return available()


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=console,
    )


def _show(bars: Progress, channel: Any, futures: Sequence[Future[None]]) -> None:
    shown: dict[str, TaskID] = {}
    while True:
        done, waiting = wait(futures, timeout=0)
        settled = not waiting or any(future.exception() for future in done)
        while True:
            try:
                news = channel.get(timeout=0.2)
            except queue.Empty:
                break
            if news.task not in shown:
                shown[news.task] = bars.add_task(news.task, total=news.total, note="")
            bars.update(shown[news.task], completed=news.done, note=news.note)
        if settled:
            return


def _begin(channel: Any, failed: Any) -> None:
    global _channel, _failed
    _channel, _failed = channel, failed
    # On Ctrl-C at once: caught as an exception, it would end this task and begin the next.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ["OMP_NUM_THREADS"] = "1"


def _do(work: Callable[[AnyTask, Report], None], task: AnyTask) -> None:
    if _failed.is_set():
        return
    # Not when the process starts: for each that ends another is started, the last ones for nothing.
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        import_tensorflow()  # before Keras does: quietly, so that the bars stay whole
    task.folder.mkdir(parents=True, exist_ok=True)
    try:
        work(task, _channel.put)
    except BaseException:
        _failed.set()
        raise
