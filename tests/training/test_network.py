"""Every kind of network: its shape, its scale, and which epoch of it is kept."""

import keras
import numpy as np
import pytest

from training import recipe
from training.dataset import Dataset
from training.fit import fit, logits
from training.network import build

SMALL = {
    "ravdess-lstm": ["network.lstm=[4, 3]"],
    "ravdess-cnn-lstm": ["network.convolutions=[4, 5]", "network.lstm=[3]"],
    "tess-lstm256": ["network.lstm=[4]"],
    "tess-lstm256-dense": ["network.lstm=[4]", "network.dense=[3, 3]"],
    "tess-lstm-2x64": ["network.lstm=[3, 3]"],
    "ravdess-tess-lstm-2x64": ["network.lstm=[3, 3]"],
    "ravdess-conv-blstm": ["network.channels=[2, 4, 4]", "network.lstm=4"],
    "ravdess-wide-blstm": ["network.channels=[2, 4, 4]", "network.lstm=4"],
    "ravdess-known-2-blstm": ["network.channels=[2, 4, 4]", "network.lstm=4"],
    "ravdess-known-3-blstm": ["network.channels=[2, 4, 4]", "network.lstm=4"],
    "ravdess-known-blstm": ["network.channels=[2, 4, 4]", "network.lstm=4"],
    "tess-conv-blstm": ["network.channels=[2, 4, 4]", "network.lstm=4"],
}


def corpus(chosen, n=24):
    """Clips that are told apart by how loud they are."""
    generator = np.random.default_rng(0)
    truth = np.arange(n) % len(chosen.emotions)
    shape = (n, 1, chosen.spec.frames, chosen.spec.width)
    features = generator.normal(size=shape) + 3 * truth[:, None, None, None]
    return Dataset((), features.astype(np.float32), truth)


@pytest.mark.parametrize("name", recipe.names())
def test_a_network_takes_what_its_spec_gives_and_knows_its_emotions(name):
    chosen = recipe.load(name, SMALL[name])
    features = corpus(chosen).plain
    network = build(chosen.network, features, len(chosen.emotions))
    assert network(features[:5]).shape == (5, len(chosen.emotions))
    scaled = keras.ops.convert_to_numpy(network.layers[1](features))
    over = 0 if chosen.spec.width == 1 else (0, 1)
    np.testing.assert_allclose(scaled.mean(axis=over), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis=over), 1, atol=1e-2)


def test_each_row_of_a_summary_is_on_its_own_scale():
    chosen = recipe.load("tess-lstm256-dense", SMALL["tess-lstm256-dense"])
    assert (chosen.spec.frames, chosen.spec.width) == (40, 1)


@pytest.mark.slow
@pytest.mark.parametrize("monitor", ["uar", "accuracy", "loss"])
def test_the_epoch_that_is_kept_is_the_best_by_what_is_monitored(monitor):
    chosen = recipe.load(
        "ravdess-lstm",
        [
            *SMALL["ravdess-lstm"],
            "spec.duration_s=0.2",
            "augmentation.variants=0",
            "augmentation.time_mask=2",
            "schedule.epochs=6",
            "schedule.batch_size=8",
            f'schedule.monitor="{monitor}"',
        ],
    )
    data = corpus(chosen)
    fitted = fit(chosen, data, data, seed=1)
    best = {
        "uar": max(fitted.history, key=lambda e: (e.validation_uar, -e.validation_loss)),
        "accuracy": max(fitted.history, key=lambda e: (e.validation_accuracy, -e.validation_loss)),
        "loss": min(fitted.history, key=lambda e: e.validation_loss),
    }
    assert fitted.kept == best[monitor]
    scores = logits(fitted.model, data.plain)
    assert np.mean(scores.argmax(axis=1) == data.truth) == fitted.kept.validation_accuracy


