"""Compile ONNX models to native code and run them.

    import tessera
    tessera.compile("model.onnx", "model.so", shape={"batch": 8})
    session = tessera.load("model.so")
    [logits] = session.run(None, {"input_ids": ids})
"""

from ._caches import Caches
from ._compile import CompileError, compile
from ._dlpack import Tensor
from ._library import TesseraError
from ._session import Port, Session, load

__all__ = ["Caches", "CompileError", "Port", "Session", "Tensor", "TesseraError", "compile", "load"]
