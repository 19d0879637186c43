"""What the device tests run: kernel texts, schedules, shapes and references."""

from dataclasses import dataclass, field
from typing import Callable

def _tile(rows, columns, depth, stages, consumers, ping_pong=False):
    return (f"#kernel.warpgroup_contraction<rows = {rows}, columns = {columns}, "
            f"depth = {depth}, stages = {stages}, consumers = {consumers}, "
            f"rasterRows = 8{', pingPong = true' if ping_pong else ''}>")


# Tiles: rows, columns, depth, stages, consumers. Each is a name in the tables and the
# suffix of the kernel's files. The first is what the route proposes first.
CONTRACTION_SCHEDULES = {
    "128x256x64s4c2": _tile(128, 256, 64, 4, 2),
    "128x192x64s4c2": _tile(128, 192, 64, 4, 2),
    "128x128x64s5c2": _tile(128, 128, 64, 5, 2),
    "128x128x128s3c2": _tile(128, 128, 128, 3, 2),
    "192x128x64s4c3": _tile(192, 128, 64, 4, 3),
    "256x128x64s3c2": _tile(256, 128, 64, 3, 2),
    "128x128x64s6pp": _tile(128, 128, 64, 6, 2, ping_pong=True),
    "64x256x64s4pp": _tile(64, 256, 64, 4, 2, ping_pong=True),
    "64x128x64s6pp": _tile(64, 128, 64, 6, 2, ping_pong=True),
    "64x128x64s6c1": _tile(64, 128, 64, 6, 1),
}
ELEMENTWISE_SCHEDULES = {"default": ""}

# Rows, columns, depth: whole tiles; every edge ragged; less than one tile; one
# row; many tiles for each block.
CONTRACTION_SHAPES = [
    (256, 512, 256), (1000, 1016, 1000), (77, 264, 72), (1, 64, 8),
    (130, 8, 4096), (3000, 3080, 136), (4096, 4096, 192),
]
CONTRACTION_TIMED = [
    (4096, 4096, 4096), (8192, 8192, 8192), (8192, 1024, 4096),
    (8192, 4096, 1024), (2048, 3072, 768), (1024, 1024, 1024),
]
ELEMENTWISE_SHAPES = [(1, 1), (7, 13), (128, 768), (1000, 1003), (3, 40961)]
ELEMENTWISE_TIMED = [(8192, 8192), (4096, 1024)]


@dataclass
class Kernel:
    """A kernel text of test/Target/Inputs and how to check it."""

    text: str  # file name without .mlir
    symbol: str  # of the kernel.func
    schedules: dict
    shapes: list
    timed: list
    # (shape, torch) -> input tensors, output tensors (uninitialised)
    make: Callable
    # (inputs, torch) -> float32 references of the outputs
    reference: Callable
    # Largest ||out - reference|| / ||reference||: rounding of the output type.
    tolerances: list
    # What eager torch does in its place: name -> (inputs, torch) -> anything.
    rivals: dict = field(default_factory=dict)
    # (shape) -> floating-point operations; None: report bytes instead.
    flops: Callable = None


def _gemm_inputs(dtype, weight_shape, last_shape):
    def make(shape, torch):
        rows, columns, depth = shape
        dims = {"m": rows, "n": columns, "k": depth}

        def random(names, scale=1.0):
            values = torch.randn([dims[n] for n in names], device="cuda") * scale
            return values.to(dtype(torch))

        inputs = [random("mk"), random(weight_shape, depth ** -0.5),
                  random(last_shape)]
        out = torch.empty(rows, columns, device="cuda", dtype=dtype(torch))
        return inputs, [out]

    return make


def _gelu_reference(inputs, torch):
    x, w, bias = (t.float() for t in inputs)
    return [torch.nn.functional.gelu(x @ w.T + bias)]


def _relu_reference(inputs, torch):
    x, w, residual = inputs
    product = (x.float() @ w.float()).bfloat16()
    return [(product + residual).relu().float()]


def _silu_inputs(shape, torch):
    gate = torch.randn(shape, device="cuda").half() * 3
    value = torch.randn(shape, device="cuda")
    return [gate, value], [torch.empty_like(gate), torch.empty_like(value)]


def _silu_reference(inputs, torch):
    out = torch.nn.functional.silu(inputs[0].float()) * inputs[1]
    return [out, out]


def _scale_inputs(shape, torch):
    x = torch.randn(shape, device="cuda").half()
    scale = torch.randn(shape[1], device="cuda")
    shift = torch.randn(shape[0], 1, device="cuda")
    return [x, scale, shift], [torch.empty_like(x)]


def _scale_reference(inputs, torch):
    x, scale, shift = inputs
    return [torch.tanh(x.float() * scale + shift)]


def _linear_gelu(inputs, torch):
    linear = torch.nn.functional.linear(*inputs)
    return torch.nn.functional.gelu(linear)


# A product of rounded operands in f32 differs from torch's only in the order of
# sums; what is left is the rounding of the output: 2^-11 relative at most for
# f16, 2^-8 for bf16, and their means (2.1e-4 and 1.7e-3) are what is seen. bf16
# rounds twice here, in the product and in the sum.
KERNELS = [
    Kernel("gemm-bias-gelu-f16", "gemm_bias_gelu", CONTRACTION_SCHEDULES,
           CONTRACTION_SHAPES, CONTRACTION_TIMED,
           _gemm_inputs(lambda torch: torch.float16, "nk", "n"),
           _gelu_reference, [5e-4],
           {"torch linear+gelu": _linear_gelu,
            "torch linear": lambda i, torch: torch.nn.functional.linear(*i)},
           lambda s: 2 * s[0] * s[1] * s[2]),
    Kernel("gemm-residual-relu-bf16", "gemm_residual_relu",
           {k: CONTRACTION_SCHEDULES[k]
            for k in ("128x256x64s4c2", "128x128x128s3c2")},
           CONTRACTION_SHAPES, [(4096, 4096, 4096)],
           _gemm_inputs(lambda torch: torch.bfloat16, "kn", "mn"),
           _relu_reference, [4e-3],
           {"torch mm+add+relu": lambda i, torch: (i[0] @ i[1] + i[2]).relu(),
            "torch mm": lambda i, torch: i[0] @ i[1]},
           lambda s: 2 * s[0] * s[1] * s[2]),
    Kernel("silu-mul-f16", "silu_mul", ELEMENTWISE_SCHEDULES,
           ELEMENTWISE_SHAPES, ELEMENTWISE_TIMED, _silu_inputs,
           _silu_reference, [5e-4, 2e-6],
           {"torch silu*mul": lambda i, torch:
            (lambda t: (t, t.half()))(
                torch.nn.functional.silu(i[0].float()) * i[1])}),
    Kernel("scale-shift-tanh-f16", "scale_shift_tanh", ELEMENTWISE_SCHEDULES,
           ELEMENTWISE_SHAPES, ELEMENTWISE_TIMED, _scale_inputs,
           _scale_reference, [5e-4],
           {"torch tanh(x*s+t)": lambda i, torch:
            torch.tanh(i[0] * i[1] + i[2]).half()}),
]


def files(kernel, schedule):
    """Base name of the files of a kernel with a schedule."""
    return f"{kernel.text}.{schedule}"