@pytest.mark.slow
def test_the_last_weights_are_kept_where_nothing_shall_choose():
    chosen = recipe.load(
        "ravdess-conv-blstm",
        [
            *SMALL["ravdess-conv-blstm"],
            "spec.duration_s=0.3",
            "augmentation.variants=0",
            "augmentation.time_mask=2",
            "schedule.epochs=5",
            "schedule.batch_size=8",
            "schedule.patience=1",
            "schedule.keep='last'",
            "schedule.ema=0.9",
            "network.pool=['std', 'mean']",
        ],
    )
    data = corpus(chosen)
    fitted = fit(chosen, data, data, seed=1)
    assert [epoch.number for epoch in fitted.history] == [1, 2, 3, 4, 5]
    assert fitted.kept == fitted.history[-1]
    # What is kept is what was validated: the average, not the weights of the last step.
    scores = logits(fitted.model, data.plain)
    assert np.mean(scores.argmax(axis=1) == data.truth) == fitted.kept.validation_accuracy
    other = fit(
        chosen.model_copy(update={"schedule": chosen.schedule.model_copy(update={"ema": 0})}),
        data,
        data,
        seed=1,
    )
    assert not np.allclose(logits(other.model, data.plain), scores)


def test_views_of_a_spectrogram_know_nothing_of_its_level_but_the_plain_one():
    features = np.random.default_rng(0).normal(size=(2, 40, 16)).astype(np.float32)
    for views, moved in [(["plain"], True), (["centred"], False), (["slope"], False)]:
        chosen = recipe.load(
            "ravdess-conv-blstm", [*SMALL["ravdess-conv-blstm"], f"network.views={views}"]
        )
        keras.utils.set_random_seed(0)
        network = build(chosen.network, features, 8)
        before, louder = logits(network, features), logits(network, features + 3)
        assert np.allclose(before, louder, atol=1e-4) != moved


def test_convolutions_and_layers_are_as_many_as_the_recipe_says():
    chosen = recipe.load(
        "ravdess-conv-blstm",
        [
            "network.channels=[2, 4, 4, 6]",
            "network.pools=[[1, 1], [2, 2], [1, 2], [1, 2]]",
            "network.lstm=4",
            "network.lstm_layers=2",
        ],
    )
    network = build(chosen.network, np.zeros((2, 40, 16), np.float32), 8)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.count("Conv2D") == 4
    assert kinds.count("Bidirectional") == 2
    with pytest.raises(recipe.RecipeError, match="3 channels need as many pools, not 2"):
        recipe.load("ravdess-conv-blstm", ["network.pools=[[1, 1], [2, 2]]"])


def test_what_is_no_spectrogram_joins_after_the_convolutions():
    for frames in (40, 41, 42, 43):
        chosen = recipe.load(
            "ravdess-conv-blstm", [*SMALL["ravdess-conv-blstm"], "network.beside=3"]
        )
        features = np.random.default_rng(0).normal(size=(2, frames, 19)).astype(np.float32)
        network = build(chosen.network, features, 8)
        assert [layer for layer in network.layers if type(layer).__name__ == "Conv1D"]
        other = features.copy()
        other[:, 10:20, 16:] += 1
        assert not np.allclose(logits(network, features), logits(network, other))


@pytest.mark.parametrize("quick", [False, True])
def test_quick_is_the_same_network_in_another_order(quick):
    name = "ravdess-conv-blstm"
    chosen = recipe.load(name, [*SMALL[name], f"network.quick={str(quick).lower()}"])
    network = build(chosen.network, np.zeros((2, 40, 16), np.float32), 8)
    kinds = [type(layer).__name__ for layer in network.layers]
    second = kinds.index("Conv2D", kinds.index("Conv2D") + 1)
    assert kinds[second + 1] == ("MaxPooling2D" if quick else "BatchNormalization")
    assert ("SpatialDropout2D" in kinds) == quick
    plain = build(recipe.load(name, SMALL[name]).network, np.zeros((2, 40, 16), np.float32), 8)
    assert network.count_params() == plain.count_params()
