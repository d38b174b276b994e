"""The networks, in Keras 3 layers and `keras.ops` alone: any backend trains them.

A network takes features as they are and gives logits: its first layer holds the mean and the spread
of the training set, so that nothing outside the graph has to know them.
"""

from collections.abc import Sequence
from typing import Any, assert_never

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from training.recipe import ConvBlstm, Network, Recurrent, Statistic, View


def build(network: Network, features: NDArray[np.float32], n_emotions: int) -> keras.Model:
    """An untrained network, its input normalised by the training set ``float32[n, frames, width]``."""
    frames, width = features.shape[1:]
    inputs = keras.Input((frames, width), name="features")
    hidden = _normalisation(features)(inputs)
    match network:
        case ConvBlstm():
            logits = _conv_blstm(network, hidden, n_emotions)
        case Recurrent():
            logits = _recurrent(network, hidden, n_emotions)
        case _:
            assert_never(network)
    return keras.Model(inputs, logits, name=network.kind)


def average(members: Sequence[keras.Model]) -> keras.Model:
    """One network whose logits are the mean of the members' (Lakshminarayanan et al. 2017)."""
    if len(members) == 1:
        return members[0]
    for number, member in enumerate(members):
        member.name = f"member_{number}"  # names are unique in a network
    inputs = keras.Input(members[0].input_shape[1:], name="features")
    logits = layers.Average(name="logits")([member(inputs) for member in members])
    return keras.Model(inputs, logits, name=f"mean_of_{len(members)}")


def _normalisation(features: NDArray[np.float32]) -> keras.layers.Layer:
    """Each column to mean 0 and variance 1 over the training set; each row, where there is one column.

    A single column is a summary over time: its rows are features, each on a scale of its own.
    """
    over, axis = (0, (1, 2)) if features.shape[-1] == 1 else ((0, 1), -1)
    return layers.Normalization(
        axis=axis,
        mean=features.mean(axis=over, dtype=np.float64).astype(np.float32),
        variance=features.var(axis=over, dtype=np.float64).astype(np.float32),
    )


def _conv_blstm(network: ConvBlstm, hidden: Any, n_emotions: int) -> Any:
    beside = hidden[:, :, -network.beside :] if network.beside else None
    hidden = _views(hidden[:, :, : -network.beside] if network.beside else hidden, network.views)
    for number, (channels, pool) in enumerate(zip(network.channels, network.pools, strict=True)):
        # A stride in the first convolution halves the work of everything after it, and cost no recall.
        size, strides = (3, 1) if number else (5, 2)
        hidden = _convolution(network, hidden, channels, size, strides=strides, pool=pool)
    hidden = layers.Reshape((hidden.shape[1], hidden.shape[2] * hidden.shape[3]))(hidden)
    if beside is not None:
        hidden = layers.Concatenate()([hidden, _beside(beside, network)])
    for number in range(network.lstm_layers):
        recurrent = layers.Bidirectional(layers.LSTM(network.lstm, return_sequences=True))
        found = layers.Dropout(network.dropout)(recurrent(hidden))
        hidden = layers.Add()([hidden, found]) if number else found
    pooled = layers.Dropout(network.dropout)(_pool(hidden, network))
    return layers.Dense(n_emotions, name="logits")(pooled)


def _views(hidden: Any, names: Sequence[View]) -> Any:
    """``[batch, frames, width]`` to ``[batch, frames, width, views]``."""
    return ops.stack([_view(hidden, name) for name in names], axis=-1)


def _view(hidden: Any, name: View) -> Any:
    match name:
        case "plain":
            return hidden
        case "centred":
            return hidden - ops.mean(hidden, axis=1, keepdims=True)
        case "slope":
            # Over four frames; the ends are repeated beyond themselves.
            padded = ops.concatenate([hidden[:, :1]] * 2 + [hidden] + [hidden[:, -1:]] * 2, axis=1)
            return padded[:, 4:] - padded[:, :-4]
        case _:
            assert_never(name)


def _recurrent(network: Recurrent, hidden: Any, n_emotions: int) -> Any:
    for filters in network.convolutions:
        hidden = layers.Conv1D(filters, network.kernel_size, padding="same", activation="relu")(
            hidden
        )
        hidden = layers.MaxPooling1D(2)(layers.BatchNormalization()(hidden))
        hidden = layers.Dropout(network.dropout)(hidden)
    for number, units in enumerate(network.lstm, start=1):
        every = number < len(network.lstm) or network.pool == "mean"
        hidden = layers.LSTM(units, return_sequences=every)(hidden)
        hidden = layers.Dropout(network.dropout)(hidden)
    if network.pool == "mean":
        hidden = layers.GlobalAveragePooling1D()(hidden)
    for units in network.dense:
        hidden = layers.Dense(units, activation="relu")(hidden)
        hidden = layers.Dropout(network.dropout)(hidden)
    return layers.Dense(n_emotions, name="logits")(hidden)


def _beside(columns: Any, network: ConvBlstm) -> Any:
    """What is no spectrogram, at the pace of what the convolutions leave of one."""
    found = layers.Conv1D(network.beside_filters, 5, padding="same", use_bias=False)(columns)
    found = layers.ReLU()(layers.BatchNormalization()(found))
    found = layers.AveragePooling1D(2, padding="same")(found)
    for over_time, _ in network.pools:
        if over_time > 1:
            found = layers.AveragePooling1D(over_time)(found)
    return layers.Dropout(network.conv_dropout)(found)


def _convolution(
    network: ConvBlstm,
    hidden: Any,
    channels: int,
    size: int,
    *,
    strides: int,
    pool: tuple[int, int],
) -> Any:
    hidden = layers.Conv2D(channels, size, strides=strides, padding="same", use_bias=False)(hidden)
    shrink = [] if pool == (1, 1) else [layers.MaxPooling2D(pool)]
    rectify = [layers.BatchNormalization(), layers.ReLU()]
    dropout = layers.SpatialDropout2D if network.quick else layers.Dropout
    first, second = (shrink, rectify) if network.quick else (rectify, shrink)
    for layer in (*first, *second, dropout(network.conv_dropout)):
        hidden = layer(hidden)
    return hidden


def _pool(hidden: Any, network: ConvBlstm) -> Any:
    """Frames to one vector: what the network asks for of them, side by side."""
    statistics = [_statistic(hidden, name, network.attention) for name in network.pool]
    return layers.Concatenate()(statistics) if len(statistics) > 1 else statistics[0]


def _statistic(hidden: Any, name: Statistic, attention: int) -> Any:
    match name:
        case "attention":
            scores = layers.Dense(1)(layers.Dense(attention, activation="tanh")(hidden))
            return ops.sum(hidden * layers.Softmax(axis=1)(scores), axis=1)
        case "mean":
            return ops.mean(hidden, axis=1)
        case "std":
            # The root of nothing has no slope.
            return ops.sqrt(ops.var(hidden, axis=1) + 1e-5)
        case "max":
            return ops.max(hidden, axis=1)
        case _:
            assert_never(name)
