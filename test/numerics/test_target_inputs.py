"""The kernel texts of test/Target/Inputs that name no target, on the CPU.

The GPU's builders lower the same texts (test/Target/PTX) and test/device checks
them on the device; here the CPU's routes run them against NumPy in float32.
"""

import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import kernels

INPUTS = Path(__file__).resolve().parents[1] / "Target" / "Inputs"

CONTRACTION = ("#kernel.contraction<rows = 6, vectors = 2, lanes = 8, "
               "taskRows = 60, taskPanels = 1, prefetchRows = 0>")
ROWS = "#kernel.rows<lanes = 8, unroll = 2, taskElements = 4096>"
GENERIC = "#kernel.generic"
# The contractions have no generic test: their f32 products need an intermediate
# of dynamic size, which the generic route refuses.


def compile_scheduled(name, schedule):
    text = (INPUTS / f"{name}.mlir").read_text()
    assert text.count("attributes {outputs") == 1 and "schedules" not in text
    return kernels.compile(text.replace(
        "attributes {outputs", f"attributes {{schedules = [{schedule}], outputs"))


def relative_error(out, reference):
    difference = out.astype(np.float32) - reference
    return np.linalg.norm(difference) / np.linalg.norm(reference)


def gemm_inputs(shape, dtype, weight_dims, last_dims):
    rng = np.random.default_rng(20261124)
    sizes = dict(zip("mnk", shape))

    def random(dims, scale=1.0):
        values = rng.standard_normal([sizes[d] for d in dims]) * scale
        return values.astype(dtype)

    return (random("mk"), random(weight_dims, shape[2] ** -0.5),
            random(last_dims))


SHAPES = [(1, 64, 8), (77, 40, 72), (64, 128, 96)]


@pytest.mark.parametrize("shape", SHAPES)
def test_gemm_bias_gelu(shape):
    x, w, bias = gemm_inputs(shape, np.float16, "nk", "n")
    [out] = compile_scheduled("gemm-bias-gelu-f16", CONTRACTION)(x, w, bias)
    t = x.astype(np.float32) @ w.astype(np.float32).T + bias.astype(np.float32)
    reference = t / 2 * (1 + np.vectorize(math.erf)(t / math.sqrt(2)))
    # Rounding to f16: at most 2^-11 relative.
    assert relative_error(out, reference) < 5e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_gemm_residual_relu(shape):
    x, w, residual = gemm_inputs(shape, ml_dtypes.bfloat16, "kn", "mn")
    [out] = compile_scheduled("gemm-residual-relu-bf16", CONTRACTION)(
        x, w, residual)
    product = (x.astype(np.float32) @ w.astype(np.float32)).astype(
        ml_dtypes.bfloat16).astype(np.float32)
    reference = np.maximum(product + residual.astype(np.float32), 0)
    # Two roundings to bf16: 2^-9 relative each.
    assert relative_error(out, reference) < 4e-3


@pytest.mark.parametrize("schedule", [ROWS, GENERIC])
@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (128, 768)])
def test_silu_mul(shape, schedule):
    rng = np.random.default_rng(20261124)
    gate = (rng.standard_normal(shape) * 3).astype(np.float16)
    value = rng.standard_normal(shape).astype(np.float32)
    narrow, wide = compile_scheduled("silu-mul-f16", schedule)(gate, value)
    g = gate.astype(np.float64)
    reference = g / (1 + np.exp(-g)) * value
    assert relative_error(narrow, reference) < 5e-4
    assert relative_error(wide, reference) < 2e-6


@pytest.mark.parametrize("schedule", [ROWS, GENERIC])
@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (128, 768)])
def test_scale_shift_tanh(shape, schedule):
    rng = np.random.default_rng(20261124)
    x = rng.standard_normal(shape).astype(np.float16)
    scale = rng.standard_normal(shape[1]).astype(np.float32)
    shift = rng.standard_normal((shape[0], 1)).astype(np.float32)
    [out] = compile_scheduled("scale-shift-tanh-f16", schedule)(x, scale, shift)
    reference = np.tanh(x.astype(np.float32) * scale + shift)
    assert relative_error(out, reference) < 5e-4
