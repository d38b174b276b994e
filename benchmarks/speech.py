"""How well `undertone.speech` tells voices from what is none: ``python -m benchmarks.speech``.

Needs the recordings (``UNDERTONE_DATA``). Half of the speakers, whole, and `FITTED` made sounds are
what the rule is fitted on (``--fit`` prints the constants for `undertone.speech`); the figures are of the
other speakers and of `MEASURED` sounds of other seeds, and of all clips, since no more than 0.5 % of
those may be refused. Writes ``benchmarks/results/speech.json``.
"""

import argparse
import json
import os
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy.ndimage
import scipy.signal
import soxr
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import nonspeech
from training.corpora import Clip, read_ravdess, read_ravdess_song, read_tess
from undertone import audio, pcm, speech, wav
from undertone.errors import AudioError
from undertone.plan import make_plan
from undertone.spec import Spec

RESULTS: Final = Path(__file__).parent / "results" / "speech.json"
SPEC: Final = Spec()
SR: Final = SPEC.sr
FITTED: Final = range(1_000, 2_800)
MEASURED: Final = range(300)
REFUSED_SHARE: Final = 0.93
"""Of the fitted sounds: the last ones would cost voices in a noisy room dearly."""
DOUBTED_SHARE: Final = 0.01
"""Of the fitting half's clips, as they are and made worse."""

Samples = NDArray[np.float32]


def noisy(samples: Samples, random: np.random.Generator, snr_db: float) -> Samples:
    """With white noise, so many dB below the mean of the clip."""
    power = np.mean(np.square(samples)) * 10 ** (-snr_db / 10)
    return (samples + random.normal(scale=np.sqrt(power), size=samples.size)).astype(np.float32)


def telephone(samples: Samples, _random: np.random.Generator) -> Samples:
    """As mu-law at 8 kHz."""
    line = pcm.from_float(soxr.resample(samples, SR, 8_000), "mulaw")
    return soxr.resample(pcm.to_float(line, "mulaw"), 8_000, SR)


def quiet(samples: Samples, _random: np.random.Generator) -> Samples:
    """Its peak at -40 dB, in 16 bits."""
    return np.rint(samples / np.abs(samples).max() * 327.68).astype(np.float32) / 32_768


def padded(samples: Samples, _random: np.random.Generator) -> Samples:
    """After a second of digital silence and before two."""
    return np.pad(samples, (SR, 2 * SR))


def whispered(samples: Samples, random: np.random.Generator) -> Samples:
    """Noise that moves as the clip does: its spectrum in wide bands, and no pitch."""
    _, _, spectrum = scipy.signal.stft(samples, SR, nperseg=512)
    envelope = scipy.ndimage.uniform_filter1d(np.abs(spectrum), 13, axis=0)
    phase = np.exp(2j * np.pi * random.random(spectrum.shape))
    return scipy.signal.istft(envelope * phase, SR, nperseg=512)[1].astype(np.float32)


def over_a_chord(samples: Samples, _random: np.random.Generator) -> Samples:
    """Over three notes with overtones, 10 dB below the mean of the clip."""
    time = np.arange(samples.size) / SR
    notes = [np.sin(2 * np.pi * f * k * time) / k for f in (220, 277, 330) for k in (1, 2, 3)]
    chord = np.sum(notes, axis=0)
    level = np.sqrt(np.mean(np.square(samples)) / np.mean(np.square(chord)) / 10)
    return (samples + level * chord).astype(np.float32)


def echoing(samples: Samples, random: np.random.Generator) -> Samples:
    """In a room whose echo, louder than the voice itself, takes 0.6 s to fall by 60 dB."""
    n = round(0.6 * SR)
    room = random.normal(size=n) * 10 ** (-3 * np.arange(n) / n)
    room[0] = np.sqrt(np.sum(np.square(room))) / 2
    return scipy.signal.fftconvolve(samples, room)[: samples.size].astype(np.float32)


def loudest(samples: Samples, _random: np.random.Generator, seconds: float) -> Samples:
    """Its loudest part, as a window cuts it out."""
    size = round(seconds * SR)
    if samples.size <= size:
        return samples
    energy = np.cumsum(np.square(samples, dtype=np.float64))
    start = int(np.argmax(energy[size:] - energy[:-size]))
    return samples[start : start + size]


