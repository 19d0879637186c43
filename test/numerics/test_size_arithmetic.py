"""Arithmetic on sizes gives what ONNX's operators give, in their element types."""

import math

import numpy as np
import onnx
import onnx.parser
import pytest
import tessera

f32, f64 = np.float32, np.float64
U8, I8, U16, I32, I64, F32, F64, BOOL = 2, 3, 4, 6, 7, 1, 11, 9


def wrapped(value, dtype):
    return int(np.array(value).astype(dtype))


def cut(a, b):
    return int(math.trunc(a / b))


# Nodes that compute a size s of the size n, int64[1] each, and what it is.
CHAINS = {
    "quotient of a negative number": ("d@ = Sub(n, c5) q@ = Div(d@, c2) s@ = Add(q@, c5)", lambda n: cut(n - 5, 2) + 5),
    "quotient far below zero": ("d@ = Sub(n, c100) q@ = Div(d@, c7) s@ = Add(q@, c100)", lambda n: cut(n - 100, 7) + 100),
    "quotient by a negative number": ("q@ = Div(n, m3) s@ = Add(q@, c400)", lambda n: cut(n, -3) + 400),
    "quotient by a size": ("d@ = Sub(c5, n) q@ = Div(d@, n) s@ = Add(q@, c5)", lambda n: cut(5 - n, n) + 5),
    "rest with the divisor's sign": ("d@ = Sub(n, c5) s@ = Mod(d@, c3)", lambda n: (n - 5) % 3),
    "rest by a negative number": ("r@ = Mod(n, m3) s@ = Add(r@, c5)", lambda n: n % -3 + 5),
    "rest with the dividend's sign": ("d@ = Sub(n, c5) r@ = Mod<fmod = 1>(d@, c3) s@ = Add(r@, c5)", lambda n: int(math.fmod(n - 5, 3)) + 5),
    "rest by a size": ("d@ = Sub(c3, n) s@ = Mod(d@, n)", lambda n: (3 - n) % n),
    "uint8": (f"d@ = Sub(n, c5) w@ = Cast<to = {U8}>(d@) s@ = Cast<to = {I64}>(w@)", lambda n: wrapped(n - 5, np.uint8)),
    "int8": (f"w@ = Cast<to = {I8}>(n) a@ = Cast<to = {I64}>(w@) s@ = Add(a@, c200)", lambda n: wrapped(n, np.int8) + 200),
    "uint16 of a product": (f"p@ = Mul(n, big) w@ = Cast<to = {U16}>(p@) s@ = Cast<to = {I64}>(w@)", lambda n: wrapped(n * (2**33 + 1), np.uint16)),
    "int32 of a product": (f"p@ = Mul(n, big) w@ = Cast<to = {I32}>(p@) s@ = Cast<to = {I64}>(w@)", lambda n: wrapped(n * (2**33 + 1), np.int32)),
    "sum in uint8": (f"w@ = Cast<to = {U8}>(n) a@ = Add(w@, b250) s@ = Cast<to = {I64}>(a@)", lambda n: (n + 250) % 256),
    "difference and quotient in uint8": (f"w@ = Cast<to = {U8}>(n) a@ = Sub(w@, b250) q@ = Div(a@, b3) s@ = Cast<to = {I64}>(q@)", lambda n: (n - 250) % 256 // 3),
    "larger one in uint8": (f"w@ = Cast<to = {U8}>(n) a@ = Sub(w@, b250) q@ = Max(a@, b3) s@ = Cast<to = {I64}>(q@)", lambda n: max((n - 250) % 256, 3)),
    "magnitude and sign": ("d@ = Sub(n, c5) a@ = Abs(d@) g@ = Sign(d@) t@ = Add(a@, g@) s@ = Add(t@, c2)", lambda n: abs(n - 5) + (n > 5) - (n < 5) + 2),
    "selection": ("b@ = Less(n, c5) s@ = Where(b@, c2, c7)", lambda n: 2 if n < 5 else 7),
    "selection by two conditions": ("a@ = Less(n, c5) b@ = Equal(n, c7) o@ = Or(a@, b@) p@ = Not(o@) s@ = Where(p@, c2, c7)", lambda n: 7 if n < 5 or n == 7 else 2),
    "condition as a number": (f"b@ = GreaterOrEqual(n, c5) t@ = Cast<to = {I64}>(b@) s@ = Add(t@, c2)", lambda n: (n >= 5) + 2),
    "low bits": ("s@ = BitwiseAnd(n, c7)", lambda n: n & 7),
    "multiple": ("d@ = Sub(n, c5) m@ = BitwiseAnd(d@, m8) s@ = Add(m@, c100)", lambda n: ((n - 5) & -8) + 100),
    "scaled in f32": (f"f@ = Cast<to = {F32}>(n) p@ = Mul(f@, f1_7) g@ = Floor(p@) s@ = Cast<to = {I64}>(g@)", lambda n: int(np.floor(f32(n) * f32(1.7)))),
    "rounded at each step": (f"f@ = Cast<to = {F32}>(n) q@ = Div(f@, f41) p@ = Mul(q@, f41) g@ = Floor(p@) s@ = Cast<to = {I64}>(g@)", lambda n: int(np.floor(f32(n) / f32(41) * f32(41)))),
    "rounded up": (f"f@ = Cast<to = {F32}>(n) q@ = Div(f@, f1_7) g@ = Ceil(q@) s@ = Cast<to = {I64}>(g@)", lambda n: int(np.ceil(f32(n) / f32(1.7)))),
    "rounded to even": (f"f@ = Cast<to = {F32}>(n) p@ = Mul(f@, f0_5) g@ = Round(p@) s@ = Cast<to = {I64}>(g@)", lambda n: int(np.round(f32(n) * f32(0.5)))),
    "scaled in f64": (f"f@ = Cast<to = {F64}>(n) p@ = Mul(f@, d0_7) s@ = Cast<to = {I64}>(p@)", lambda n: int(f64(n) * 0.7)),
    "cut towards zero": (f"d@ = Sub(n, c100) f@ = Cast<to = {F32}>(d@) p@ = Mul(f@, f0_5) i@ = Cast<to = {I64}>(p@) s@ = Add(i@, c100)", lambda n: int(f32(n - 100) * f32(0.5)) + 100),
    "side of a square": (f"q@ = Mul(n, n) f@ = Cast<to = {F32}>(q@) r@ = Sqrt(f@) s@ = Cast<to = {I64}>(r@)", lambda n: n),
    "smaller scale": (f"f@ = Cast<to = {F32}>(n) a@ = Div(f100, f@) m@ = Min(a@, f1_7) p@ = Mul(f@, m@) g@ = Round(p@) s@ = Cast<to = {I64}>(g@)", lambda n: int(np.round(f32(n) * min(f32(100) / f32(n), f32(1.7))))),
    "compared as floats": (f"f@ = Cast<to = {F32}>(n) p@ = Mul(f@, f0_5) b@ = Greater(p@, f1_7) s@ = Where(b@, c2, c7)", lambda n: 2 if n * 0.5 > f32(1.7) else 7),
    "range": ("d@ = Sub(n, c5) e@ = Squeeze(d@) x@ = Range(zero, e@, one) s@ = Shape(x@)", lambda n: max(n - 5, 0)),
    "range downwards": ("e@ = Squeeze(n) x@ = Range(e@, five, minus2) s@ = Shape(x@)", lambda n: len(range(n, 5, -2))),
    "range of floats": (f"f@ = Cast<to = {F32}>(n) e@ = Squeeze(f@) x@ = Range(half, e@, f0_5s) s@ = Shape(x@)", lambda n: len(np.arange(0.5, n, 0.5))),
}
CONSTANTS = {f"c{k}": ("int64[1]", k) for k in (2, 3, 5, 7, 100, 200, 400)}
CONSTANTS |= {"m3": ("int64[1]", -3), "m8": ("int64[1]", -8), "big": ("int64[1]", 2**33 + 1)}
CONSTANTS |= {"b250": ("uint8[1]", 250), "b3": ("uint8[1]", 3), "d0_7": ("double[1]", 0.7)}
CONSTANTS |= {"f1_7": ("float[1]", 1.7), "f41": ("float[1]", 41.0), "f0_5": ("float[1]", 0.5), "f100": ("float[1]", 100.0)}
CONSTANTS |= {"zero": ("int64", 0), "one": ("int64", 1), "five": ("int64", 5), "minus2": ("int64", -2), "half": ("float", 0.5), "f0_5s": ("float", 0.5)}


def model_of(size):
    outputs, body = [], ["n = Shape(x)"]
    body += [f"{name} = Constant<value = {kind} {{{value}}}>()" for name, (kind, value) in CONSTANTS.items()]
    for i, (nodes, _) in enumerate(CHAINS.values()):
        body.append(nodes.replace("@", str(i)))
        body.append(f"y{i} = ConstantOfShape(s{i}) z{i} = Identity(s{i})")
        outputs += [f"float[a{i}] y{i}", f"int64[1] z{i}"]
    return onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 18]> g (float[{size}] x) => ({", ".join(outputs)}) {{ {" ".join(body)} }}')


