"""A finished run in the formats in which people hand networks on."""

import shutil
from pathlib import Path

import keras

from training.crossval import BUNDLE
from training.errors import RunError
from training.member import MODEL
from training.task import Format
from undertone.bundle import SAVED_MODEL


def hand_on(run: Path, form: Format, target: Path) -> tuple[Path, ...]:
    """Write the network of a run to the folder ``target``.

    ``savedmodel`` holds the temperature and gives probabilities; the other two are the network as Keras
    knows it, and give logits.

    Returns:
        What was written.

    Raises:
        RunError: ``run`` holds no finished run.
    """
    model = run / MODEL
    if not model.is_file() or not (run / BUNDLE).is_dir():
        raise RunError(
            f"{run}: no finished run there; give the folder of one, as fold-1-seed-0, not of its members"
        )
    target.mkdir(parents=True, exist_ok=True)
    match form:
        case "savedmodel":
            folder = target / SAVED_MODEL
            shutil.copytree(run / BUNDLE / SAVED_MODEL, folder, dirs_exist_ok=True)
            return (folder,)
        case "keras":
            return (Path(shutil.copy(model, target / MODEL)),)
        case "json-h5":
            network = keras.saving.load_model(model)
            architecture, weights = target / "model.json", target / "model.weights.h5"
            architecture.write_text(network.to_json(indent=2) + "\n")
            network.save_weights(weights)
            return architecture, weights
