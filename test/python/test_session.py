"""tessera.load and Session over the hand-written model."""

import gc
import os
import threading

import numpy as np
import pytest
import tessera
from conftest import WEIGHTS, fixture_library


def operands(rows, seed=0):
    random = np.random.default_rng(seed)
    return [random.standard_normal((rows, 4), np.float32) for _ in range(2)]


def expected(x, y):
    return x + y + WEIGHTS


def test_ports_are_described_as_onnx_runtime_does(add_model):
    session = tessera.load(add_model)
    assert [port.name for port in session.get_inputs()] == ["x", "y"]
    assert session.get_inputs()[0].type == "tensor(float)"
    assert session.get_inputs()[0].shape == ["n", 4]
    assert session.get_inputs()[0].dtype == np.float32
    assert [port.name for port in session.get_outputs()] == ["z"]
    assert [port.name for port in session.get_taps()] == ["sum"]
    assert session.get_symbols() == {"n": (0, 8, 100000)}


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
@pytest.mark.parametrize("rows", [0, 1, 3, 1000])
def test_run(add_model, threads, rows):
    session = tessera.load(add_model, threads=threads)
    x, y = operands(rows)
    [z] = session.run(None, {"x": x, "y": y})
    np.testing.assert_array_equal(z, expected(x, y))
    assert z.dtype == np.float32 and z.shape == (rows, 4)


def test_named_outputs_may_be_taps(add_model):
    session = tessera.load(add_model)
    x, y = operands(3)
    total, z = session.run(["sum", "z"], {"y": y, "x": x})
    np.testing.assert_array_equal(total, x + y)
    np.testing.assert_array_equal(z, expected(x, y))


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2],
        lambda a: a[::-1],
        lambda a: np.asfortranarray(a),
        lambda a: a.astype(">f4"),
        lambda a: np.broadcast_to(a[:1], a.shape),
        lambda a: np.frombuffer(b"x" + a.tobytes(), np.float32, offset=1).reshape(a.shape),
    ],
    ids=["strided", "reversed", "fortran", "big-endian", "broadcast", "unaligned"],
)
def test_inputs_of_any_layout(add_model, view):
    x, y = (view(operand) for operand in operands(6))
    [z] = tessera.load(add_model).run(None, {"x": x, "y": y})
    np.testing.assert_array_equal(z, expected(x, y).astype(np.float32))


class Producer:
    """An array that offers DLPack only, of the given age."""

    def __init__(self, array, versioned):
        self.array, self.versioned = array, versioned

    def __dlpack__(self, **arguments):
        if not self.versioned and "max_version" in arguments:
            raise TypeError("no keyword max_version")
        return self.array.__dlpack__(**arguments)


@pytest.mark.parametrize("versioned", [False, True])
def test_dlpack_inputs(add_model, versioned):
    x, y = operands(5)
    inputs = {"x": Producer(x, versioned), "y": Producer(y[::-1], versioned)}
    [z] = tessera.load(add_model).run(None, inputs)
    np.testing.assert_array_equal(z, expected(x, y[::-1]))


def test_outputs_in_the_callers_memory(add_model):
    session = tessera.load(add_model)
    x, y = operands(5)
    target = np.empty((5, 4), np.float32)
    [z] = session.run(None, {"x": x, "y": y}, outputs={"z": target})
    assert z is target
    np.testing.assert_array_equal(target, expected(x, y))
    with pytest.raises(tessera.TesseraError, match=r"output 'z' has shape \(5, 4\) but .* \(4, 4\)"):
        session.run(None, {"x": x, "y": y}, outputs={"z": target[:4]})
    with pytest.raises(tessera.TesseraError, match="memory of output 'z' overlaps input 'x'"):
        session.run(None, {"x": x, "y": y}, outputs={"z": x})
    with pytest.raises(tessera.TesseraError, match="dense"):
        session.run(None, {"x": x, "y": y}, outputs={"z": np.empty((10, 4), np.float32)[::2]})


