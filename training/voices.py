"""Another voice: the pitch moved, the vocal tract left as it is.

What `training.augment.faster` does moves both, as if the speaker were smaller; people of one size differ in
pitch, too.
"""

from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from undertone.preprocess import Samples

_N_FFT: Final = 1024
_HOP: Final = 256

_TRACT_S: Final = 0.0025
"""What of the cepstrum is the vocal tract: below the period of a voice of 400 Hz."""

_MOST: Final = 3.0
"""By how much a band may be raised or lowered, in nepers: where there is next to nothing, nothing is made."""


def prepare() -> None:
    """Have compiled what `at_pitch` needs compiled, before processes that would all compile it at once.

    They can write what does not fit together to numba's cache, and whoever reads that crashes
    (https://github.com/numba/numba/issues/10128).
    """
    at_pitch(np.zeros(2 * _N_FFT, np.float32), sr=16_000, semitones=1.0)


def at_pitch(samples: Samples, sr: int, semitones: float) -> Samples:
    """``samples``, as long as they were, with every pitch ``semitones`` higher and the formants in place.

    The phase vocoder of librosa moves the whole spectrum; its envelope, from the low end of the cepstrum,
    is then put back (Röbel and Rodet 2005, "Efficient spectral envelope estimation").
    """
    # Slow to import, and of use to recipes alone that ask for it: not at every start of a process.
    import librosa
    from librosa.effects import pitch_shift

    moved = pitch_shift(samples, sr=sr, n_steps=semitones, n_fft=_N_FFT, hop_length=_HOP)
    before, after = (librosa.stft(each, n_fft=_N_FFT, hop_length=_HOP) for each in (samples, moved))
    n_tract = round(_TRACT_S * sr)
    correction = _envelope(before, n_tract) - _envelope(after, n_tract)
    restored: Samples = librosa.istft(
        after * np.exp(np.clip(correction, -_MOST, _MOST)), hop_length=_HOP, length=samples.size
    )
    return restored


def _envelope(spectrum: NDArray[np.complex64], n_tract: int) -> NDArray[np.float32]:
    """The logarithm of the envelope of each frame, ``float32[bins, frames]``."""
    cepstrum = scipy.fft.irfft(np.log(np.maximum(np.abs(spectrum), 1e-6)), axis=0)
    cepstrum[n_tract : len(cepstrum) - n_tract] = 0
    envelope: NDArray[np.float32] = scipy.fft.rfft(cepstrum, axis=0).real
    return envelope
