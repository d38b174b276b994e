"""Measurements, side by side, in one run: `make bench`."""

from pathlib import Path
from typing import Final

MODEL: Final = Path(__file__).resolve().parent.parent / "models" / "undertone-ravdess-2"
"""The model that is measured: the one that answers where none is named (a test holds it to that)."""
