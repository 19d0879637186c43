"""A kernel with two schedules takes in each run the first whose condition holds."""

import kernels
import numpy as np

SHORT = "#kernel.rows<lanes = 8, unroll = 1, taskElements = 4096>"
LONG = "#kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>"
BY_LENGTH = f"#kernel.guarded<#short, {SHORT}>, {LONG}"


def sums(schedules):
    """Sums of rows of unknown length: other schedules add in another order."""
    return kernels.compile(f"""
      #short = affine_set<()[s0] : (99 - s0 >= 0)>
      #space = affine_map<()[s0] -> (3, s0)>
      #rows = affine_map<()[s0] -> (3)>
      kernel.func @sums(%x: tensor<3x?xf32>, %out: tensor<3xf32>, %n: index) -> tensor<3xf32>
          attributes {{outputs = 1 : i64, shapes = [#space, #rows], schedules = [{schedules}]}} {{
        %zero = arith.constant 0.0 : f32
        %e = tensor.empty() : tensor<3xf32>
        %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
        %r = linalg.reduce {{ arith.addf }} ins(%x : tensor<3x?xf32>) outs(%f : tensor<3xf32>)
          dimensions = [1]
        kernel.yield %r : tensor<3xf32>
      }}""")


def test_first_condition_that_holds():
    short, long, by_length = sums(SHORT), sums(LONG), sums(BY_LENGTH)
    random = np.random.default_rng(7)
    distinguished = 0
    for length in (1, 40, 64, 96, 99, 100, 101, 160, 1000):
        x = random.standard_normal((3, length)).astype(np.float32)
        of_short, of_long, chosen = short(x)[0], long(x)[0], by_length(x)[0]
        np.testing.assert_array_equal(chosen, of_short if length <= 99 else of_long)
        distinguished |= (not np.array_equal(of_short, of_long)) << (length <= 99)
    assert distinguished == 3, "the two schedules give the same bits for all lengths"
