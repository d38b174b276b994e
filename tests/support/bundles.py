"""A bundle as `undertone-train` exports them, of a network that was never trained and is tiny."""

from pathlib import Path

import numpy as np

from training import recipe as recipes
from training.recipe import Recipe
from undertone.bundle import Bundle, Calibration

TEMPERATURE = 0.5


def tiny_recipe() -> Recipe:
    """The shipped recipe, with a network that takes no time."""
    return recipes.load("ravdess-conv-blstm", ["network.channels=[2, 4, 4]", "network.lstm=4"])


def tiny_network(recipe: Recipe):
    """Untrained; always the same."""
    import keras

    from training.network import build

    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    features = generator.normal(-40, 20, size=(4, recipe.spec.frames, recipe.spec.width))
    return build(recipe.network, features.astype(np.float32), len(recipe.emotions))


def build_bundle(path: Path, name: str = "undertone-ravdess-2") -> Bundle:
    """Write a sealed bundle to ``path``; its answers mean nothing, and are always the same."""
    from training.export import write_bundle

    recipe = tiny_recipe().model_copy(update={"version": "0.0.1"})
    return write_bundle(
        path,
        tiny_network(recipe),
        recipe,
        name=name,
        description="Untrained, for tests.",
        calibration=Calibration(
            temperature=TEMPERATURE, ece_before=0.5, ece_after=0.5, fitted_on="nothing"
        ),
        revision="0" * 12,
    )
