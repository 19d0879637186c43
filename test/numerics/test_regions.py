"""Branches and loops written by hand at the graph state, against NumPy."""

import json
import subprocess

import numpy as np
import pytest
import tessera
from tessera._compile import find_compiler

random = np.random.default_rng(17)


@pytest.fixture(params=[0, 3], ids=["O0", "O3"])
def compiled(request, tmp_path):
    def make(text):
        (tmp_path / "m.mlir").write_text(text)
        return tessera.load(tessera.compile(tmp_path / "m.mlir", opt_level=request.param), threads=2)

    return make


def check(session, feeds, *expected):
    results = session.run(None, feeds)
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected):
        np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-6)


def tensor(*shape):
    return random.standard_normal(shape).astype(np.float32)


BRANCH = """
func.func @main(%x: tensor<4x8xf32> {graph.name = "x", graph.dims = [4, 8]},
                %flag: tensor<i1> {graph.name = "flag", graph.dims = []})
    -> (tensor<4x8xf32> {graph.name = "y"}) {
  %outside = math.exp %x : tensor<4x8xf32>
  %c = tensor.extract %flag[] : tensor<i1>
  %r = scf.if %c -> (tensor<4x8xf32>) {
    %a = arith.mulf %outside, %x : tensor<4x8xf32>
    scf.yield %a : tensor<4x8xf32>
  } else {
    scf.yield %x : tensor<4x8xf32>
  }
  %y = arith.addf %r, %outside : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
"""


@pytest.mark.parametrize("flag", [False, True])
def test_a_branch_by_an_input(compiled, flag):
    x = tensor(4, 8)
    outside = np.exp(x)
    check(compiled(BRANCH), {"x": x, "flag": np.array(flag)},
          (outside * x if flag else x) + outside)


BY_SIZE = """
graph.symbol @n min 1 typical 8 max 64
func.func @main(%x: tensor<?x8xf32> {graph.name = "x", graph.dims = [@n, 8]})
    -> (tensor<?x8xf32> {graph.name = "y"}, tensor<?x8xf32> {graph.name = "z"}) {
  %n = graph.size @n
  %c4 = arith.constant 4 : index
  %c = arith.cmpi ult, %n, %c4 : index
  %y, %z = scf.if %c -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %a = math.tanh %x : tensor<?x8xf32>
    scf.yield %a, %a : tensor<?x8xf32>, tensor<?x8xf32>
  } else {
    %a = arith.negf %x : tensor<?x8xf32>
    %b = math.exp %a : tensor<?x8xf32>
    scf.yield %b, %a : tensor<?x8xf32>, tensor<?x8xf32>
  }
  return %y, %z : tensor<?x8xf32>, tensor<?x8xf32>
}
"""


def test_a_branch_by_a_size_gives_the_outputs(compiled):
    session = compiled(BY_SIZE)
    for n in (1, 3, 4, 9):
        x = tensor(n, 8)
        expected = (np.tanh(x), np.tanh(x)) if n < 4 else (np.exp(-x), -x)
        check(session, {"x": x}, *expected)


RECURRENT = """
graph.weights @w : tensor<8x8xf32> from dense<0.125> : tensor<8x8xf32> as tensor<8x8xf32>
graph.symbol @steps min 0 typical 8 max 64
func.func @main(%x: tensor<?x4x8xf32> {graph.name = "x", graph.dims = [@steps, 4, 8]},
                %h: tensor<4x8xf32> {graph.name = "h", graph.dims = [4, 8]})
    -> (tensor<4x8xf32> {graph.name = "y"}) {
  %n = graph.size @steps
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %w = graph.weight @w : tensor<8x8xf32>
  %bias = math.sin %h : tensor<4x8xf32>
  %y = scf.for %i = %c0 to %n step %c1 iter_args(%a = %h) -> (tensor<4x8xf32>) {
    %slice = tensor.extract_slice %x[%i, 0, 0] [1, 4, 8] [1, 1, 1] : tensor<?x4x8xf32> to tensor<1x4x8xf32>
    %row = tensor.collapse_shape %slice [[0, 1], [2]] : tensor<1x4x8xf32> into tensor<4x8xf32>
    %e = tensor.empty() : tensor<4x8xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
    %p = linalg.matmul ins(%a, %w : tensor<4x8xf32>, tensor<8x8xf32>) outs(%f : tensor<4x8xf32>) -> tensor<4x8xf32>
    %s = arith.addf %p, %row : tensor<4x8xf32>
    %t = arith.addf %s, %bias : tensor<4x8xf32>
    %next = math.tanh %t : tensor<4x8xf32>
    scf.yield %next : tensor<4x8xf32>
  }
  return %y : tensor<4x8xf32>
}
"""


