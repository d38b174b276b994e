"""Named pipes, and who writes into them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def filled(path: Path, data: bytes) -> Iterator[Path]:
    """A pipe at ``path`` into which ``data`` is written once somebody reads; in the block somebody must."""
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(data,), daemon=True)
    writer.start()
    yield path
    writer.join(60)
    assert not writer.is_alive(), "nobody read all of it"
