"""Tensors across the border, without copies."""

import ctypes
from ctypes import c_int64, c_void_p, cast, pointer

import numpy as np

from ._dlpack import HOST, from_dlpack
from ._library import ElementType, ManagedTensor, Tensor, TesseraError, library
from ._types import codes_by_dtype, dtype_of


def _int64_array(values):
    return (c_int64 * len(values))(*values)


def from_array(array, wanted, name):
    """A Tensor on the array's memory, and what must live as long. An unsigned
    integer array stands for a type of that width that NumPy does not have."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    itemsize = array.itemsize
    strides = None  # dense
    if not array.flags.c_contiguous:
        if any(stride % itemsize for stride in array.strides):
            array = np.ascontiguousarray(array)
        strides = _int64_array([stride // itemsize for stride in array.strides])
    key = codes_by_dtype().get(array.dtype)
    if array.dtype.kind == "u" and dtype_of(*wanted).kind in "uV" and itemsize * 8 == max(wanted[1], 8):
        key = wanted
    if key is None:
        raise TesseraError(f"input '{name}' has NumPy type {array.dtype}, which no model takes")
    shape = _int64_array(array.shape)
    tensor = Tensor(
        array.__array_interface__["data"][0],
        HOST,
        0,
        array.ndim,
        ElementType(*key),
        1,
        shape,
        strides,
        0,
    )
    return tensor, (array, shape, strides)


def from_object(value, wanted, name):
    """A Tensor for a NumPy array, an object with `__dlpack__`, or what NumPy can
    make an array of; `wanted` is the (code, bits) of the input."""
    if isinstance(value, np.ndarray):
        return from_array(value, wanted, name)
    if hasattr(value, "__dlpack__") and not isinstance(value, np.generic):
        return from_dlpack(value, name)
    return from_array(np.asarray(value), wanted, name)


class _Owner:
    """Releases the runtime's tensor when the last array on it is gone."""

    def __init__(self, managed):
        self.managed = managed
        # Module globals may be gone when the interpreter ends.
        self.release = library().tessera_tensor_release

    def __del__(self):
        self.release(self.managed)


def to_array(managed):
    """A NumPy array on a tensor of the runtime, which it then owns."""
    owner = _Owner(cast(managed, c_void_p))
    tensor = managed.contents.tensor
    shape = tensor.shape[: tensor.rank]
    bits = tensor.type.bits
    count = 1
    for size in shape:
        count *= size
    byte_count = count * ((bits + 7) // 8)
    dtype = dtype_of(tensor.type.code, bits)
    if byte_count == 0:
        return np.empty(shape, dtype)
    memory = (ctypes.c_uint8 * byte_count).from_address(tensor.data + tensor.byte_offset)
    memory.owner = owner
    return np.frombuffer(memory, dtype).reshape(shape)


def as_output(value, wanted, name):
    """A ManagedTensor on the caller's memory, and what must live as long; `wanted` is
    the (code, bits) of the output."""
    if isinstance(value, np.ndarray):
        if not value.flags.writeable:
            raise TesseraError(f"output '{name}' expects writeable memory, but it is read-only")
        if not value.dtype.isnative:
            raise TesseraError(f"output '{name}' expects native byte order")
        tensor, keep = from_array(value, wanted, name)
        if keep[0] is not value:  # a copy: its strides are no whole elements
            raise TesseraError(f"output '{name}' expects dense memory")
    elif hasattr(value, "__dlpack__"):
        tensor, keep = from_dlpack(value, name, writeable=True)
    else:
        raise TesseraError(f"output '{name}' expects a NumPy array or an object with __dlpack__")
    managed = ManagedTensor(1, 0, None, None, 0, tensor)
    return pointer(managed), (managed, keep)