def test_a_loop_from_an_input_to_an_output(compiled):
    session = compiled(RECURRENT)
    for steps in (0, 1, 2, 7):
        x, h = tensor(steps, 4, 8), tensor(4, 8)
        y = h
        for row in x:
            y = np.tanh(y @ np.full((8, 8), 0.125, np.float32) + row + np.sin(h))
        check(session, {"x": x, "h": h}, y)


SWAP = """
func.func @main(%x: tensor<4xf32> {graph.name = "x", graph.dims = [4]},
                %y: tensor<4xf32> {graph.name = "y", graph.dims = [4]},
                %trips: tensor<i64> {graph.name = "trips", graph.dims = []})
    -> (tensor<4xf32> {graph.name = "a"}, tensor<4xf32> {graph.name = "b"}, tensor<4xf32> {graph.name = "x2"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %element = tensor.extract %trips[] : tensor<i64>
  %n = arith.index_cast %element : i64 to index
  %a, %b = scf.for %i = %c0 to %n step %c1 iter_args(%p = %x, %q = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.yield %q, %p : tensor<4xf32>, tensor<4xf32>
  }
  %x2 = arith.addf %x, %x : tensor<4xf32>
  return %a, %b, %x2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
"""


def test_carried_tensors_swap(compiled):
    session = compiled(SWAP)
    x, y = tensor(4), tensor(4)
    for trips in range(4):
        a, b = (x, y) if trips % 2 == 0 else (y, x)
        check(session, {"x": x, "y": y, "trips": np.array(trips)}, a, b, x + x)


FIBONACCI = """
graph.symbol @n min 0 typical 8 max 64
func.func @main(%x: tensor<?xf32> {graph.name = "x", graph.dims = [@n]},
                %trips: tensor<2xi32> {graph.name = "trips", graph.dims = [2]})
    -> (tensor<?xf32> {graph.name = "a"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %element = tensor.extract %trips[%c1] : tensor<2xi32>
  %n = arith.index_cast %element : i32 to index
  %one = math.exp %x : tensor<?xf32>
  %two = math.sin %x : tensor<?xf32>
  %a, %count, %b = scf.for %i = %c0 to %n step %c1 iter_args(%p = %one, %k = %c0, %q = %two) -> (tensor<?xf32>, index, tensor<?xf32>) {
    %s = arith.addf %p, %q : tensor<?xf32>
    %k1 = arith.addi %k, %i : index
    scf.yield %q, %k1, %s : tensor<?xf32>, index, tensor<?xf32>
  }
  %i64 = arith.index_cast %count : index to i64
  %f = arith.sitofp %i64 : i64 to f32
  %m = arith.mulf %a, %b : tensor<?xf32>
  return %m : tensor<?xf32>
}
"""


def test_scalars_are_carried_beside_tensors(compiled):
    session = compiled(FIBONACCI)
    x = tensor(5)
    for trips in (0, 1, 2, 5):
        p, q = np.exp(x), np.sin(x)
        for _ in range(trips):
            p, q = q, p + q
        check(session, {"x": x, "trips": np.array([9, trips], np.int32)}, p * q)


