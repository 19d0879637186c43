"""Element types that NumPy has, that ml_dtypes has, and that neither has."""

import builtins

import numpy as np
import pytest
from tessera import TesseraError, _types
from tessera._tensors import as_output, from_array


@pytest.mark.parametrize(
    "key, dtype, text",
    [
        ((2, 32), "float32", "tensor(float)"),
        ((2, 64), "float64", "tensor(double)"),
        ((2, 16), "float16", "tensor(float16)"),
        ((0, 64), "int64", "tensor(int64)"),
        ((1, 8), "uint8", "tensor(uint8)"),
        ((6, 8), "bool", "tensor(bool)"),
        ((99, 16), "uint16", "tensor(code99_bits16)"),
    ],
)
def test_types_of_numpy(key, dtype, text):
    assert _types.dtype_of(*key) == np.dtype(dtype)
    assert _types.type_string(*key) == text


def test_types_of_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert _types.dtype_of(4, 16) == np.dtype(ml_dtypes.bfloat16)
    assert _types.dtype_of(10, 8) == np.dtype(ml_dtypes.float8_e4m3fn)
    assert _types.dtype_of(0, 4) == np.dtype(ml_dtypes.int4)
    assert _types.dtype_of(17, 4) == np.dtype(ml_dtypes.float4_e2m1fn)
    tensor, _ = from_array(np.zeros(3, ml_dtypes.uint4), (1, 4), "x")
    assert (tensor.type.code, tensor.type.bits) == (1, 4)
    tensor, _ = from_array(np.zeros(3, ml_dtypes.bfloat16), (4, 16), "x")
    assert (tensor.type.code, tensor.type.bits) == (4, 16)


def test_without_ml_dtypes_the_bits_are_unsigned(monkeypatch):
    real_import = builtins.__import__

    def without(name, *arguments, **options):
        if name == "ml_dtypes":
            raise ImportError(name)
        return real_import(name, *arguments, **options)

    # NumPy itself knows bfloat16 by name once ml_dtypes was imported.
    real_dtype = np.dtype
    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(_types.np, "dtype", _refuse_bfloat16(real_dtype))
    assert _types.dtype_of.__wrapped__(4, 16) == real_dtype("uint16")


def _refuse_bfloat16(real_dtype):
    def dtype(name):
        if name == "bfloat16":
            raise TypeError(name)
        return real_dtype(name)

    return dtype


@pytest.mark.parametrize("wanted, dtype", [((4, 16), np.uint16), ((10, 8), np.uint8)])
def test_raw_bits_stand_for_types_that_numpy_lacks(wanted, dtype):
    tensor, _ = from_array(np.zeros(3, dtype), wanted, "x")
    assert (tensor.type.code, tensor.type.bits) == wanted


def test_raw_bits_do_not_stand_for_types_that_numpy_has():
    tensor, _ = from_array(np.zeros(3, np.uint32), (2, 32), "x")
    assert (tensor.type.code, tensor.type.bits) == (1, 32)


@pytest.mark.parametrize("wanted", [(1, 8), (10, 8)])
def test_outputs_of_bytes_have_the_models_type(wanted):
    managed, _ = as_output(np.zeros(3, np.uint8), wanted, "z")
    kind = managed.contents.tensor.type
    assert (kind.code, kind.bits) == wanted


def test_outputs_need_writeable_memory():
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    with pytest.raises(TesseraError, match="output 'z' expects writeable memory"):
        as_output(array, (2, 32), "z")
    with pytest.raises(TesseraError, match="output 'z' expects native byte order"):
        as_output(np.zeros(3, ">f4"), (2, 32), "z")
