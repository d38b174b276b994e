"""Temperature scaling: one number that makes confidence mean what it says.

Guo et al. 2017, https://arxiv.org/abs/1706.04599. It never changes which emotion is likeliest.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

BOUNDS: Final = (0.05, 20.0)

HEARD: Final = "; not below 1, because training heard the same speakers"
"""What a calibration says of clips on which nobody new speaks."""


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """``float[n, emotions]`` logits to probabilities."""
    scaled = logits.astype(np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = exponents / exponents.sum(axis=1, keepdims=True)
    return probabilities


def uncalibrated(
    probabilities: NDArray[np.floating], temperature: float | NDArray[np.floating]
) -> NDArray[np.float64]:
    """The probabilities at temperature 1 of a model whose calibrated ones are these.

    Softmax forgets a common offset of the logits and nothing else, so ``temperature * log p`` are
    logits again.
    """
    tiny = np.finfo(np.float64).tiny
    scale = np.reshape(np.asarray(temperature, dtype=np.float64), (-1, 1))
    return softmax(np.log(np.maximum(probabilities, tiny)) * scale)


def fit_temperature(
    logits: NDArray[np.floating], truth: NDArray[np.integer], *, heard: bool = False
) -> float:
    """The temperature within `BOUNDS` at which ``truth`` is likeliest given ``logits[n, emotions]``.

    Where training ``heard`` the speakers of these clips, it is at least 1: a network that makes no mistake
    on voices that it knows would have its confidence raised without end, on everybody else's too.
    """
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits, float(np.exp(log_temperature)))
        right = np.maximum(probabilities[rows, truth], np.finfo(np.float64).tiny)
        return float(-np.mean(np.log(right)))

    low, high = np.log((1.0 if heard else BOUNDS[0], BOUNDS[1]))
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x))