NESTED = """
func.func @main(%x: tensor<6xf32> {graph.name = "x", graph.dims = [6]},
                %k: tensor<2xi64> {graph.name = "k", graph.dims = [2]})
    -> (tensor<6xf32> {graph.name = "y"}, tensor<6xf32> {graph.name = "z"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %k0 = tensor.extract %k[%c0] : tensor<2xi64>
  %k1 = tensor.extract %k[%c1] : tensor<2xi64>
  %n = arith.index_cast %k0 : i64 to index
  %m = arith.index_cast %k1 : i64 to index
  %outside = math.sin %x : tensor<6xf32>
  %many = arith.cmpi sgt, %n, %c2 : index
  // A loop in a branch.
  %r = scf.if %many -> (tensor<6xf32>) {
    %l = scf.for %i = %c0 to %m step %c1 iter_args(%a = %x) -> (tensor<6xf32>) {
      %b = arith.addf %a, %outside : tensor<6xf32>
      scf.yield %b : tensor<6xf32>
    }
    scf.yield %l : tensor<6xf32>
  } else {
    %e = math.exp %outside : tensor<6xf32>
    scf.yield %e : tensor<6xf32>
  }
  // Branches and a loop in a loop.
  %z = scf.for %i = %c0 to %n step %c1 iter_args(%a = %r) -> (tensor<6xf32>) {
    %parity = arith.remui %i, %c2 : index
    %odd = arith.cmpi eq, %parity, %c1 : index
    %b = scf.if %odd -> (tensor<6xf32>) {
      %s = arith.mulf %a, %outside : tensor<6xf32>
      scf.yield %s : tensor<6xf32>
    } else {
      scf.yield %a : tensor<6xf32>
    }
    %inner = scf.for %j = %c0 to %m step %c1 iter_args(%t = %b) -> (tensor<6xf32>) {
      %u = arith.addf %t, %r : tensor<6xf32>
      %v = math.tanh %u : tensor<6xf32>
      scf.yield %v : tensor<6xf32>
    }
    %d = arith.subf %inner, %a : tensor<6xf32>
    scf.yield %d : tensor<6xf32>
  }
  return %r, %z : tensor<6xf32>, tensor<6xf32>
}
"""


@pytest.mark.parametrize("n", [0, 1, 2, 3, 6])
@pytest.mark.parametrize("m", [0, 1, 3])
def test_branches_and_loops_in_each_other(compiled, n, m):
    x = tensor(6)
    outside = np.sin(x)
    r = x + m * outside if n > 2 else np.exp(outside)
    a = r
    for i in range(n):
        t = a * outside if i % 2 else a
        for _ in range(m):
            t = np.tanh(t + r)
        a = t - a
    check(compiled(NESTED), {"x": x, "k": np.array([n, m])}, r, a)


TRANSPOSED = """
func.func @main(%x: tensor<4x4xf32> {graph.name = "x", graph.dims = [4, 4]})
    -> (tensor<4x4xf32> {graph.name = "y"}, tensor<4x4xf32> {graph.name = "z"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c5 = arith.constant 5 : index
  %y, %z = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %x, %b = %x) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
    %e = tensor.empty() : tensor<4x4xf32>
    %t = linalg.transpose ins(%a : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) permutation = [1, 0]
    %m = math.tanh %b : tensor<4x4xf32>
    %parity = arith.remui %i, %c2 : index
    %odd = arith.cmpi eq, %parity, %c1 : index
    %r = scf.if %odd -> (tensor<4x4xf32>) {
      %s = arith.addf %t, %m : tensor<4x4xf32>
      scf.yield %s : tensor<4x4xf32>
    } else {
      %s = arith.subf %m, %t : tensor<4x4xf32>
      scf.yield %s : tensor<4x4xf32>
    }
    scf.yield %m, %r : tensor<4x4xf32>, tensor<4x4xf32>
  }
  return %y, %z : tensor<4x4xf32>, tensor<4x4xf32>
}
"""


