"""What else a network is asked while it learns, and never again: it shall hear, or forget, more than emotion.

Caruana 1997 (multitask learning); Ganin et al. 2016, https://arxiv.org/abs/1505.07818 (adversarial training:
the gradient of a task is reversed, so that what comes before it does badly at it).
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from training.clip import Clip
from training.dataset import Dataset
from training.errors import CorpusError
from training.recipe import SideTask

Classes = tuple[str, ...]


def classes_of(task: SideTask, datasets: Sequence[Dataset]) -> Classes:
    """All answers that occur among the clips of training.

    Raises:
        CorpusError: there are no two, so there is nothing to tell apart.
    """
    clips = (clip for dataset in datasets for clip in dataset.clips)
    found = sorted({answer for clip in clips if (answer := _answer(task, clip)) is not None})
    if len(found) < 2:
        raise CorpusError(
            f"the clips differ in no {task.what} that their corpus names: leave that side task out"
        )
    return tuple(found)


def targets(
    tasks: Sequence[SideTask], classes: Sequence[Classes], clips: Sequence[Clip]
) -> list[NDArray[np.float32]]:
    """For each task ``float32[n, classes]``: one-hot; nothing where the corpus does not say."""
    found = []
    for task, names in zip(tasks, classes, strict=True):
        matrix = np.zeros((len(clips), len(names)), np.float32)
        for row, clip in enumerate(clips):
            answer = _answer(task, clip)
            if answer is not None:
                matrix[row, names.index(answer)] = 1
        found.append(matrix)
    return found


def with_heads(
    model: keras.Model, tasks: Sequence[SideTask], classes: Sequence[Classes]
) -> keras.Model:
    """The network with an output for each task beside its own, all from what its last layer hears.

    It shares every weight with ``model``, which stays what it was.
    """
    if not tasks:
        return model
    heard = model.layers[-1].input
    heads = []
    for task, names in zip(tasks, classes, strict=True):
        hidden = _reversed(heard) if task.adversarial else heard
        hidden = layers.Dense(64, activation="relu")(hidden)
        heads.append(layers.Dense(len(names), name=f"side_{task.what}")(hidden))
    return keras.Model(model.input, [model.output, *heads])


def loss(answers: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Cross-entropy of each clip, and for one without an answer nothing: no loss, and no gradient either.

    That of Keras takes each row of targets to have the sum 1: of a row of zeros its loss is 0, but on
    TensorFlow its gradient is that of forgetting whatever the network says.
    """
    return -ops.sum(answers * ops.log_softmax(logits), axis=-1)


def _reversed(hidden: keras.KerasTensor) -> keras.KerasTensor:
    """The same forwards; backwards, the gradient with its sign changed."""
    return ops.stop_gradient(2 * hidden) - hidden


def _answer(task: SideTask, clip: Clip) -> str | None:
    match task.what:
        case "speaker":
            return clip.speaker
        case "intensity":
            return clip.intensity
        case "statement":
            # TESS has two hundred words, of which nothing is to be learnt.
            return clip.statement if clip.corpus.startswith("ravdess") else None
