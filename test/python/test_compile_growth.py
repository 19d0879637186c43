"""Models of unknown sizes: what is compiled grows as the model does.

Each kind is compiled with so many blocks and with twice as many. The code of both is
counted by lines of LLVM IR, which do not depend on the machine's load.
"""

import numpy as np
import onnx
import pytest
from models import model_of, value
from onnx import helper, numpy_helper

WIDTH = 32


class Chain:
    """Blocks one behind the other."""

    def __init__(self):
        self.nodes, self.constants, self.inputs = [], [], []

    def add(self, operator, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values, dtype=np.int64):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weight(self, *shape):
        values = np.random.default_rng(0).standard_normal(shape) / WIDTH
        return self.constant(values, np.float32)

    def split(self, x, axis, middle):
        """Before and from `middle` on."""
        return (
            self.add("Slice", x, self.constant([0]), middle, self.constant([axis])),
            self.add("Slice", x, middle, self.constant([2**62]), self.constant([axis])),
        )

    def save(self, path, shape, x):
        inputs = [value("x", np.float32, shape), *self.inputs]
        outputs = [value(x, np.float32, [None] * len(shape))]
        onnx.save(model_of(self.nodes, inputs, outputs, self.constants), path)


def reshaped_rows(chain, x, _):
    """[rows, 32] as heads of unknown number and back, by way of -1."""
    y = chain.add("MatMul", x, chain.weight(WIDTH, WIDTH))
    y = chain.add("Reshape", y, chain.constant([-1, 4, 8, WIDTH]))
    y = chain.add("Transpose", y, perm=[0, 2, 1, 3])
    return chain.add("Add", x, chain.add("Reshape", y, chain.constant([-1, WIDTH])))


def windows(chain, x, number):
    """Windows of 4 and 8 rows in turn."""
    w = chain.add("Reshape", x, chain.constant([0, -1, 4 << number % 2, WIDTH]))
    y = chain.add("Softmax", chain.add("MatMul", w, chain.weight(WIDTH, WIDTH)), axis=-1)
    return chain.add("Add", x, chain.add("Reshape", y, chain.constant([0, -1, WIDTH])))


def swapped_halves(chain, x, _):
    length = chain.add("Gather", chain.add("Shape", x), chain.constant([1]))
    first, last = chain.split(x, 1, chain.add("Div", length, chain.constant([2])))
    return chain.add("Concat", chain.add("Neg", last), first, axis=1)


def unrelated_sizes(chain, x, number):
    """Sums of vectors each of which may be a single element."""
    chain.inputs.append(value(f"y{number}", np.float32, [f"n{number}"]))
    return chain.add("Add", x, f"y{number}")


def dense(chain, x, number):
    y = chain.add("Conv", x, chain.weight(8, 8 * (number + 1), 3, 3), pads=[1] * 4)
    return chain.add("Concat", x, chain.add("Relu", y), axis=1)


KINDS = {
    reshaped_rows: (["rows", WIDTH], 10),
    windows: (["batch", "length", WIDTH], 6),
    swapped_halves: (["batch", "length"], 8),
    unrelated_sizes: (["n"], 6),
    dense: (["batch", 8, "height", "width"], 4),
}


@pytest.mark.parametrize("block", KINDS, ids=lambda block: block.__name__)
def test_twice_the_blocks_are_twice_the_code(block, tmp_path, tool):
    shape, blocks = KINDS[block]
    lines = []
    for count in (blocks, 2 * blocks):
        chain, x = Chain(), "x"
        for number in range(count):
            x = block(chain, x, number)
        path = tmp_path / f"{count}.onnx"
        chain.save(path, shape, x)
        lines.append(tool("compile", path, "--emit=llvm", "-o", "-").count("\n"))
    assert lines[1] < 2.2 * lines[0], lines


def test_one_kernel_serves_all_scales(tmp_path, tool):
    """A head of a detector, at halves of an unknown image."""
    chain, x, scales = Chain(), "x", []
    halving, head = chain.weight(8, 8, 3, 3), chain.weight(8, 8, 3, 3)
    for _ in range(3):
        x = chain.add("Conv", x, halving, pads=[1] * 4, strides=[2, 2])
        scales.append(chain.add("Relu", chain.add("Conv", x, head, pads=[1] * 4)))
    flat = [chain.add("Reshape", y, chain.constant([0, 8, -1])) for y in scales]
    y = chain.add("Concat", *flat, axis=2)
    onnx.save(
        model_of(
            chain.nodes,
            [value("x", np.float32, ["batch", 8, "height", "width"])],
            [value(y, np.float32, ["batch", 8, "points"])],
            chain.constants,
        ),
        tmp_path / "m.onnx",
    )
    kernels = tool("compile", tmp_path / "m.onnx", "--emit=kernel", "-o", "-")
    assert kernels.count("kernel.call @conv") == 6
    # One for the image, whose channels come first, one for all halves, one for heads.
    assert kernels.count("kernel.func @conv") == 3


def count_kernels(tool, path, name):
    return tool("compile", path, "--emit=kernel", "-o", "-").count(f"kernel.func @{name}")


def test_layers_that_differ_in_a_number_share_a_kernel(tmp_path, tool):
    chain, x = Chain(), "x"
    for number in range(6):
        y = chain.add("Relu", chain.add("MatMul", x, chain.weight(WIDTH, WIDTH)))
        x = chain.add("Add", y, chain.constant(0.1 + number, np.float32))
    chain.save(tmp_path / "m.onnx", ["rows", WIDTH], x)
    assert count_kernels(tool, tmp_path / "m.onnx", "matmul") == 1


def test_the_steps_of_a_recurrent_layer_share_their_kernels(tmp_path, tool):
    chain = Chain()
    weights = chain.weight(1, 4 * WIDTH, 8), chain.weight(1, 4 * WIDTH, WIDTH)
    y = chain.add("LSTM", "x", *weights, hidden_size=WIDTH)
    onnx.save(
        model_of(
            chain.nodes,
            [value("x", np.float32, [12, "batch", 8])],
            [value(y, np.float32, [12, 1, "batch", WIDTH])],
            chain.constants,
        ),
        tmp_path / "m.onnx",
    )
    assert count_kernels(tool, tmp_path / "m.onnx", "") < 12
