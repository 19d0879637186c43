"""Loading and running compiled models, in the manner of ONNX Runtime."""

import ctypes
import os
from ctypes import POINTER, byref, c_void_p, pointer

import numpy as np

from ._caches import Caches
from ._dlpack import Tensor
from ._host_pool import HostPool
from ._library import (
    InputBinding,
    LoadOptions,
    ManagedTensor,
    OutputBinding,
    PortInfo,
    SessionOptions,
    SymbolInfo,
    TesseraError,
    check,
    library,
)
from ._tensors import as_output, from_object, to_array
from ._types import dtype_of, type_string

INPUTS, OUTPUTS, TAPS = range(3)
VERIFY = {"default": 0, "full": 1, "mark": 2}


class Port:
    """An input, an output or a tapped intermediate.

    `name`; `type`, such as "tensor(float)"; `shape`, a list of numbers and, for
    sizes known at run time only, strings; `dtype`, NumPy's; `extends`, of an output
    that begins with the elements of an input, the input's name and the axis along
    which new ones follow, else None.
    """

    def __init__(self, info, inputs=()):
        self.name = info.name.decode()
        self.element_type = (info.type.code, info.type.bits)
        self.type = type_string(*self.element_type)
        self.dtype = dtype_of(*self.element_type)
        self.shape = [
            info.symbols[axis].decode() if info.symbols[axis] else info.dims[axis]
            for axis in range(info.rank)
        ]
        self.extends = (inputs[info.alias].name, info.axis) if inputs and info.alias >= 0 else None

    def __repr__(self):
        return f"Port(name={self.name!r}, type={self.type!r}, shape={self.shape!r})"


