"""`undertone-train`, run as a person runs it, with settings that take no time."""

import subprocess
import sys

TINY = [
    "network.channels=[2, 4, 4]",
    "network.lstm=4",
    "augmentation.variants=1",
    "schedule.epochs=2",
    "schedule.warmup_epochs=0",
    "members=1",
]


def undertone_train(*arguments, check=True):
    command = [sys.executable, "-c", "from training.cli import app; app()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def settings():
    return [word for override in TINY for word in ("--set", override)]
