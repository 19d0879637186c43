"""The runtime's C API (include/tessera/runtime.h) by ctypes."""

import ctypes
import os
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_int32,
    c_int64,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path

LIBRARY_VARIABLE = "TESSERA_RUNTIME_LIBRARY"
BUILD_VARIABLE = "TESSERA_BUILD_DIR"


class TesseraError(Exception):
    """A model could not be loaded or run. `status` is the TesseraStatus code."""

    def __init__(self, message, status=None):
        super().__init__(message)
        self.status = status


class ElementType(Structure):
    _fields_ = [("code", c_uint8), ("bits", c_uint8)]


class Tensor(Structure):
    """TesseraTensor, which is DLTensor."""

    _fields_ = [
        ("data", c_void_p),
        ("device_type", c_int32),
        ("device_id", c_int32),
        ("rank", c_int32),
        ("type", ElementType),
        ("lanes", c_uint16),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


class ManagedTensor(Structure):
    """TesseraManagedTensor, which is DLManagedTensorVersioned."""

    _fields_ = [
        ("version_major", c_uint32),
        ("version_minor", c_uint32),
        ("manager_context", c_void_p),
        ("deleter", c_void_p),
        ("flags", c_uint64),
        ("tensor", Tensor),
    ]


class LegacyManagedTensor(Structure):
    """TesseraLegacyManagedTensor, which is DLManagedTensor."""

    _fields_ = [
        ("tensor", Tensor),
        ("manager_context", c_void_p),
        ("deleter", CFUNCTYPE(None, c_void_p)),
    ]


class LoadOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("verify", c_uint32),
        ("weights_path", c_char_p),
        ("weights_data", c_void_p),
        ("weights_bytes", c_uint64),
    ]


class SessionOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("threads", c_int32),
        ("entry", c_char_p),
        ("parallel_for", c_void_p),
        ("pool", c_void_p),
        ("max_workers", c_int64),
    ]


class PortInfo(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("rank", c_int32),
        ("name", c_char_p),
        ("type", ElementType),
        ("dims", POINTER(c_int64)),
        ("symbols", POINTER(c_char_p)),
        ("alias", c_int32),
        ("axis", c_int32),
    ]


class SymbolInfo(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("name", c_char_p),
        ("min", c_int64),
        ("typical", c_int64),
        ("max", c_int64),
    ]


class InputBinding(Structure):
    _fields_ = [("name", c_char_p), ("tensor", POINTER(Tensor))]


class OutputBinding(Structure):
    _fields_ = [("name", c_char_p), ("tensor", POINTER(ManagedTensor))]


# name: (result, arguments)
PROTOTYPES = {
    "tessera_error_message": (c_char_p, []),
    "tessera_runtime_version": (c_char_p, []),
    "tessera_type_name": (c_char_p, [ElementType]),
    "tessera_tensor_release": (None, [c_void_p]),
    "tessera_tensor_share": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "tessera_tensor_to_legacy": (c_void_p, [c_void_p]),
    "tessera_model_load": (c_int32, [c_char_p, POINTER(LoadOptions), POINTER(c_void_p)]),
    "tessera_model_release": (None, [c_void_p]),
    "tessera_model_manifest": (c_char_p, [c_void_p]),
    "tessera_model_describe": (c_char_p, [c_void_p]),
    "tessera_session_create": (
        c_int32,
        [c_void_p, POINTER(SessionOptions), POINTER(c_void_p)],
    ),
    "tessera_session_release": (None, [c_void_p]),
    "tessera_session_threads": (c_int64, [c_void_p]),
    "tessera_session_port_count": (c_int64, [c_void_p, c_int32]),
    "tessera_session_port": (c_int32, [c_void_p, c_int32, c_int64, POINTER(PortInfo)]),
    "tessera_session_symbol_count": (c_int64, [c_void_p]),
    "tessera_session_symbol": (c_int32, [c_void_p, c_int64, POINTER(SymbolInfo)]),
    "tessera_session_run": (
        c_int32,
        [c_void_p, POINTER(InputBinding), c_int64, POINTER(OutputBinding), c_int64],
    ),
    "tessera_session_storage": (
        c_int32,
        [c_void_p, POINTER(c_int64), c_int64, POINTER(c_int64), POINTER(c_int64)],
    ),
    "tessera_session_output_shape": (
        c_int32,
        [c_void_p, POINTER(InputBinding), c_int64, c_int64, POINTER(c_int64)],
    ),
}


def find_in_builds(relative):
    """RELATIVE in the build folder that the environment names, else the newest
    in any `build*` folder of the repository that this package lies in; or None.
    A plain Python cannot load what is built with sanitizers."""
    named = os.environ.get(BUILD_VARIABLE)
    folders = [Path(named)] if named else Path(__file__).resolve().parents[2].glob("build*")
    folders = [folder for folder in folders if named or "sanitize" not in folder.name]
    found = [folder / relative for folder in folders if (folder / relative).is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def find_library():
    """The runtime library: named by the environment, beside this package, or in
    a build folder of the repository."""
    named = os.environ.get(LIBRARY_VARIABLE)
    if named:
        return Path(named)
    beside = Path(__file__).resolve().parent / "libtessera_runtime.so"
    if beside.is_file():
        return beside
    built = find_in_builds("lib/libtessera_runtime.so")
    if built is None:
        raise TesseraError(
            "libtessera_runtime.so was not found: build the target "
            f"tessera_runtime, or name the library in {LIBRARY_VARIABLE}"
        )
    return built


_loaded = None


def library():
    """The loaded library, with the prototypes of its functions."""
    global _loaded
    if _loaded is None:
        path = find_library()
        try:
            loaded = ctypes.CDLL(str(path))
        except OSError as error:
            raise TesseraError(f"cannot load the runtime: {error}") from None
        for name, (result, arguments) in PROTOTYPES.items():
            function = getattr(loaded, name)
            function.restype = result
            function.argtypes = arguments
        _loaded = loaded
    return _loaded


def check(status):
    """Raises the library's message unless the status is success."""
    if status:
        message = library().tessera_error_message().decode("utf-8", "replace")
        raise TesseraError(message, status)