class Session:
    """A loaded model, ready to run. Threads may run one session at once."""

    def __init__(
        self,
        path,
        threads=0,
        weights=None,
        entry=None,
        verify="default",
        parallel_for=None,
        workers=None,
    ):
        self._session = self._model = None  # for __del__
        self._library = library()
        if verify not in VERIFY:
            raise TesseraError(f"expects verify as one of {sorted(VERIFY)} but got {verify!r}")
        load_options = LoadOptions(size=ctypes.sizeof(LoadOptions), verify=VERIFY[verify])
        if weights is not None:
            self._set_weights(load_options, weights)
        model = c_void_p()
        check(
            self._library.tessera_model_load(
                os.fsencode(path), byref(load_options), byref(model)
            )
        )
        self._model = model
        options = SessionOptions(
            size=ctypes.sizeof(SessionOptions),
            threads=threads,
            entry=entry.encode() if entry else None,
        )
        self._pool = HostPool(parallel_for, workers) if parallel_for else None
        if self._pool:
            options.parallel_for = self._pool.address()
            options.max_workers = self._pool.workers
        session = c_void_p()
        check(self._library.tessera_session_create(model, byref(options), byref(session)))
        self._session = session
        inputs = self._read_ports(INPUTS)
        self._ports = [inputs, self._read_ports(OUTPUTS, inputs), self._read_ports(TAPS)]
        self._by_name = [{port.name: port for port in ports} for ports in self._ports]

    def _set_weights(self, options, weights):
        if isinstance(weights, (str, os.PathLike)):
            options.weights_path = os.fsencode(weights)
            return
        data = np.frombuffer(weights, np.uint8)
        self._weights = data  # the session reads from it
        options.weights_data = data.ctypes.data
        options.weights_bytes = data.nbytes

    def _read_ports(self, group, inputs=()):
        ports = []
        for index in range(self._library.tessera_session_port_count(self._session, group)):
            info = PortInfo(size=ctypes.sizeof(PortInfo))
            check(self._library.tessera_session_port(self._session, group, index, byref(info)))
            ports.append(Port(info, inputs))
        return ports

    def __del__(self):
        if self._session:
            self._library.tessera_session_release(self._session)
        if self._model:
            self._library.tessera_model_release(self._model)

    def get_inputs(self):
        return list(self._ports[INPUTS])

    def get_outputs(self):
        return list(self._ports[OUTPUTS])

    def get_taps(self):
        """Intermediates that run() gives when asked for by name."""
        return list(self._ports[TAPS])

    def get_symbols(self):
        """The sizes that the inputs bind: name to (least, typical, largest)."""
        symbols = {}
        for index in range(self._library.tessera_session_symbol_count(self._session)):
            info = SymbolInfo(size=ctypes.sizeof(SymbolInfo))
            check(self._library.tessera_session_symbol(self._session, index, byref(info)))
            symbols[info.name.decode()] = (info.min, info.typical, info.max)
        return symbols

    def storage(self, **sizes):
        """Bytes that a run takes beside inputs, outputs and weights, and the most
        that are alive at once, at these sizes of the symbols (else typical ones)."""
        symbols = self.get_symbols()
        values = [sizes.get(name, typical) for name, (_, typical, _) in symbols.items()]
        given, bytes_, alive = (ctypes.c_int64 * len(values))(*values), ctypes.c_int64(), ctypes.c_int64()
        check(
            self._library.tessera_session_storage(
                self._session, given, len(values), byref(bytes_), byref(alive)
            )
        )
        return bytes_.value, alive.value

    @property
    def threads(self):
        """Number of threads that a run uses."""
        return self._library.tessera_session_threads(self._session)

    @property
    def manifest(self):
        """JSON text that the compiler wrote about the model."""
        return self._library.tessera_model_manifest(self._model).decode()

    def describe(self):
        """What the model is, as text for people."""
        return self._library.tessera_model_describe(self._model).decode()

    def make_caches(self, capacity, **sizes):
        """Caches for the inputs that outputs extend, with room for `capacity`
        positions; `sizes` are those of their other dimensions, such as batch=1."""
        return Caches(self, capacity, sizes)

    def _run_in_place(self, names, inputs, outputs, caches):
        """run() with caches: the past is read there, new elements are written
        behind it."""
        if names is None:
            names = [name for name in self._names(None) if name not in caches.outputs()]
        names = list(names)
        inputs = {**inputs, **caches.past()}
        shapes = self._output_shapes(inputs, caches.outputs())
        outputs = {
            **(outputs or {}),
            **{name: caches.room(name, shape) for name, shape in shapes.items()},
        }
        asked = names + [name for name in shapes if name not in names]
        results = dict(zip(asked, self.run(asked, inputs, outputs)))
        for name, shape in shapes.items():
            caches.written(name, shape)
        return [results[name] for name in names]

    def _output_shapes(self, inputs, names):
        """The sizes of the outputs called `names` of a run with these inputs."""
        keep = []
        bindings = self._bind_inputs(inputs, keep)
        numbers = {port.name: i for i, port in enumerate(self._ports[OUTPUTS])}
        shapes = {}
        for name in names:
            index = numbers[name]
            shape = (ctypes.c_int64 * len(self._ports[OUTPUTS][index].shape))()
            check(
                self._library.tessera_session_output_shape(
                    self._session, bindings, len(bindings), index, shape
                )
            )
            shapes[name] = list(shape)
        return shapes

    def run(self, names, inputs, outputs=None, caches=None):
        """Runs the model and returns the outputs called `names` (None: all) as
        a list of NumPy arrays.

        `inputs` maps names to NumPy arrays or to anything with `__dlpack__` in
        host memory; dense ones are not copied. `outputs` maps names to NumPy
        arrays, or writeable objects with `__dlpack__`, that take the results, with
        the exact type and shape, C-contiguous; they are returned as they are. One
        that extends an input may have strides that leave room to grow. `caches` (see
        make_caches) gives the inputs that outputs extend and takes these outputs,
        in place; names of None then leave them out.
        """
        if caches is not None:
            return self._run_in_place(names, inputs, outputs, caches)
        outputs = outputs or {}
        names = self._names(names)
        for name in outputs:
            if name not in names:
                raise TesseraError(f"output '{name}' is given memory but not asked for")
        return [
            outputs[name] if name in outputs else to_array(managed)
            for name, managed in zip(names, self._run(names, inputs, outputs))
        ]

    def run_tensors(self, names, inputs):
        """As run(), but the results are tessera.Tensor, for DLPack consumers; also
        of types that NumPy does not have."""
        names = self._names(names)
        return [Tensor(managed) for managed in self._run(names, inputs, {})]

    def _names(self, names):
        return [port.name for port in self._ports[OUTPUTS]] if names is None else list(names)

    def _bind_inputs(self, inputs, keep):
        bindings = (InputBinding * len(inputs))()
        for binding, (name, value) in zip(bindings, inputs.items()):
            port = self._by_name[INPUTS].get(name)
            binding.name = name.encode()
            tensor, owner = from_object(value, port.element_type if port else (0, 0), name)
            keep.append((tensor, owner))
            binding.tensor = pointer(tensor)
        return bindings

    def _run(self, names, inputs, outputs):
        """Runs the model; returns a pointer to the ManagedTensor of each output."""
        keep = []
        input_bindings = self._bind_inputs(inputs, keep)
        output_bindings = (OutputBinding * len(names))()
        for binding, name in zip(output_bindings, names):
            binding.name = name.encode()
            if name in outputs:
                port = self._by_name[OUTPUTS].get(name)
                wanted = port.element_type if port else (0, 0)
                binding.tensor, owner = as_output(outputs[name], wanted, name)
                keep.append(owner)
        status = self._library.tessera_session_run(
            self._session, input_bindings, len(inputs), output_bindings, len(names)
        )
        if self._pool:
            self._pool.raise_error()
        check(status)
        return [binding.tensor for binding in output_bindings]


def load(
    path,
    threads=0,
    weights=None,
    entry=None,
    verify="default",
    parallel_for=None,
    workers=None,
):
    """Loads a compiled model.

    threads: number of threads, the caller's included; 0: one per core that this
        process may use.
    weights: a weight file to use instead of the model's own, or a 64-byte
        aligned buffer with the bytes.
    entry: name of the function to run; None: the model's first.
    verify: "default", "full" (hash all weights) or "mark" (hash none).
    parallel_for, workers: the program's own threads instead of the runtime's.
        parallel_for(tasks, run) calls run(task, worker) once for each task from 0
        to tasks-1, on any threads, and returns when all have ended; `worker` is
        below `workers`, and no two tasks run at once with the same one. What it
        raises, run() raises.
    """
    return Session(path, threads, weights, entry, verify, parallel_for, workers)