def test_a_branch_reads_what_is_carried_through_an_index_map(compiled):
    """The map stands before the kernel that computes what the next trip gets; the branch
    that reads through it, behind."""
    x = tensor(4, 4)
    a, b = x, x
    for i in range(5):
        m = np.tanh(b)
        a, b = m, a.T + m if i % 2 else m - a.T
    check(compiled(TRANSPOSED), {"x": x}, a, b)


BY_VALUE = """
func.func @main(%x: tensor<2x3xf32> {graph.name = "x", graph.dims = [2, 3]})
    -> (tensor<2x3xf32> {graph.name = "y"}, tensor<2x3xi1> {graph.name = "z"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %zero = arith.constant dense<0.0> : tensor<2x3xf32>
  %two = arith.constant 2.0 : f32
  %seen = arith.cmpf ogt, %x, %zero : tensor<2x3xf32>
  %y, %z = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %x, %s = %seen) -> (tensor<2x3xf32>, tensor<2x3xi1>) {
    %sin = math.sin %a : tensor<2x3xf32>
    %first = tensor.extract %sin[%c1, %c0] : tensor<2x3xf32>
    %f0 = arith.constant 0.0 : f32
    %positive = arith.cmpf ogt, %first, %f0 : f32
    %next = scf.if %positive -> (tensor<2x3xf32>) {
      %t = arith.subf %sin, %x : tensor<2x3xf32>
      scf.yield %t : tensor<2x3xf32>
    } else {
      %t = arith.addf %sin, %a : tensor<2x3xf32>
      scf.yield %t : tensor<2x3xf32>
    }
    %more = arith.cmpf ogt, %next, %zero : tensor<2x3xf32>
    %is = tensor.extract %s[%c0, %c0] : tensor<2x3xi1>
    %flags = scf.if %is -> (tensor<2x3xi1>) {
      %o = arith.xori %s, %more : tensor<2x3xi1>
      scf.yield %o : tensor<2x3xi1>
    } else {
      scf.yield %more : tensor<2x3xi1>
    }
    scf.yield %next, %flags : tensor<2x3xf32>, tensor<2x3xi1>
  }
  return %y, %z : tensor<2x3xf32>, tensor<2x3xi1>
}
"""


def test_a_branch_by_what_a_kernel_computed(compiled):
    session = compiled(BY_VALUE)
    for _ in range(8):
        x = tensor(2, 3)
        a, s = x, x > 0
        for _ in range(5):
            sin = np.sin(a)
            a = sin - x if sin[1, 0] > 0 else sin + a
            s = s ^ (a > 0) if s[0, 0] else a > 0
        check(session, {"x": x}, a, s)


def test_sizes_that_change_are_refused(compiled):
    text = """
graph.symbol @n min 1 typical 8 max 64
func.func @main(%x: tensor<?xf32> {graph.name = "x", graph.dims = [@n]}) -> (tensor<?xf32> {graph.name = "y"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %y = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> (tensor<?xf32>) {
    %b = tensor.concat dim(0) %a, %x : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    scf.yield %b : tensor<?xf32>
  }
  return %y : tensor<?xf32>
}
"""
    with pytest.raises(tessera.CompileError, match="expects carried tensor 0 to keep its sizes"):
        compiled(text)


def test_a_profile_counts_as_the_manifest_does(tmp_path):
    """Of a loop all trips, of what is skipped no time."""
    (tmp_path / "m.mlir").write_text(NESTED)
    library = tessera.compile(tmp_path / "m.mlir")
    [calls] = json.loads(tessera.load(library).manifest)["calls"].values()
    np.savez(tmp_path / "in.npz", x=tensor(6), k=np.array([0, 3]))
    subprocess.run([find_compiler(), "run", library, "--input", tmp_path / "in.npz",
                    "--profile", tmp_path / "p.json"], check=True)
    seconds = json.loads((tmp_path / "p.json").read_text())["calls"]
    assert len(seconds) == len(calls)
    # No trip and the second branch: of the loops nothing but what they begin with.
    assert seconds[0] > 0 and seconds[-1] == 0 and 2 <= sum(s > 0 for s in seconds) <= 5
