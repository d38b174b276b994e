"""`undertone-train`, run as a person runs it, with settings that take no time."""

import os
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


def uncounted():
    """An environment in which no lines are counted: training takes half as long again where they are, so
    commands that run what others have run before go without."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def undertone_train(*arguments, check=True, counted=True):
    command = [sys.executable, "-c", "from training.cli import app; app()", *map(str, arguments)]
    environment = None if counted else uncounted()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert not check or done.returncode == 0, done.stderr
    return done


def settings():
    return [word for override in TINY for word in ("--set", override)]