def check(session, n):
    results = session.run(None, {"x": np.zeros(n, np.float32)})
    for i, (name, (_, expected)) in enumerate(CHAINS.items()):
        assert results[2 * i].shape == (expected(n),), (name, n)
        assert results[2 * i + 1].tolist() == [expected(n)], (name, n)


@pytest.fixture(scope="module", params=[0, 3])
def open_size(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("sizes") / "model.onnx"
    onnx.save(model_of("n"), path)
    return tessera.load(tessera.compile(path, opt_level=request.param))


@pytest.mark.parametrize("n", [1, 2, 4, 5, 7, 8, 41, 128, 300, 1000])
def test_open_size(open_size, n):
    check(open_size, n)


@pytest.mark.parametrize("n", [4, 300])
def test_known_size(tmp_path, n):
    onnx.save(model_of(n), tmp_path / "model.onnx")
    check(tessera.load(tessera.compile(tmp_path / "model.onnx")), n)


def test_quotient_by_no_size(tmp_path):
    """x / 0 is 0, and nothing stops the process."""
    onnx.save(onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 18]> g (float[n] x) => (float[m] y, int64[1] q) {
          ten = Constant<value = int64[1] {10}>() n = Shape(x)
          q = Div(ten, n) y = ConstantOfShape(q) }"""), tmp_path / "model.onnx")
    session = tessera.load(tessera.compile(tmp_path / "model.onnx"))
    for n, quotient in ((0, 0), (3, 3)):
        y, q = session.run(None, {"x": np.zeros(n, np.float32)})
        assert y.shape == (quotient,) and q.tolist() == [quotient]


def test_size_beyond_32_bits(tmp_path):
    onnx.save(onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 18]> g (float[n, m] x) => (float[k] y) {
          n = Shape<end = 1>(x) [narrow] i = Cast<to = 6>(n) two = Constant<value = int32[1] {2}>()
          q = Mod(i, two) s = Cast<to = 7>(q) y = ConstantOfShape(s) }"""), tmp_path / "model.onnx")
    session = tessera.load(tessera.compile(tmp_path / "model.onnx"))
    assert session.run(None, {"x": np.zeros((7, 0), np.float32)})[0].shape == (1,)
    with pytest.raises(tessera.TesseraError, match="'narrow' .*a size does not fit 32 bits"):
        session.run(None, {"x": np.zeros((2**31 + 1, 0), np.float32)})
