"""DLPack in and out without copies, by the addresses that the model's code sees.

The tests with PyTorch's tensors are test/models/test_torch_tensors.py."""

import gc
import threading
import weakref

import numpy as np
import pytest
import tessera
from conftest import WEIGHTS


@pytest.fixture
def where(add_model):
    """Gives the addresses of input x and of the output."""
    return tessera.load(add_model, entry="where")


@pytest.fixture
def session(add_model):
    return tessera.load(add_model)


class Exporter:
    """An array that offers DLPack only and counts the capsules that live."""

    def __init__(self, array, versioned=True):
        self.array, self.versioned, self.asked = array, versioned, []

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, **arguments):
        self.asked.append(arguments)
        if not self.versioned and arguments:
            raise TypeError("no keyword max_version")
        return self.array.__dlpack__(**arguments)


def matrix(rows=5):
    return np.arange(rows * 4, dtype=np.float32).reshape(rows, 4)


@pytest.mark.parametrize("versioned", [False, True])
def test_inputs_are_read_where_they_are(where, versioned):
    x = matrix()
    for value in (x, x[1:3], Exporter(x, versioned), Exporter(x[2:], versioned)):
        array = getattr(value, "array", value)
        [addresses] = where.run(None, {"x": value})
        assert addresses[0] == array.ctypes.data
        assert addresses[1] == addresses.ctypes.data


def test_the_newest_version_is_asked_for(where):
    exporter = Exporter(matrix())
    where.run(None, {"x": exporter})
    assert [arguments["max_version"][0] for arguments in exporter.asked] == [1]


@pytest.mark.parametrize("versioned", [False, True])
def test_inputs_are_released_once(where, versioned):
    class Array(np.ndarray):  # takes weak references
        pass

    x = matrix().view(Array)
    alive = weakref.ref(x)
    where.run(None, {"x": Exporter(x, versioned)})
    assert alive() is not None
    del x
    gc.collect()
    assert alive() is None


def test_read_only_memory_is_an_input_and_no_output(session):
    x = matrix()
    x.flags.writeable = False
    [z] = session.run(None, {"x": x, "y": Exporter(x)})
    np.testing.assert_array_equal(z, 2 * x + WEIGHTS)
    for target in (x, Exporter(x)):
        with pytest.raises(tessera.TesseraError, match="'z' expects writeable memory"):
            session.run(None, {"x": x, "y": x}, outputs={"z": target})


def test_strides_are_taken(session):
    x = np.arange(80, dtype=np.float32).reshape(4, 20).T[::2]  # (10, 4)
    [z] = session.run(None, {"x": Exporter(x), "y": Exporter(x[::-1])})
    np.testing.assert_array_equal(z, x + x[::-1] + WEIGHTS)


def test_outputs_by_dlpack_are_written_in_place(where):
    addresses = np.zeros(2, np.int64)
    target = Exporter(addresses)
    [result] = where.run(None, {"x": matrix()}, outputs={"addresses": target})
    assert result is target
    assert addresses[1] == addresses.ctypes.data


@pytest.mark.parametrize("versioned", [False, True])
def test_results_go_to_consumers_without_copies(where, versioned):
    x = matrix()
    [tensor] = where.run_tensors(None, {"x": x})
    assert (tensor.shape, tensor.dtype) == ((2,), "int64")
    source = tensor if versioned else Exporter(tensor, versioned=False)
    arrays = [np.from_dlpack(source), np.from_dlpack(source), tensor.numpy()]
    del tensor, source
    gc.collect()
    for array in arrays:
        assert array.ctypes.data == array[1] and array[0] == x.ctypes.data


def test_capsules_have_the_version_that_is_asked_for(session):
    [z] = session.run_tensors(None, {"x": matrix(), "y": matrix()})
    assert '"dltensor"' in repr(z.__dlpack__())
    assert '"dltensor"' in repr(z.__dlpack__(max_version=(0, 8)))
    assert '"dltensor_versioned"' in repr(z.__dlpack__(max_version=(1, 0)))
    assert z.__dlpack_device__() == (1, 0)
    for wrong in ({"stream": 1}, {"dl_device": (2, 0)}, {"copy": True}):
        with pytest.raises(BufferError):
            z.__dlpack__(**wrong)


def test_memory_of_results_comes_back_when_all_are_gone(where):
    """The pool gives the block again, and only then."""
    x = matrix()

    def address():
        return int(where.run(None, {"x": x})[0][1])

    [tensor] = where.run_tensors(None, {"x": x})
    first = int(tensor.numpy()[1])
    unused = [tensor.__dlpack__(), tensor.__dlpack__(max_version=(1, 0))]
    consumed = np.from_dlpack(tensor)
    for holder in ("tensor", "unused", "consumed"):
        assert address() != first, holder
        if holder == "tensor":
            del tensor
        elif holder == "unused":
            del unused
        else:
            del consumed
        gc.collect()
    assert address() == first


def test_results_are_released_in_other_threads(session):
    def work():
        for _ in range(50):
            [z] = session.run_tensors(None, {"x": matrix(), "y": matrix()})
            held.append(np.from_dlpack(z))

    held = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((z == 2 * matrix() + WEIGHTS).all() for z in held)
    releaser = threading.Thread(target=held.clear)
    releaser.start()
    releaser.join()


class Foreign:
    def __init__(self, error):
        self.error = error

    def __dlpack__(self, **arguments):
        raise self.error


@pytest.mark.parametrize("error", [BufferError("on the moon"), RuntimeError("on the moon")])
def test_what_cannot_be_exported_is_named(where, error):
    with pytest.raises(tessera.TesseraError, match="'x' cannot be taken by DLPack: on the moon"):
        where.run(None, {"x": Foreign(error)})


def test_a_thing_without_a_tensor_is_named(where):
    class Empty:
        def __dlpack__(self, **arguments):
            return None

    with pytest.raises(tessera.TesseraError, match="'x' gave no DLPack tensor"):
        where.run(None, {"x": Empty()})
