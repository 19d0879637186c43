"""A hand-written module in the buffer state, compiled and run by the runtime;
and a kernel through the wrapping helper."""

import subprocess
from pathlib import Path

import kernels
import numpy as np
import pytest
import tessera

SOURCE = (Path(__file__).parents[1] / "Target/Inputs/two-kernels.mlir").read_text()
WEIGHTS = np.arange(16, dtype=np.float32) / 8


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "two-kernels.so"
    kernels.compile_to(SOURCE, path)
    return tessera.load(path, verify="full")


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 100])
def test_two_kernels(session, rows):
    x = np.random.default_rng(rows).random((rows, 16), np.float32)
    [y] = session.run(None, {"x": x})
    # The C library's expf is right within an ulp or two.
    np.testing.assert_allclose(y, np.exp(x + WEIGHTS), rtol=3e-7)


def test_failed_assert_is_an_error(session):
    with pytest.raises(tessera.TesseraError, match="seq is 3"):
        session.run(None, {"x": np.zeros((3, 16), np.float32)})


def test_exports_only_the_table(tmp_path):
    path = tmp_path / "model.so"
    kernels.compile_to(SOURCE, path)
    nm = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, check=True)
    assert [line.split()[-1] for line in nm.stdout.decode().splitlines()] == ["tessera_module"]


CONVERSIONS = """
func.func private @convert(%ctx: !llvm.ptr, %x: memref<?xf64>, %n: index,
                           %f16: memref<?xf16>, %bf16: memref<?xbf16>, %f32: memref<?xf32>,
                           %narrow: memref<?xf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %v = memref.load %x[%i] : memref<?xf64>
    %h = arith.truncf %v : f64 to f16
    memref.store %h, %f16[%i] : memref<?xf16>
    %b = arith.truncf %v : f64 to bf16
    memref.store %b, %bf16[%i] : memref<?xbf16>
    %s = arith.truncf %v : f64 to f32
    %sh = arith.truncf %s : f32 to f16
    memref.store %sh, %narrow[%i] : memref<?xf16>
    %w = arith.extf %h : f16 to f32
    memref.store %w, %f32[%i] : memref<?xf32>
  }
  return
}
func.func @main(%ctx: !llvm.ptr) {
  %n = kernel.symbol %ctx 0
  %x = kernel.storage %ctx input 0 sizes(%n) : memref<?xf64>
  %f16 = kernel.storage %ctx output 0 sizes(%n) : memref<?xf16>
  %bf16 = kernel.storage %ctx output 1 sizes(%n) : memref<?xbf16>
  %f32 = kernel.storage %ctx output 2 sizes(%n) : memref<?xf32>
  %narrow = kernel.storage %ctx output 3 sizes(%n) : memref<?xf16>
  call @convert(%ctx, %x, %n, %f16, %bf16, %f32, %narrow)
    : (!llvm.ptr, memref<?xf64>, index, memref<?xf16>, memref<?xbf16>, memref<?xf32>, memref<?xf16>) -> ()
  return
}
kernel.entry @main_entry runs @main inputs [#kernel.port<"x", f64, ()[s0] -> (s0)>]
  outputs [#kernel.port<"f16", f16, ()[s0] -> (s0)>, #kernel.port<"bf16", i16, ()[s0] -> (s0)>,
           #kernel.port<"f32", f32, ()[s0] -> (s0)>, #kernel.port<"narrow", f16, ()[s0] -> (s0)>]
  symbols [#kernel.named_size<"n", 0, 1, 9223372036854775807>] values [] weights [] bytes 0
"""


def bfloat16_bits(values):
    """Nearest even by the neighbours' distances, in exact arithmetic on f64."""
    below = (np.float32(values).view(np.uint32) & 0xFFFF0000)
    # np.float32 may have rounded away from zero past the bfloat16 below.
    past = np.abs(below.view(np.float32).astype(np.float64)) > np.abs(values)
    below = np.where(past, below - 0x10000, below).astype(np.uint32)
    above = (below + 0x10000).astype(np.uint32)
    low = np.abs(np.abs(values) - np.abs(below.view(np.float32).astype(np.float64)))
    high = np.abs(np.abs(above.view(np.float32).astype(np.float64)) - np.abs(values))
    odd = (below >> 16) & 1
    up = (high < low) | ((high == low) & (odd == 1))
    return (np.where(up, above, below) >> 16).astype(np.int16)


@pytest.mark.parametrize("cpu", ["x86-64-v2", "native"])
def test_narrow_floats_round_like_ieee(tmp_path, cpu):
    """No conversion needs a runtime library, and f64 rounds once."""
    path = tmp_path / "convert.so"
    kernels.compile_to(CONVERSIONS, path, f"--cpu={cpu}")
    random = np.random.default_rng(1)
    finite = np.concatenate([
        random.standard_normal(2000) * 10.0 ** random.integers(-9, 5, 2000),
        # Halfway between two f16, and a little above it by less than f32 sees.
        1 + 2.0**-11 + np.array([0, 2.0**-40, -(2.0**-40)]),
        [0.0, -0.0, 65504, 65519.9, 2.0**-24, 2.0**-25, 2.0**-25 * 1.0001, 6e-8],
    ])
    special = np.array([np.inf, -np.inf, 65520, -1e6, 1e30])
    x = np.concatenate([finite, special])
    with np.errstate(over="ignore"):
        f16, bf16, f32, narrow = tessera.load(path).run(None, {"x": x})
        np.testing.assert_array_equal(f16.view(np.int16), x.astype(np.float16).view(np.int16))
        np.testing.assert_array_equal(f32, x.astype(np.float16).astype(np.float32))
        np.testing.assert_array_equal(
            narrow.view(np.int16), x.astype(np.float32).astype(np.float16).view(np.int16)
        )
    np.testing.assert_array_equal(bf16[: len(finite)], bfloat16_bits(finite))
    [nan, *_] = tessera.load(path).run(None, {"x": np.array([np.nan])})
    assert np.isnan(nan[0])


ROWS = """
kernel.func @scale(%x: tensor<?x33xf32>, %out: tensor<?x33xf32>, %n: index) -> tensor<?x33xf32>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 64>],
                shapes = [affine_map<()[s0] -> (s0, 33)>, affine_map<()[s0] -> (s0, 33)>]} {
  %two = arith.constant dense<2.0> : tensor<33xf32>
  %factor = graph.broadcast_to %two sizes(%n) : tensor<33xf32> -> tensor<?x33xf32>
  %y = arith.mulf %x, %factor : tensor<?x33xf32>
  kernel.yield %y : tensor<?x33xf32>
}
"""


@pytest.mark.parametrize("rows", [1, 5, 40])
def test_wrapped_kernel(rows):
    scale = kernels.compile(ROWS)
    x = np.random.default_rng(0).standard_normal((rows, 33)).astype(np.float32)
    [y] = scale(x)
    np.testing.assert_array_equal(y, 2 * x)


def test_assembly_of_another_cpu():
    assert "zmm" in kernels.assembly(ROWS.replace("lanes = 8", "lanes = 16"), "x86-64-v4")
    assert "zmm" not in kernels.assembly(ROWS, "x86-64-v3")
