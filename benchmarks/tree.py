"""A process and all its descendants: how much memory and processor time they use."""

import psutil


def rss_mb(pid: int) -> float:
    """What all of them hold in memory, in MB; what they share counts for each."""
    return sum(each.memory_info().rss for each in _all(pid)) / 1e6


def cpu_s(pid: int) -> float:
    """The processor time that those which still run have used, in seconds."""
    return sum(sum(each.cpu_times()[:2]) for each in _all(pid))


def end(pid: int) -> None:
    """End all of them; those that do not listen are killed."""
    processes = _all(pid)
    for each in processes:
        each.terminate()
    _, alive = psutil.wait_procs(processes, timeout=15)
    for each in alive:
        each.kill()
    psutil.wait_procs(alive, timeout=15)


def _all(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
