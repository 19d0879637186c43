"""A kernel with a form for a unit that the system may refuse: which form runs."""

import ctypes
import multiprocessing
import subprocess

import kernels
import numpy as np
import pytest
from test_guarded_schedules import LONG, SHORT, sums

ON_UNIT = f"#kernel.guarded<on matrix_tiles, {SHORT}>, {LONG}"


def has_tiles():
    with open("/proc/cpuinfo") as info:
        return "amx_tile" in info.read()


class SignalStack(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("bytes", ctypes.c_size_t)]


def lengths_and_inputs():
    random = np.random.default_rng(7)
    for length in (101, 160, 1000):
        yield random.standard_normal((3, length)).astype(np.float32)


def results(schedules):
    kernel = sums(schedules)
    return [kernel(x)[0] for x in lengths_and_inputs()]


def without_permission(pipe):
    """A signal stack that is too small for the tiles makes Linux refuse them."""
    memory = ctypes.create_string_buffer(4096)
    stack = SignalStack(ctypes.addressof(memory), 0, len(memory))
    assert ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None) == 0
    pipe.send(results(ON_UNIT))


@pytest.mark.skipif(not has_tiles(), reason="the CPU has no matrix tiles")
def test_form_with_the_unit_where_it_is_given():
    short, long = results(SHORT), results(LONG)
    np.testing.assert_array_equal(results(ON_UNIT), short)
    assert not np.array_equal(short, long), "the two schedules give the same bits"


@pytest.mark.skipif(not has_tiles(), reason="the CPU has no matrix tiles")
def test_form_without_the_unit_where_the_system_refuses():
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=without_permission, args=(sender,))
    process.start()
    refused = receiver.recv()
    process.join()
    np.testing.assert_array_equal(refused, results(LONG))


def test_form_without_the_unit_where_the_cpu_has_none():
    """An older CPU's code names no unit, and its guard never holds."""
    kernel = kernels.compile(
        """
      #n = affine_map<() -> (64)>
      kernel.func @double(%x: tensor<64xf32>, %out: tensor<64xf32>) -> tensor<64xf32>
          attributes {outputs = 1 : i64, shapes = [#n, #n],
                      schedules = [#kernel.guarded<on matrix_tiles, #kernel.rows<lanes = 8, unroll = 1, taskElements = 1024>>,
                                   #kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>]} {
        %y = arith.addf %x, %x : tensor<64xf32>
        kernel.yield %y : tensor<64xf32>
      }""",
        cpu="x86-64-v3",
    )
    x = np.arange(64, dtype=np.float32)
    np.testing.assert_array_equal(kernel(x)[0], 2 * x)


def test_described_with_the_library(tmp_path):
    text = """
      #n = affine_map<() -> (64)>
      kernel.func @double(%x: tensor<64xf32>, %out: tensor<64xf32>) -> tensor<64xf32>
          attributes {outputs = 1 : i64, shapes = [#n, #n],
                      schedules = [#kernel.guarded<on matrix_tiles, #kernel.rows<lanes = 16, unroll = 1, taskElements = 1024>>,
                                   #kernel.rows<lanes = 16, unroll = 4, taskElements = 4096>]} {
        %y = arith.addf %x, %x : tensor<64xf32>
        kernel.yield %y : tensor<64xf32>
      }"""
    kernels.compile_to(text, tmp_path / "tiles.so", "--wrap", "--cpu=sapphirerapids")
    kernels.compile_to(text, tmp_path / "plain.so", "--wrap", "--cpu=x86-64-v4")

    def inspect(name):
        command = [kernels.tool("tessera"), "inspect", tmp_path / name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    unit = "uses amx-tile,amx-bf16,amx-int8 where the system gives it"
    assert unit in inspect("tiles.so")
    assert unit not in inspect("plain.so")
