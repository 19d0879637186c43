"""Element types: DLPack code and bits, NumPy dtype, ONNX Runtime's name."""

import functools

import numpy as np

# (code, bits): (name in NumPy or ml_dtypes, name in `tensor(...)`)
NAMES = {
    (0, 8): ("int8", "int8"),
    (0, 16): ("int16", "int16"),
    (0, 32): ("int32", "int32"),
    (0, 64): ("int64", "int64"),
    (0, 4): ("int4", "int4"),
    (0, 2): ("int2", "int2"),
    (1, 8): ("uint8", "uint8"),
    (1, 16): ("uint16", "uint16"),
    (1, 32): ("uint32", "uint32"),
    (1, 64): ("uint64", "uint64"),
    (1, 4): ("uint4", "uint4"),
    (1, 2): ("uint2", "uint2"),
    (2, 16): ("float16", "float16"),
    (2, 32): ("float32", "float"),
    (2, 64): ("float64", "double"),
    (4, 16): ("bfloat16", "bfloat16"),
    (5, 64): ("complex64", "complex64"),
    (5, 128): ("complex128", "complex128"),
    (6, 8): ("bool", "bool"),
    (7, 8): ("float8_e3m4", "float8e3m4"),
    (8, 8): ("float8_e4m3", "float8e4m3"),
    (9, 8): ("float8_e4m3b11fnuz", "float8e4m3b11fnuz"),
    (10, 8): ("float8_e4m3fn", "float8e4m3fn"),
    (11, 8): ("float8_e4m3fnuz", "float8e4m3fnuz"),
    (12, 8): ("float8_e5m2", "float8e5m2"),
    (13, 8): ("float8_e5m2fnuz", "float8e5m2fnuz"),
    (14, 8): ("float8_e8m0fnu", "float8e8m0"),
    (17, 4): ("float4_e2m1fn", "float4e2m1"),
}


@functools.lru_cache(maxsize=None)
def dtype_of(code, bits):
    """The NumPy dtype, from ml_dtypes for types that NumPy lacks; where that is
    not installed, the unsigned integer that holds the bits. Elements of types
    narrower than a byte take one each."""
    name = NAMES.get((code, bits), (None, None))[0]
    if name:
        try:
            return np.dtype(name)
        except TypeError:
            try:
                import ml_dtypes

                return np.dtype(getattr(ml_dtypes, name))
            except (ImportError, AttributeError):
                pass
    return np.dtype(f"uint{max(bits, 8)}")


@functools.lru_cache(maxsize=None)
def codes_by_dtype():
    return {
        dtype_of(*key): key for key, (name, _) in NAMES.items() if name and dtype_of(*key).name == name
    }


def type_string(code, bits):
    """ONNX Runtime's spelling: "tensor(float)"."""
    name = NAMES.get((code, bits), (None, f"code{code}_bits{bits}"))[1]
    return f"tensor({name})"