WORSE: Final[dict[str, Callable[[Samples, np.random.Generator], Samples]]] = {
    "white noise, 20 dB": lambda samples, random: noisy(samples, random, 20),
    "white noise, 10 dB": lambda samples, random: noisy(samples, random, 10),
    "mu-law, 8 kHz": telephone,
    "peak at -40 dB": quiet,
    "silence around": padded,
    "whispered": whispered,
    "loudest 1 s": lambda samples, random: loudest(samples, random, 1.0),
    "loudest 0.5 s": lambda samples, random: loudest(samples, random, 0.5),
}
"""What befalls recordings; each clip suffers one of these, by lot."""

HARSH: Final[dict[str, Callable[[Samples, np.random.Generator], Samples]]] = {
    "white noise, 0 dB": lambda samples, random: noisy(samples, random, 0),
    "a chord under it, 10 dB": over_a_chord,
    "an echoing room, 0.6 s": echoing,
}
"""What nothing was fitted on; each clip of the measured speakers suffers one of these, too."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A sound and what the detector makes of it.

    Attributes:
        group: what the figures are given by.
        fitting: whether it is on the side that the rule was fitted on.
        signs: what the rule looks at.
        verdict: ``passed``, ``low_confidence``, ``no_speech``, or another refusal's code.
    """

    group: str
    fitting: bool
    signs: tuple[float, ...]
    verdict: str


