"""DLPack capsules of the runtime's tensors, and tensors of others' capsules."""

import ctypes
from ctypes import POINTER, byref, c_void_p, cast, py_object

from ._library import (
    LegacyManagedTensor,
    ManagedTensor,
    Tensor as RawTensor,
    TesseraError,
    check,
    library,
)
from ._types import NAMES

HOST = 1  # kDLCPU
DEVICE = (HOST, 0)
NEWEST_VERSION = (1, 1)
READ_ONLY, _, PADDED = 1, 2, 4  # DLPACK_FLAG_BITMASK_*

VERSIONED, LEGACY = b"dltensor_versioned", b"dltensor"

_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.restype = ctypes.c_int
_is_valid.argtypes = [py_object, ctypes.c_char_p]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = c_void_p
_pointer.argtypes = [py_object, ctypes.c_char_p]
_new = ctypes.pythonapi.PyCapsule_New
_new.restype = py_object
_new.argtypes = [c_void_p, ctypes.c_char_p, c_void_p]

# The same functions for a capsule that is being freed: no references to it.
_DESTRUCTOR = ctypes.PYFUNCTYPE(None, c_void_p)
_dying_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, c_void_p, ctypes.c_char_p)(
    ("PyCapsule_IsValid", ctypes.pythonapi)
)
_dying_pointer = ctypes.PYFUNCTYPE(c_void_p, c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


@_DESTRUCTOR
def _free_capsule(capsule):
    """Releases the tensor of a capsule that nobody consumed: a consumer renames it."""
    if _dying_is_valid(capsule, VERSIONED):
        library().tessera_tensor_release(_dying_pointer(capsule, VERSIONED))
    elif _dying_is_valid(capsule, LEGACY):
        address = _dying_pointer(capsule, LEGACY)
        cast(address, POINTER(LegacyManagedTensor)).contents.deleter(address)


class Tensor:
    """A result in the runtime's memory, for DLPack consumers: torch.from_dlpack,
    numpy.from_dlpack. All of them, and numpy(), see the same memory, which lives
    as long as any of them."""

    def __init__(self, managed):
        self._managed = cast(managed, c_void_p)
        self._release = library().tessera_tensor_release  # for __del__
        tensor = managed.contents.tensor
        self.shape = tuple(tensor.shape[: tensor.rank])
        key = (tensor.type.code, tensor.type.bits)
        self.dtype = NAMES.get(key, (f"code{key[0]}_bits{key[1]}",))[0]

    def __del__(self):
        self._release(self._managed)

    def __repr__(self):
        return f"tessera.Tensor(shape={self.shape}, dtype={self.dtype})"

    def _share(self):
        shared = c_void_p()
        check(library().tessera_tensor_share(self._managed, byref(shared)))
        return shared

    def __dlpack_device__(self):
        return DEVICE

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        if stream is not None:
            raise BufferError("a tensor in host memory has no stream")
        if dl_device is not None and tuple(dl_device) != DEVICE:
            raise BufferError(f"the tensor is in host memory, not on device {dl_device}")
        if copy:
            raise BufferError("the tensor is exported without a copy only")
        shared = self._share()
        if max_version is not None and max_version[0] >= 1:
            return _new(shared, VERSIONED, cast(_free_capsule, c_void_p))
        legacy = library().tessera_tensor_to_legacy(shared)
        return _new(legacy, LEGACY, cast(_free_capsule, c_void_p))

    def numpy(self):
        """A NumPy array on the same memory."""
        from ._tensors import to_array

        return to_array(cast(self._share(), POINTER(ManagedTensor)))


def from_dlpack(value, name, writeable=False):
    """A TesseraTensor on the memory of an object with `__dlpack__`, and what must
    live as long. The capsule is only borrowed: it frees its tensor when it dies."""
    try:
        try:
            capsule = value.__dlpack__(max_version=NEWEST_VERSION)
        except TypeError:  # a producer from before DLPack 1.0
            capsule = value.__dlpack__()
    except (BufferError, RuntimeError) as error:
        raise TesseraError(f"'{name}' cannot be taken by DLPack: {error}") from None
    if _is_valid(capsule, VERSIONED):
        managed = cast(_pointer(capsule, VERSIONED), POINTER(ManagedTensor)).contents
        if managed.version_major != 1:
            raise TesseraError(
                f"'{name}' expects DLPack version 1 but got {managed.version_major}"
            )
        if writeable and managed.flags & READ_ONLY:
            raise TesseraError(f"output '{name}' expects writeable memory, but it is read-only")
        if managed.tensor.type.bits < 8 and not managed.flags & PADDED:
            raise TesseraError(f"'{name}' expects elements of a byte each, but they are packed")
        return managed.tensor, (capsule, value)
    if _is_valid(capsule, LEGACY):
        return cast(_pointer(capsule, LEGACY), POINTER(RawTensor)).contents, (capsule, value)
    raise TesseraError(f"'{name}' gave no DLPack tensor")
