"""The last columns of narrow integers: what a vector has left of a row is stored, and
nothing of the row behind it. Reductions along columns store row by row below one
another, so that bytes too many destroy what was there before."""

import kernels
import ml_dtypes
import numpy as np
import pytest

TYPES = {"i8": np.int8, "i16": np.int16, "bf16": ml_dtypes.bfloat16}


def kernel(columns, type):
    """Sums of columns of x, and x rounded to a narrow type."""
    convert = "arith.truncf %x : tensor<5xNxf32> to tensor<5xNxbf16>"
    if type != "bf16":
        convert = f"arith.trunci %i : tensor<5xNxi32> to tensor<5xNx{type}>"
    return kernels.compile(f"""
      kernel.func @sums(%x: tensor<5xNxf32>, %sums: tensor<Nxf32>, %narrow: tensor<5xNx{type}>)
          -> (tensor<Nxf32>, tensor<5xNx{type}>)
          attributes {{outputs = 2 : i64, schedules = [#kernel.rows<lanes = 16, unroll = 4, taskElements = 4096>],
                       shapes = [affine_map<() -> (5, N)>, affine_map<() -> (N)>, affine_map<() -> (5, N)>]}} {{
        %zero = arith.constant 0.0 : f32
        %e = tensor.empty() : tensor<Nxf32>
        %f = linalg.fill ins(%zero : f32) outs(%e : tensor<Nxf32>) -> tensor<Nxf32>
        %r = linalg.reduce {{ arith.addf }} ins(%x : tensor<5xNxf32>) outs(%f : tensor<Nxf32>) dimensions = [0]
        %i = arith.fptosi %x : tensor<5xNxf32> to tensor<5xNxi32>
        %n = {convert}
        kernel.yield %r, %n : tensor<Nxf32>, tensor<5xNx{type}>
      }}""".replace("N", str(columns)), cpu="native")


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("columns", [1, 2, 3, 7, 9, 15, 16, 17, 24, 25, 31, 33, 49, 65])
def test_tail_of_a_row(columns, type):
    x = np.arange(5 * columns, dtype=np.float32).reshape(5, columns) % 100 - 40
    sums, narrow = kernel(columns, type)(x)
    np.testing.assert_array_equal(narrow, x.astype(TYPES[type]))
    np.testing.assert_array_equal(sums, x.sum(0))
