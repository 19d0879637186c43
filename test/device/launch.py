"""Launches kernels from PTX text and launch data by the CUDA driver API.

The launch data is what `tessera-translate --gpu-binary-to-launches` prints; its
meaning is in lib/Target/PTX/KernelLaunch.h. torch owns the context and memory.
"""

import ctypes
import math

import torch

_cuda = ctypes.CDLL("libcuda.so.1")

# Values of the driver API's enumerations (cuda.h).
_MAX_DYNAMIC_SHARED_BYTES = 8
_PREFERRED_SHARED_CARVEOUT = 9
_TENSOR_MAP_TYPES = {torch.float16: 6, torch.bfloat16: 9}
_SWIZZLE_128B = 3
_PROMOTE_L2_128B = 2
_TENSOR_MAP_BYTES = 128
_TENSOR_MAP_ALIGNMENT = 64


def _check(status, what):
    if status:
        text = ctypes.c_char_p()
        _cuda.cuGetErrorString(status, ctypes.byref(text))
        raise RuntimeError(f"{what}: {status} {text.value!r}")


def _encode_tensor_map(tensor, box_rows, box_columns):
    """A row-major 2-D tensor as a tensor map; gives (buffer, address)."""
    if tensor.dim() != 2 or not tensor.is_contiguous():
        raise ValueError("expects a dense matrix")
    row_bytes = tensor.stride(0) * tensor.element_size()
    if row_bytes % 16 or tensor.data_ptr() % 16:
        raise ValueError(f"expects rows of a multiple of 16 bytes, but got "
                         f"{row_bytes}")
    if 0 in tensor.shape:
        raise ValueError("expects a matrix with elements")
    buffer = ctypes.create_string_buffer(
        _TENSOR_MAP_BYTES + _TENSOR_MAP_ALIGNMENT)
    address = -(-ctypes.addressof(buffer) // _TENSOR_MAP_ALIGNMENT)
    address *= _TENSOR_MAP_ALIGNMENT
    rows, columns = tensor.shape
    _check(_cuda.cuTensorMapEncodeTiled(
        ctypes.c_void_p(address), _TENSOR_MAP_TYPES[tensor.dtype], 2,
        ctypes.c_void_p(tensor.data_ptr()),
        (ctypes.c_uint64 * 2)(columns, rows), (ctypes.c_uint64 * 1)(row_bytes),
        (ctypes.c_uint32 * 2)(box_columns, box_rows),
        (ctypes.c_uint32 * 2)(1, 1), 0, _SWIZZLE_128B, _PROMOTE_L2_128B, 0),
        "cuTensorMapEncodeTiled")
    return buffer, address


class DeviceKernel:
    """A loaded kernel."""

    def __init__(self, ptx, launch, name):
        torch.cuda.init()
        torch.zeros(1, device="cuda")  # makes the context current
        self.launch = launch
        module, self.function = ctypes.c_void_p(), ctypes.c_void_p()
        _check(_cuda.cuModuleLoadData(ctypes.byref(module), ptx + b"\0"),
               f"{name}: cuModuleLoadData")
        _check(_cuda.cuModuleGetFunction(ctypes.byref(self.function), module,
                                         name.encode()), name)
        if launch["shared_bytes"]:
            _check(_cuda.cuFuncSetAttribute(
                self.function, _PREFERRED_SHARED_CARVEOUT, 100), "carveout")
            _check(_cuda.cuFuncSetAttribute(
                self.function, _MAX_DYNAMIC_SHARED_BYTES,
                launch["shared_bytes"]), "shared memory")
        self.processors = torch.cuda.get_device_properties(
            0).multi_processor_count

    def blocks(self, output):
        rows, columns = (output.shape if output.dim() == 2
                         else (1, output.numel()))
        tiles = (math.ceil(rows / self.launch["tile_rows"]) *
                 math.ceil(columns / self.launch["tile_columns"]))
        return min(tiles,
                   self.processors * self.launch["blocks_per_processor"])

    def bind(self, tensors, symbols):
        """A function that launches with `tensors` (inputs, then outputs) and the
        values of the kernel.func's symbols."""
        values, keep = [], []
        for parameter in self.launch["parameters"]:
            if "tensor_map" in parameter:
                buffer, address = _encode_tensor_map(
                    tensors[parameter["tensor_map"]], parameter["box_rows"],
                    parameter["box_columns"])
                keep.append(buffer)
                values.append(address)
                continue
            if "pointer" in parameter:
                value = ctypes.c_uint64(
                    tensors[parameter["pointer"]].data_ptr())
            else:
                value = ctypes.c_int64(symbols[parameter["symbol"]])
            keep.append(value)
            values.append(ctypes.addressof(value))
        array = (ctypes.c_void_p * len(values))(*values)
        blocks = self.blocks(tensors[self.launch["output"]])

        def run():
            stream = torch.cuda.current_stream().cuda_stream
            _check(_cuda.cuLaunchKernel(
                self.function, blocks, 1, 1, self.launch["threads"], 1, 1,
                self.launch["shared_bytes"], ctypes.c_void_p(stream), array,
                None), "cuLaunchKernel")

        run.keep = (keep, array, tensors)
        return run
