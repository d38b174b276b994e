"""Arrays that are made once and shared between calls and threads."""

import numpy as np
from numpy.typing import NDArray


def constant(array: NDArray[np.floating]) -> NDArray[np.float32]:
    """A float32 copy that nobody can change."""
    copy = np.array(array, dtype=np.float32, order="C")
    copy.setflags(write=False)
    return copy
