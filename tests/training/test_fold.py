"""A network that was folded answers as before, in fewer steps; what cannot be folded stays."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from training.fold import BLOCK, fold

N_CHANNELS = 3


def network(nodes: Sequence[NodeProto], n_axes: int = 4, **constants: np.ndarray) -> ModelProto:
    """From ``x``, float32[sounds, 3, 8, 6], to ``y``, which has ``n_axes``."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", N_CHANNELS, 8, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * n_axes)],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def answers(model: ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    sounds = np.random.default_rng(1).normal(size=(5, N_CHANNELS, 8, 6)).astype(np.float32)
    (found,) = session.run(None, {"x": sounds})
    return found


def steps(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def conv(x: str, weights: str, y: str, *bias: str, **more: object) -> NodeProto:
    return helper.make_node("Conv", [x, weights, *bias], [y], pads=[1, 1, 1, 1], **more)


def pool(x: str, y: str) -> NodeProto:
    return helper.make_node("MaxPool", [x], [y], kernel_shape=[2, 2], strides=[2, 2])


def op(name: str, *inputs: str, y: str, **more: object) -> NodeProto:
    return helper.make_node(name, list(inputs), [y], **more)


def pooled(factor: np.ndarray) -> ModelProto:
    """Convolution, max pooling, normalisation, ReLU."""
    return network(
        [
            conv("x", "w", "c"),
            pool("c", "p"),
            op("Mul", "p", "factor", y="m"),
            op("Add", "summand", "m", y="a"),
            op("Relu", "a", y="y"),
        ],
        w=normal(7, N_CHANNELS, 3, 3),
        factor=factor.reshape(1, 7, 1, 1),
        summand=normal(1, 7, 1, 1),
    )


def assert_same(one: ModelProto, other: ModelProto) -> None:
    np.testing.assert_allclose(answers(one), answers(other), rtol=1e-4, atol=1e-5)


def test_normalisation_behind_pooling_becomes_part_of_the_convolution():
    before = pooled(np.abs(normal(7)))
    after = fold(before)
    assert steps(after) == ["Conv", "Relu", "MaxPool"]
    assert_same(before, after)
    assert len(before.graph.node) == 5, "what was given is as it was"
    names = {each.name for each in after.graph.initializer}
    assert not names & {"w", "factor", "summand"}, "nobody needs them any more"


def test_with_a_negative_factor_it_stays():
    factor = np.abs(normal(7))
    factor[3] *= -1
    before = pooled(factor)
    after = fold(before)
    assert steps(after) == steps(before)
    assert_same(before, after)


def test_an_axis_less_in_between_is_no_matter_and_neither_is_a_bias():
    before = network(
        [
            helper.make_node("Conv", ["x", "w", "b"], ["c"]),
            op("Squeeze", "c", "axes", y="s"),
            op("Add", "s", "summand", y="a"),
            op("Mul", "a", "factor", y="m"),
            op("Relu", "m", y="y"),
        ],
        n_axes=3,
        w=normal(4, N_CHANNELS, 8, 1),
        b=normal(4),
        axes=np.array([2]),
        summand=normal(1, 4, 1),
        factor=normal(1, 4, 1),
    )
    after = fold(before)
    assert steps(after) == ["Conv", "Relu", "Squeeze"]
    assert_same(before, after)


@pytest.mark.parametrize("why", ["another looks", "not by channel", "of another size", "a group"])
def test_what_is_not_as_it_should_be_stays(why):
    shape = {"not by channel": (1, 1, 1, 3), "of another size": (1, 1, 1, 1)}.get(why, (1, 6, 1, 1))
    before = network(
        [
            conv("x", "w", "c", group=3 if why == "a group" else 1),
            pool("c", "p"),
            op("Mul", "p", "factor", y="m"),
            op("Flatten", "m", y="f"),
            op("Flatten", "p" if why == "another looks" else "m", y="g"),
            op("Add", "f", "g", y="y"),
        ],
        n_axes=2,
        w=normal(6, 1 if why == "a group" else N_CHANNELS, 3, 3),
        factor=np.abs(normal(*shape)),
    )
    after = fold(before)
    assert steps(after) == steps(before)
    assert_same(before, after)


def test_one_with_graphs_in_it_stays():
    branch = helper.make_graph(
        [op("Identity", "p", y="z")],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )
    before = network(
        [
            conv("x", "w", "c"),
            pool("c", "p"),
            op("Mul", "p", "factor", y="m"),
            op("If", "yes", y="i", then_branch=branch, else_branch=branch),
            op("Add", "m", "i", y="y"),
        ],
        w=normal(7, N_CHANNELS, 3, 3),
        factor=np.abs(normal(1, 7, 1, 1)),
        yes=np.array(True),
    )
    after = fold(before)
    assert steps(after) == steps(before)
    assert_same(before, after)


def shapes(model: ModelProto) -> list[list[int]]:
    """Of the weights of each convolution."""
    found = {each.name: list(each.dims) for each in model.graph.initializer}
    return [found[node.input[1]] for node in model.graph.node if node.op_type == "Conv"]


def test_channels_fill_blocks_where_a_convolution_reads_them():
    before = network(
        [
            conv("x", "w", "c", "b"),
            op("Relu", "c", y="r"),
            pool("r", "p"),
            conv("p", "v", "y"),
        ],
        w=normal(BLOCK + 2, N_CHANNELS, 3, 3),
        b=normal(BLOCK + 2),
        v=normal(5, BLOCK + 2, 3, 3),
    )
    after = fold(before)
    assert shapes(after) == [[2 * BLOCK, N_CHANNELS, 3, 3], [5, 2 * BLOCK, 3, 3]]
    assert_same(before, after)


def test_two_of_the_same_weights_are_each_their_own():
    before = network(
        [
            conv("x", "w", "c"),
            op("Mul", "c", "one", y="m"),
            conv("x", "w", "d"),
            op("Mul", "d", "other", y="o"),
            op("Add", "m", "o", y="y"),
        ],
        w=normal(4, N_CHANNELS, 3, 3),
        one=normal(1, 4, 1, 1),
        other=-normal(1, 4, 1, 1) + 3,
    )
    after = fold(before)
    assert steps(after) == ["Conv", "Conv", "Add"]
    assert_same(before, after)


@given(
    blocks=st.lists(
        st.tuples(
            st.integers(1, 40),
            st.booleans(),
            st.lists(st.sampled_from(["mul", "add", "relu", "sigmoid", "pool"]), max_size=5),
        ),
        min_size=1,
        max_size=3,
    ),
    seed=st.integers(0, 99),
    is_negative=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_whatever_follows_whatever_the_answers_are_the_same(blocks, seed, is_negative):
    rng = np.random.default_rng(seed)
    nodes: list[NodeProto] = []
    constants: dict[str, np.ndarray] = {}
    here, width, n_pooled = "x", N_CHANNELS, 0
    for n_channels, is_pooled, what in blocks:
        for name in ("conv", *["pool"] * is_pooled, *what):
            n_pooled += name == "pool"
            if name == "pool" and n_pooled > 2:  # of eight by six, there is no more
                continue
            one, there = f"constant {len(nodes)}", f"t{len(nodes)}"
            values = rng.uniform(-1 if is_negative else 0.1, 1, (1, n_channels, 1, 1))
            if name == "conv":
                values = rng.normal(size=(n_channels, width, 3, 3)) / np.sqrt(9 * width)
                nodes.append(conv(here, one, there))
                width = n_channels
            elif name == "pool":
                nodes.append(pool(here, there))
            elif name in ("mul", "add"):
                nodes.append(op(name.title(), here, one, y=there))
            else:
                nodes.append(op(name.title(), here, y=there))
            constants[one] = values.astype(np.float32)
            here = there
    nodes.append(op("Identity", here, y="y"))
    before = network(nodes, **constants)
    after = fold(before)
    onnx.checker.check_model(after)
    assert len(after.graph.node) <= len(before.graph.node)
    assert_same(before, after)
