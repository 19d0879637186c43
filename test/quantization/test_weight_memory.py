"""Weights of few bits in the library: what is multiplied by one row stays narrow."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("onnxruntime")

import tessera  # noqa: E402
from tessera._reference import reference_session  # noqa: E402

DEPTH, COLUMNS, BLOCK = 512, 384, 32


def save_product(path, bits, rows):
    random = np.random.default_rng(0)
    levels = random.integers(0, 256, (COLUMNS, DEPTH // BLOCK, BLOCK * bits // 8)).astype(np.uint8)
    scales = (0.01 * random.standard_normal((COLUMNS, DEPTH // BLOCK))).astype(np.float32)
    bias = random.standard_normal(COLUMNS).astype(np.float32)
    node = helper.make_node("MatMulNBits", ["x", "levels", "scales", "", "", "bias"], ["y"],
                            domain="com.microsoft", K=DEPTH, N=COLUMNS, bits=bits, block_size=BLOCK)
    port = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, width])
    graph = helper.make_graph(
        [node], "product", [port("x", DEPTH)], [port("y", COLUMNS)],
        [numpy_helper.from_array(levels, "levels"), numpy_helper.from_array(scales, "scales"),
         numpy_helper.from_array(bias, "bias")])
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[
        helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]), path)


# Bytes of the library for each weight: levels are a byte each, scales 4 for 32.
@pytest.mark.parametrize("bits, rows, most", [(4, 1, 1.5), (8, 1, 1.5), (2, 1, 1.5), (4, "rows", 4.5)])
def test_bytes_of_a_weight(tmp_path, bits, rows, most):
    path = tmp_path / "product.onnx"
    save_product(path, bits, rows)
    library = tessera.compile(path, tmp_path / "product.so")
    code = 64 << 10
    assert library.stat().st_size <= most * DEPTH * COLUMNS + code
    x = np.random.default_rng(1).standard_normal((1, DEPTH)).astype(np.float32)
    [ours] = tessera.load(library).run(["y"], {"x": x})
    [theirs] = reference_session(path).run(["y"], {"x": x})
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5 * np.abs(theirs).max())
