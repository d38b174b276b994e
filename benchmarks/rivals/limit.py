"""The limit: decode, features, inference and nothing else, in as many plain processes as processors.

Requests come over a port from whoever makes the load, so that this takes its share: what they hold is
found at a fixed place, nothing of HTTP is understood.

``python -m benchmarks.rivals.limit PORT PROCESSES``
"""

import json
import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import selectors
import socket
import sys
from collections.abc import Iterator
from itertools import cycle

import numpy as np

import undertone
from benchmarks.rivals.answer import MODEL, answer, features_of
from undertone.classifier import Classifier

BATCH = 32
HEAD = b"\r\n\r\n"


def main() -> None:
    """One process for each processor, and one more, which deals out connections."""
    port, processes = map(int, sys.argv[1:])
    # Forked before TensorFlow is imported, which must not be forked afterwards.
    lines = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(processes)]
    for _, line in lines:
        if os.fork() == 0:
            serve(undertone.load(MODEL, threads=1), line)
    deal([ours for ours, _ in lines], port)


def deal(lines: list[socket.socket], port: int) -> None:
    """Give each process every so manieth connection, so that none has more to do than another."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    for line in cycle(lines):
        connection, _ = listener.accept()
        socket.send_fds(line, [b"-"], [connection.fileno()])
        connection.close()


def hear(classifier: Classifier, clips: list[bytes]) -> list[bytes]:
    """The answers to some clips."""
    features = np.concatenate([features_of(clip, classifier) for clip in clips])
    emotions = classifier.manifest.emotions
    return [json.dumps(answer(row, emotions)).encode() for row in classifier.engine.infer(features)]


def serve(classifier: Classifier, line: socket.socket) -> None:
    """Take what came, as much as fits into a batch, and answer it; for ever."""
    selector = selectors.DefaultSelector()
    selector.register(line, selectors.EVENT_READ)
    buffers: dict[socket.socket, bytearray] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj is line:
                _, (descriptor,), _, _ = socket.recv_fds(line, 1, 1)
                connection = socket.socket(fileno=descriptor)
                selector.register(connection, selectors.EVENT_READ)
                buffers[connection] = bytearray()
            else:
                receive(key.fileobj, selector, buffers)
        for connections, clips in batches(buffers):
            for connection, reply in zip(connections, hear(classifier, clips), strict=True):
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(reply)
                connection.sendall(head + reply)


def receive(connection: socket.socket, selector: selectors.BaseSelector, buffers: dict) -> None:
    """What has come, or the end."""
    part = connection.recv(2**20)
    buffers[connection] += part
    if not part:
        selector.unregister(connection)
        del buffers[connection]
        connection.close()


def batches(buffers: dict[socket.socket, bytearray]) -> Iterator[tuple[list, list[bytes]]]:
    """The connections whose request is complete, and the clips, as many as are heard together."""
    ready = [(connection, clip) for connection, buffer in buffers.items() if (clip := cut(buffer))]
    for start in range(0, len(ready), BATCH):
        connections, clips = zip(*ready[start : start + BATCH], strict=True)
        yield list(connections), list(clips)


def cut(buffer: bytearray) -> bytes | None:
    """The file in a complete request, which is taken away."""
    head = buffer.find(HEAD)
    if head < 0:
        return None
    length = int(bytes(buffer[:head]).partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    end = head + len(HEAD) + length
    if len(buffer) < end:
        return None
    boundary = bytes(buffer[:head]).partition(b"boundary=")[2].partition(b"\r\n")[0]
    start = buffer.find(HEAD, head + len(HEAD)) + len(HEAD)
    clip = bytes(buffer[start : end - len(boundary) - 8])
    del buffer[:end]
    return clip


if __name__ == "__main__":
    main()