def main() -> None:
    """Measure, print, write; or fit, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speech", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="print new constants instead")
    fitting = parser.parse_args().fit
    voices = list(spoken())
    sounds = list(made(FITTED if fitting else MEASURED, fitting=fitting))
    if fitting:
        Console().print(
            fit([each for each in voices if each.fitting and "whispered" not in each.group], sounds)
        )
        return
    report = {
        "command": "python -m benchmarks.speech",
        "speakers_of_the_other_half": by_group(each for each in voices if not each.fitting),
        "all_speakers": by_group(each for each in voices if "," not in each.group),
        "espeak-ng": by_group(synthesised()),
        "sounds": by_group([*sounds, *_all_together(sounds)]),
        "ms_for_3_s": round(cost_ms(), 2),
    }
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    for title, groups in report.items():
        if isinstance(groups, dict):
            show(title.replace("_", " "), groups)
    Console().print(f"{report['ms_for_3_s']} ms for 3 s")


def spoken() -> Iterable[Heard]:
    """Every clip of the corpora, as it is and made worse."""
    data = Path(os.environ["UNDERTONE_DATA"])
    clips: list[Clip] = [
        *read_ravdess(data / "ravdess"),
        *read_tess(data / "tess"),
        *read_ravdess_song(data / "ravdess-song"),
    ]
    for number, clip in enumerate(track(clips, description="voices")):
        fitting = on_the_fitting_side(clip.speaker)
        samples = audio.read(clip.path, SR).samples
        yield heard(clip.corpus, samples, fitting=fitting)
        if clip.corpus == "ravdess-song":
            continue
        random = np.random.default_rng(number)
        for fates in (WORSE,) if fitting else (WORSE, HARSH):
            name = list(fates)[random.integers(len(fates))]
            worse = fates[name](samples, random)
            yield heard(f"{clip.corpus}, {name}", worse, fitting=fitting)


def on_the_fitting_side(speaker: str) -> bool:
    """Two actors in turn, a man and a woman, are on either side; of TESS, the older speaker is."""
    corpus, name = speaker.split("/")
    return name == "OAF" if corpus == "tess" else (int(name) - 1) // 2 % 2 == 0


def made(seeds: Iterable[int], *, fitting: bool) -> Iterable[Heard]:
    """The sounds of these seeds, through the same door as an upload."""
    for seed in track(list(seeds), description="sounds"):
        sound = nonspeech.make(seed)
        samples = audio.decode(wav.encode(sound.samples, sound.sr), SR).samples
        yield heard(sound.kind, samples, fitting=fitting)


def synthesised() -> Iterable[Heard]:
    """What espeak-ng says, where it is installed: speech of nobody on whom the rule was fitted."""
    if not (espeak := shutil.which("espeak-ng")):
        return
    sentences = (
        "Kids are talking by the door.",
        "I never said that you could open it!",
        "What time is it? Half past seven, already.",
        "No.",
        "Good morning everybody, and thank you for waiting so long.",
    )
    for voice in ("en-us", "en-gb+f2", "en-us+f4", "en-us+m3", "en-us+whisper", "de", "fr", "es"):
        for pitch in (20, 50, 90):
            for words_a_minute in (120, 175, 300):
                for sentence in sentences:
                    options = ["-v", voice, "-p", str(pitch), "-s", str(words_a_minute), "--stdout"]
                    spoken = subprocess.run(
                        [espeak, *options, sentence], capture_output=True, check=True
                    )
                    name = "whispered" if "whisper" in voice else "spoken"
                    yield heard(name, audio.decode(spoken.stdout, SR).samples, fitting=False)


def heard(group: str, samples: Samples, *, fitting: bool) -> Heard:
    """What the detector makes of a sound."""
    signs = speech.signs(samples[: round(SPEC.windows.clip_s * SR)], SR)
    try:
        plan = make_plan(audio.from_array(samples, SR, SR).samples, SPEC, segments=False)
    except AudioError as error:
        return Heard(group, fitting, astuple(signs), error.code)
    codes = [notice.code for notice in plan.warnings]
    verdict = "low_confidence" if "low_confidence" in codes else "passed"
    return Heard(group, fitting, astuple(signs), verdict)


def by_group(sounds: Iterable[Heard]) -> dict[str, dict[str, int]]:
    """How many there are, and how many of them were refused or doubted, by group."""
    groups: dict[str, dict[str, int]] = defaultdict(
        lambda: {"n": 0, "no_speech": 0, "low_confidence": 0}
    )
    for each in sounds:
        groups[each.group]["n"] += 1
        if each.verdict != "passed":
            groups[each.group][each.verdict] = groups[each.group].get(each.verdict, 0) + 1
    return dict(groups)


def _all_together(sounds: Iterable[Heard]) -> list[Heard]:
    return [Heard("all", each.fitting, each.signs, each.verdict) for each in sounds]


def fit(voices: list[Heard], sounds: list[Heard]) -> str:
    """The constants of `undertone.speech`, from the fitting side.

    Logistic regression, both classes weighing alike, with a slight penalty on the weights of scaled
    signs; by Newton's method. Whispers, which the rule treats on their own, are left out.
    """
    values = np.array([each.signs for each in (*voices, *sounds)])
    truth = np.repeat([1.0, 0.0], (len(voices), len(sounds)))
    mass = np.where(truth == 1, 0.5 / len(voices), 0.5 / len(sounds))
    mean, scale = values.mean(axis=0), values.std(axis=0)
    design = np.column_stack([(values - mean) / scale, np.ones(len(values))])
    penalty = np.diag([1e-4] * len(mean) + [0.0])
    weights = np.zeros(design.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (mass * (chance - truth)) + penalty @ weights
        curve = design.T * (mass * chance * (1 - chance)) @ design + penalty
        weights -= np.linalg.solve(curve, slope)
    plain = weights[:-1] / scale
    bias = weights[-1] - plain @ mean
    evidence = values @ plain + bias
    long_enough = np.array([not each.group.endswith("0.5 s") for each in voices])
    doubted = np.quantile(evidence[: len(voices)][long_enough], DOUBTED_SHARE)
    refused = np.quantile(evidence[len(voices) :], REFUSED_SHARE)
    names = [each.name for each in fields(speech.Signs)]
    return "\n".join(
        [
            *(f"{name}={value:.3f}," for name, value in zip(names, plain, strict=True)),
            f"BIAS: Final = {bias:.3f}",
            f"REFUSED_BELOW: Final = {refused:.1f}",
            f"DOUBTED_BELOW: Final = {doubted:.1f}",
        ]
    )


def cost_ms() -> float:
    """Milliseconds that 3 s of speech take, where nothing comes between: the least of many."""
    hello = Path(__file__).resolve().parent.parent / "examples" / "hello.wav"
    samples = audio.read(hello, SR).samples[: 3 * SR]
    seconds = []
    for _ in range(200):
        started = time.perf_counter()
        speech.judge(samples, SR)
        seconds.append(time.perf_counter() - started)
    return 1e3 * min(seconds)


def show(title: str, groups: dict[str, dict[str, int]]) -> None:
    """Print a table of counts."""
    table = Table(title, "n", "no_speech", "low_confidence", "of all")
    for name, counts in groups.items():
        n, refused, doubted = counts["n"], counts["no_speech"], counts["low_confidence"]
        share = f"{(refused + doubted) / n:.1%}"
        table.add_row(name, str(n), str(refused), str(doubted), share)
    Console().print(table)


if __name__ == "__main__":
    main()
