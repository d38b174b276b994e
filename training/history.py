"""How a network learnt, epoch by epoch."""

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training set came to."""

    number: int
    """Counts from 1."""
    loss: float
    """Of the augmented clips, smoothed labels and dropout included."""
    accuracy: float
    """Of the same; with mixup, of the larger share of each mixture."""
    validation_loss: float | None
    """Cross-entropy in nats; None where nothing validates, as below."""
    validation_accuracy: float | None
    validation_uar: float | None


History = Sequence[Epoch]


def write(path: Path, histories: Sequence[History]) -> None:
    """Write the epochs of one or several networks as a CSV."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["network", "epoch", *(field.name for field in fields(Epoch)[1:])])
        for network, history in enumerate(histories):
            writer.writerows([network, *astuple(epoch)] for epoch in history)


def read(path: Path) -> tuple[History, ...]:
    """What `write` wrote."""
    networks: dict[str, list[Epoch]] = {}
    with path.open(newline="") as file:
        _, *rows = csv.reader(file)
    for network, number, *values in rows:
        figures: list[Any] = [float(value) if value else None for value in values]
        networks.setdefault(network, []).append(Epoch(int(number), *figures))
    return tuple(tuple(history) for history in networks.values())
