"""What a network computes anew for every sound, and need not: folded into its convolutions.

When a model answers, batch normalisation is a factor and a summand for each channel. Right after a
convolution, which is all that converters look for, they are part of its weights. So they are with max
pooling in between if no factor is negative: the largest of some numbers, times the factor, is the largest
of their multiples. Cutting off below zero changes places with pooling alike, and ONNX Runtime does it
while it convolves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, checker, helper, numpy_helper

BLOCK: Final = 16
"""Channels that ONNX Runtime has side by side in memory where there is AVX-512. Of a number that fills no
blocks it computes as many as fill them, and has to sort them out before they are pooled."""

Weights = NDArray[np.float32]


def fold(network: ModelProto) -> ModelProto:
    """A network with fewer steps that answers the same, up to rounding; what is given stays as it is."""
    draft = _Draft(network)
    if draft.has_loops:
        return draft.written()
    for conv in draft.convolutions():
        _take_in(conv, draft)
    for conv in draft.convolutions():
        _fill_blocks(conv, draft)
    folded = draft.written()
    checker.check_model(folded)
    return folded


class _Draft:
    """A network that is being changed."""

    def __init__(self, network: ModelProto) -> None:
        self._network = ModelProto()
        self._network.CopyFrom(network)
        graph = self._network.graph
        self.nodes = list(graph.node)
        self.constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self._results = {each.name for each in graph.output}

    @property
    def has_loops(self) -> bool:
        """Whether there are nodes that hold graphs, which may look at whatever is outside."""
        return any(each.HasField("g") for node in self.nodes for each in node.attribute)

    def convolutions(self) -> Iterator[NodeProto]:
        """Those whose weights are known, of which no channel is for itself."""
        for node in list(self.nodes):
            groups = [each.i for each in node.attribute if each.name == "group"]
            is_known = all(name in self.constants for name in node.input[1:])
            if node.op_type == "Conv" and is_known and groups in ([], [1]):
                yield node

    def next(self, node: NodeProto) -> NodeProto | None:
        """What uses the result of ``node``, where nothing else does."""
        users = [each for each in self.nodes if node.output[0] in each.input]
        is_alone = len(users) == len(node.output) == 1 and node.output[0] not in self._results
        return users[0] if is_alone else None

    def constant(self, node: NodeProto, shape: tuple[int, ...]) -> Weights | None:
        """What ``node`` adds or multiplies with, where that is known and of this shape."""
        known = [self.constants[name] for name in node.input if name in self.constants]
        return next((each for each in known if each.shape == shape), None)

    def written(self) -> ModelProto:
        """The network, without the constants that it has no more use for."""
        graph = self._network.graph
        used = {name for node in self.nodes for name in node.input}
        kept = [(name, each) for name, each in self.constants.items() if name in used]
        written = helper.make_graph(
            self.nodes,
            graph.name,
            graph.input,
            graph.output,
            [numpy_helper.from_array(values, name) for name, values in kept],
        )
        graph.CopyFrom(written)
        return self._network


@dataclass(slots=True, eq=False)
class _Tail:
    """What follows a convolution, and may become part of it."""

    between: NodeProto | None
    """What stays, and comes last: pooling, or an axis less."""
    taken: list[NodeProto]
    relu: NodeProto | None
    factor: Weights
    summand: Weights


def _take_in(conv: NodeProto, draft: _Draft) -> None:
    """Make what follows ``conv`` for each channel a part of its weights."""
    weights = draft.constants[conv.input[1]]
    tail = _tail(conv, weights, draft)
    if not tail.taken or (_pools(tail.between) and (tail.factor < 0).any()):
        return
    bias = draft.constants[conv.input[2]] if len(conv.input) > 2 else np.float32(0)
    last = tail.relu or tail.taken[-1]
    name = last.output[0]
    steps = [conv, *(each for each in (tail.relu, tail.between) if each is not None)]
    draft.constants |= {
        f"{name}/weights": weights * tail.factor.reshape(-1, *[1] * (weights.ndim - 1)),
        f"{name}/bias": bias * tail.factor + tail.summand,
    }
    conv.input[1:] = [f"{name}/weights", f"{name}/bias"]
    for number, (one, other) in enumerate(pairwise(steps)):
        one.output[0] = other.input[0] = f"{name}/{number}"
    steps[-1].output[0] = name
    moved = [*tail.taken, *steps[1:]]
    draft.nodes = [
        each
        for node in draft.nodes
        if not any(node is other for other in moved)
        for each in (steps if node is conv else [node])
    ]


def _tail(conv: NodeProto, weights: Weights, draft: _Draft) -> _Tail:
    n_channels, n_axes = len(weights), weights.ndim - 2
    ones, zeros = np.ones(n_channels, np.float32), np.zeros(n_channels, np.float32)
    tail = _Tail(None, [], None, ones, zeros)
    node = draft.next(conv)
    n_less = _n_squeezed(node, draft)
    if node is not None and (_pools(node) or n_less):
        tail.between, node = node, draft.next(node)
    while node is not None and node.op_type in ("Mul", "Add"):
        values = draft.constant(node, (1, n_channels, *[1] * (n_axes - n_less)))
        if values is None:
            return tail
        if node.op_type == "Mul":
            tail.factor, tail.summand = tail.factor * values.ravel(), tail.summand * values.ravel()
        else:
            tail.summand = tail.summand + values.ravel()
        tail.taken.append(node)
        node = draft.next(node)
    if node is not None and node.op_type == "Relu":
        tail.relu = node
    return tail


def _pools(node: NodeProto | None) -> bool:
    return node is not None and node.op_type == "MaxPool"


def _n_squeezed(node: NodeProto | None, draft: _Draft) -> int:
    """How many axes it takes away, where neither the sounds nor the channels are among them."""
    is_one = node is not None and node.op_type == "Squeeze" and len(node.input) == 2
    axes = draft.constants.get(node.input[1]) if node is not None and is_one else None
    return axes.size if axes is not None and (axes >= 2).all() else 0


def _fill_blocks(conv: NodeProto, draft: _Draft) -> None:
    """Add channels of nothing, up to whole blocks, where only another convolution looks at them."""
    weights = draft.constants[conv.input[1]]
    missing = -len(weights) % BLOCK
    reader = draft.next(conv)
    while reader is not None and reader.op_type in ("Relu", "MaxPool"):
        reader = draft.next(reader)
    if not missing or not any(reader is each for each in draft.convolutions()):
        return
    assert reader is not None
    _pad(conv, 1, 0, missing, draft)
    _pad(reader, 1, 1, missing, draft)
    if len(conv.input) > 2:
        _pad(conv, 2, 0, missing, draft)


def _pad(node: NodeProto, number: int, axis: int, missing: int, draft: _Draft) -> None:
    values = draft.constants[node.input[number]]
    name = f"{node.output[0]}/{number}, in whole blocks"
    zeros = [(0, missing if each == axis else 0) for each in range(values.ndim)]
    draft.constants[name] = np.pad(values, zeros)
    node.input[number] = name