def test_outputs_outlive_their_session(add_model):
    x, y = operands(1000)
    results = tessera.load(add_model).run(None, {"x": x, "y": y})
    gc.collect()
    np.testing.assert_array_equal(results[0], expected(x, y))


def test_output_memory_is_not_reused_while_held(add_model):
    session = tessera.load(add_model)
    x, y = operands(100)
    [first] = session.run(None, {"x": x, "y": y})
    [second] = session.run(None, {"x": -x, "y": y})
    np.testing.assert_array_equal(first, expected(x, y))
    np.testing.assert_array_equal(second, expected(-x, y))


def test_other_entry(add_model):
    session = tessera.load(add_model, entry="pick")
    x, _ = operands(7)
    [row] = session.run(None, {"x": x, "index": np.array(3)})
    np.testing.assert_array_equal(row, x[3])
    with pytest.raises(tessera.TesseraError, match=r"node 'pick' \(Gather\): index out of range"):
        session.run(None, {"x": x, "index": np.array(7)})


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": None}, r"input 'x' \(float32 \(n, 4\)\) is missing"),
        ({"why": np.zeros(1)}, "the model has no input 'why'; did you mean 'y'"),
        ({"x": np.zeros((3, 4))}, "input 'x' expects float32 but got float64"),
        ({"x": np.zeros(4, "f4")}, r"input 'x' expects rank 2, float32 \(n, 4\), but got rank 1"),
        ({"x": np.zeros((3, 5), "f4")}, "input 'x' expects size 4 in dimension 1 but got 5"),
        (
            {"y": np.zeros((5, 4), "f4")},
            r"input 'y' has size 5 in dimension 0 \(n\) but input 'x' gave 3",
        ),
        ({"x": np.array(["text"])}, "input 'x' has NumPy type <U4, which no model takes"),
    ],
)
def test_wrong_inputs(add_model, change, message):
    x, y = operands(3)
    inputs = {"x": x, "y": y, **change}
    inputs = {name: value for name, value in inputs.items() if value is not None}
    with pytest.raises(tessera.TesseraError, match=message):
        tessera.load(add_model).run(None, inputs)


def test_weights_of_the_caller(weight_file):
    x, y = operands(3)
    model = fixture_library("fixture-weights-given")
    with pytest.raises(tessera.TesseraError, match="without its 16 bytes of weights"):
        tessera.load(model)
    [z] = tessera.load(model, weights=weight_file).run(None, {"x": x, "y": y})
    np.testing.assert_array_equal(z, expected(x, y))
    aligned = np.zeros(128, np.uint8)
    aligned = aligned[-aligned.ctypes.data % 64 :][:16]
    aligned[:] = WEIGHTS.view(np.uint8)
    [z] = tessera.load(model, weights=aligned, verify="full").run(None, {"x": x, "y": y})
    np.testing.assert_array_equal(z, expected(x, y))


def test_one_session_in_many_threads(add_model):
    session = tessera.load(add_model, threads=2)
    wrong = []

    def work(seed):
        for repeat in range(50):
            x, y = operands(1 + (seed * 7 + repeat) % 40, seed)
            [z] = session.run(None, {"x": x, "y": y})
            if not np.array_equal(z, expected(x, y)):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_session_works_in_a_forked_child(add_model):
    session = tessera.load(add_model, threads=3)
    x, y = operands(500)
    session.run(None, {"x": x, "y": y})
    child = os.fork()
    if child == 0:
        [z] = session.run(None, {"x": x, "y": y})
        os._exit(0 if np.array_equal(z, expected(x, y)) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_describe_and_manifest(add_model):
    session = tessera.load(add_model)
    assert "input   x: float32 (n, 4)" in session.describe()
    assert "storage 1 values in 128 bytes" in session.describe()
    assert session.manifest == '{"options": {}}'
    assert session.threads >= 1
