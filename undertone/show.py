"""One recording on one sheet: waveform, log-mel, MFCC, loudness, and what a model hears over time.

Needs matplotlib, which `undertone[training]` brings along.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from undertone import features, mel
from undertone.audio import Audio
from undertone.prediction import Prediction, Segment
from undertone.spec import LogMel, Mfcc, Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final[Mapping[str, str]] = {
    "neutral": "#8a8f9e",
    "calm": "#3aa5c4",
    "happy": "#e0a526",
    "sad": "#4456c2",
    "angry": "#c2472f",
    "fearful": "#7b3fa0",
    "disgust": "#5b7d2a",
    "surprised": "#c25c8a",
}
"""Each emotion's, on white; others are drawn in grey."""

INK: Final = "#1f2933"
_SOFT: Final = "#64748b"
PALE: Final = "#cbd5e1"
_WAVE: Final = "#33506b"
LOOK: Final[Mapping[str, Any]] = {
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
"""What every picture of ours has in common, as matplotlib's settings."""

_LOOK: Final[dict[str, Any]] = {
    **LOOK,
    "font.size": 9.5,
    "axes.labelcolor": _SOFT,
    "axes.titlesize": 10,
    "axes.titlepad": 5,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "xtick.direction": "out",
}
_MFCC: Final = 20
_FLOOR_DB: Final = -80.0


def sheet(prediction: Prediction, spec: Spec, title: str) -> "Figure":
    """The sheet for a recording.

    Args:
        prediction: what a model heard in it, with its sound and its segments.
        spec: the model's; the transform that the pictures are made with is its own.
        title: such as the name of the file.

    Returns:
        A figure of 11 by 11.5 inches; ``savefig`` writes it.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    audio = prediction.audio
    shared = features.spectrum(audio.samples, spec.sr, spec.stft)
    with mpl.rc_context(_LOOK):
        figure = Figure(figsize=(11, 11.5), dpi=130)
        rows = figure.subplots(
            5,
            1,
            sharex=True,
            height_ratios=(1.1, 1.9, 1.5, 0.9, 1.9),
            gridspec_kw={
                "hspace": 0.32,
                "left": 0.075,
                "right": 0.865,
                "top": 0.905,
                "bottom": 0.05,
            },
        )
        _headline(figure, prediction, title)
        _waveform(rows[0], audio)
        _log_mel(rows[1], shared, spec)
        _mfcc(rows[2], shared, spec)
        _loudness(rows[3], shared, spec)
        _emotions(rows[4], prediction)
        rows[4].set_xlim(0, audio.duration_s)
        rows[4].set_xlabel("seconds")
    return figure


def _headline(figure: "Figure", prediction: Prediction, title: str) -> None:
    audio = prediction.audio
    label, score = prediction.sentiment
    plural = "" if audio.channels == 1 else "s"
    facts = (
        f"{audio.duration_s:.2f} s",
        f"{audio.sample_rate} Hz",
        f"{audio.channels} channel{plural}",
        audio.encoding,
        " ".join(prediction.model),
    )
    # A name may hold what stands for mathematics elsewhere.
    figure.text(0.075, 0.962, title, size=16, weight="bold", parse_math=False)
    figure.text(0.075, 0.94, "  ·  ".join(facts), size=9.5, color=_SOFT)
    figure.text(
        0.865,
        0.962,
        f"{prediction.label} {prediction.score:.0%}",
        size=16,
        weight="bold",
        ha="right",
        color=COLOURS.get(prediction.label, _SOFT),
    )
    figure.text(0.865, 0.94, f"{label} {score:.0%}", size=9.5, ha="right", color=_SOFT)


def _waveform(axes: "Axes", audio: Audio) -> None:
    """The envelope: lowest and highest sample of each of some two thousand stretches."""
    step = max(1, audio.samples.size // 2000)
    edges = np.arange(0, audio.samples.size, step)
    low = np.minimum.reduceat(audio.samples, edges)
    high = np.maximum.reduceat(audio.samples, edges)
    axes.fill_between(edges / audio.sr, low, high, color=_WAVE, linewidth=0.6)
    peak = max(float(np.abs(audio.samples).max()), 1e-3) * 1.08
    axes.set_ylim(-peak, peak)
    axes.set_title("Waveform")
    axes.set_ylabel("of full scale")


def _log_mel(axes: "Axes", shared: features.Spectrum, spec: Spec) -> None:
    decibels = features.log_mel(shared, LogMel(n_mels=80, top_db=-_FLOOR_DB))
    image = _image(axes, decibels - decibels.max(), spec, "magma", _FLOOR_DB, 0)
    bands = mel.of_hertz(np.array([0, 250, 500, 1000, 2000, 4000, 8000]))
    ceiling = mel.of_hertz(np.array([spec.sr / 2]))[0]
    shown = bands <= ceiling * 1.001
    axes.set_yticks(
        bands[shown] / ceiling * decibels.shape[1],
        [f"{hertz:g}" for hertz in np.array([0, 250, 500, 1000, 2000, 4000, 8000])[shown]],
    )
    axes.set_title("Log-mel spectrogram, 80 bands")
    axes.set_ylabel("Hz")
    _scale(axes, image, "dB below the peak")


def _mfcc(axes: "Axes", shared: features.Spectrum, spec: Spec) -> None:
    """Each coefficient in its own standard deviations, or the first ones would hide all others."""
    coefficients = features.mfcc(shared, Mfcc(n_mfcc=_MFCC + 1))[:, 1:]
    spread = np.maximum(coefficients.std(axis=0), 1e-6)
    image = _image(axes, (coefficients - coefficients.mean(axis=0)) / spread, spec, "RdBu_r", -3, 3)
    axes.set_yticks([0.5, 4.5, 9.5, 14.5, 19.5], ["1", "5", "10", "15", "20"])
    axes.set_title(f"MFCC 1 to {_MFCC}")
    axes.set_ylabel("coefficient")
    _scale(axes, image, "deviations from its mean")


def _loudness(axes: "Axes", shared: features.Spectrum, spec: Spec) -> None:
    decibels = 20 * np.log10(np.maximum(features.rms(shared)[:, 0], 10 ** (_FLOOR_DB / 20)))
    time = np.arange(decibels.size) * spec.stft.hop_length / spec.sr
    axes.fill_between(time, _FLOOR_DB, decibels, color=_WAVE, alpha=0.18, linewidth=0)
    axes.plot(time, decibels, color=_WAVE, linewidth=1.1)
    axes.set_ylim(_FLOOR_DB, max(0.0, float(decibels.max())))
    axes.set_yticks([-80, -60, -40, -20, 0])
    axes.set_title("Loudness (RMS)")
    axes.set_ylabel("dB of full scale")


def _emotions(axes: "Axes", prediction: Prediction) -> None:
    """Probabilities, stacked; each step lasts from the end of one window to the end of the next."""
    axes.set_title("What is heard: each step says what the window that ends there sounds like")
    axes.set_ylabel("probability")
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    known = list(COLOURS)
    labels = sorted(
        (each.label for each in prediction.probabilities),
        key=lambda label: (known.index(label) if label in known else len(known), label),
    )
    begin = 0.0
    for segment in prediction.segments or ():
        _step(axes, begin, segment, labels)
        begin = segment.end
    axes.text(1.155, 1.03, "the whole", size=8, color=_SOFT, ha="right", transform=axes.transAxes)
    for row, emotion in enumerate(prediction.probabilities):
        place: dict[str, Any] = {"transform": axes.transAxes, "va": "center", "size": 9.5}
        height = 0.94 - 0.125 * row
        axes.text(1.02, height, "■", color=COLOURS.get(emotion.label, PALE), **place)
        axes.text(1.043, height, emotion.label, **place)
        axes.text(1.155, height, f"{emotion.score:.0%}", ha="right", color=_SOFT, **place)


def _step(axes: "Axes", begin: float, segment: Segment, labels: Sequence[str]) -> None:
    width = segment.end - begin
    if not segment.probabilities:
        axes.bar(
            begin, 1, width, align="edge", color="white", edgecolor=PALE, hatch="///", linewidth=0
        )
        if segment.reason:
            middle = begin + width / 2
            axes.text(middle, 0.5, segment.reason, ha="center", va="center", size=8, color=_SOFT)
        return
    scores, bottom = {each.label: each.score for each in segment.probabilities}, 0.0
    for label in labels:
        height = scores.get(label, 0.0)
        colour = COLOURS.get(label, PALE)
        axes.bar(begin, height, width, bottom, align="edge", color=colour, linewidth=0)
        bottom += height


def _image(
    axes: "Axes", matrix: NDArray[np.float32], spec: Spec, colours: str, low: float, high: float
) -> Any:
    frames, height = matrix.shape
    seconds = frames * spec.stft.hop_length / spec.sr
    return axes.imshow(
        matrix.T,
        origin="lower",
        aspect="auto",
        extent=(0, seconds, 0, height),
        cmap=colours,
        vmin=low,
        vmax=high,
        interpolation="antialiased",
    )


def _scale(axes: "Axes", image: Any, label: str) -> None:
    inset = axes.inset_axes((1.02, 0.0, 0.014, 1.0))
    bar = axes.figure.colorbar(image, cax=inset)
    bar.outline.set_visible(False)
    bar.set_label(label, color=_SOFT)
