"""What is constant or known when compiling is seen to be: lists, conditions, scales, bounds."""

import numpy as np
import onnx
import onnx.parser
import pytest
import tessera
from onnx import helper, numpy_helper


def compiled(tmp_path, text, constants=None, opt_level=3, opset=18):
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {text}')
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items())
    onnx.save(model, tmp_path / "model.onnx")
    return tessera.load(tessera.compile(tmp_path / "model.onnx", opt_level=opt_level))


@pytest.mark.parametrize("parts", [65, 130, 300])
def test_long_list(tmp_path, parts):
    """Above 1 KiB a constant stays in its file."""
    names = ", ".join(f"s{i}" for i in range(parts))
    session = compiled(tmp_path, f"g (float[n, {parts}] x) => (float[n, 2] y) {{ {names} = Split<axis = 1>(x, sizes) y = Concat<axis = 1>(s{parts - 1}, s3) }}",
                       {"sizes": np.ones(parts, np.int64)})
    x = np.random.default_rng(0).standard_normal((2, parts), np.float32)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], x[:, [parts - 1, 3]])


def test_long_list_of_lists(tmp_path):
    names = ", ".join(f"s{i}" for i in range(80))
    session = compiled(tmp_path, f"g (float[80, n] x) => (float[1, n] y) {{ sizes = Concat<axis = 0>(a, b) {names} = Split<axis = 0>(x, sizes) y = Identity(s77) }}",
                       {"a": np.ones(40, np.int64), "b": np.ones(40, np.int64)})
    x = np.random.default_rng(0).standard_normal((80, 3), np.float32)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], x[77:78])


CONDITIONS = {
    "c = Constant<value = bool {1}>()": True,
    "t = Constant<value = bool[1] {1}>() c = Not(t)": False,
    "s = Shape(x) i = Constant<value = int64 {1}>() d = Gather(s, i) k = Constant<value = int64 {3}>() c = Equal(d, k)": True,
    "s = Shape(x) i = Constant<value = int64 {0}>() d = Gather(s, i) k = Constant<value = int64 {0}>() c = Less(d, k)": False,
    "s = Shape(x) z = Size(s) k = Constant<value = int64 {2}>() e = Equal(z, k) t = Constant<value = bool {1}>() c = And(e, t)": True,
    "s = Shape<start = 1>(x) c = Cast<to = 9>(s)": True,
}


@pytest.mark.parametrize("nodes", CONDITIONS)
def test_decided_condition(tmp_path, nodes):
    """The branch that is not taken may hold anything. Names of branches may be those around them."""
    session = compiled(tmp_path, f"""g (float[n, 3] x) => (float[n, 3] y) {{
      {nodes}
      y = If(c) <then_branch = then_graph () => (float[n, 3] y) {{ x1 = Relu(x) y = Add(x1, w) }},
                 else_branch = else_graph () => (float[n, 3] r) {{ x = Neg(x) r = Identity(x) }}> }}""", {"w": np.full(3, 2, np.float32)})
    x = np.random.default_rng(1).standard_normal((4, 3), np.float32)
    expected = np.maximum(x, 0) + 2 if CONDITIONS[nodes] else -x
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], expected)


def test_branch_in_a_branch(tmp_path):
    session = compiled(tmp_path, """g (float[n] x) => (float[n] y, int64 k) {
      yes = Constant<value = bool {1}>() no = Not(yes)
      y, k = If(yes) <then_branch = a () => (float[n] u, int64 v) {
          v = Constant<value = int64 {7}>()
          u = If(no) <then_branch = b () => (float[n] p) { p = Exp(x) },
                      else_branch = d () => (float[n] q) { t = Abs(x) q = Sqrt(t) }> },
        else_branch = e () => (float[n] f, int64 h) { f = NonZero(x) h = Size(x) }> }""")
    x = np.array([-4, 9], np.float32)
    y, k = session.run(None, {"x": x})
    np.testing.assert_array_equal(y, [2, 3])
    assert k == 7


@pytest.mark.parametrize("scale", [np.float32(224 / 706), 0.5, 1.7, 0.6, 1 / 3])
@pytest.mark.parametrize("declared", ["w", 41])
def test_resize_by_a_fraction(tmp_path, scale, declared):
    session = compiled(tmp_path, f"""g (float[1, 1, {declared}] x) => (float[1, 1, m] y) {{
      y = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor">(x, , scales) }}""",
                       {"scales": np.array([1, 1, scale], np.float32)})
    for w in (41,) if declared == 41 else (41, 40, 100, 707):
        y = session.run(None, {"x": np.arange(w, dtype=np.float32).reshape(1, 1, w)})[0]
        length = int(np.floor(np.float32(w) * np.float32(scale)))
        assert y.shape == (1, 1, length)
        places = np.floor(np.arange(length, dtype=np.float32) / np.float32(scale))
        np.testing.assert_array_equal(y[0, 0], np.minimum(places, w - 1))


@pytest.mark.parametrize("opt_level", [0, 3])
def test_resize_by_a_computed_scale(tmp_path, opt_level):
    session = compiled(tmp_path, """g (float[1, h, w] x) => (float[1, h2, w2] y) {
      s = Shape<start = 1>(x) f = Cast<to = 1>(s) most = ReduceMax<keepdims = 1>(f) r = Div(target, most)
      both = Concat<axis = 0>(one, r, r)
      y = Resize<mode = "linear", coordinate_transformation_mode = "asymmetric">(x, , both) }""",
                       {"target": np.array([8], np.float32), "one": np.array([1], np.float32)}, opt_level)
    for h, w in ((4, 3), (5, 10), (16, 7)):
        x = np.random.default_rng(h).standard_normal((1, h, w)).astype(np.float32)
        scale = np.float32(8) / np.float32(max(h, w))
        y = session.run(None, {"x": x})[0][0]
        size = [int(np.floor(np.float32(n) * scale)) for n in (h, w)]
        at = [np.arange(m) / scale for m in size]
        low = [np.minimum(p.astype(int), n - 1) for p, n in zip(at, (h, w))]
        high = [np.minimum(l + 1, n - 1) for l, n in zip(low, (h, w))]
        part = [p - l for p, l in zip(at, low)]
        rows = x[0][low[0]] + (x[0][high[0]] - x[0][low[0]]) * part[0][:, None]
        expected = rows[:, low[1]] + (rows[:, high[1]] - rows[:, low[1]]) * part[1]
        assert y.shape == expected.shape
        np.testing.assert_allclose(y, expected, atol=1e-5)


BACKWARDS = [(-1, -100, -1), (3, 0, -1), (5, -100, -2), (100, 1, -3), (-2, 2, -1), (2, 2, -1), (0, -100, -1), (-3, 100, -1)]


@pytest.mark.parametrize("opt_level", [0, 3])
def test_slices_backwards(tmp_path, opt_level):
    """Also where a bound is a size: the first half, and all but the last, backwards."""
    nodes, outputs, constants = [], [], {}
    for i, bounds in enumerate(BACKWARDS):
        for name, bound in zip("abc", bounds):
            constants[f"{name}{i}"] = np.array([bound])
        nodes.append(f"y{i} = Slice(x, a{i}, b{i}, axis, c{i})")
        outputs.append(f"float[m{i}, 2] y{i}")
    session = compiled(tmp_path, f"""g (float[n, 2] x) => ({", ".join(outputs)}, float[p, 2] half, float[q, 2] behind) {{
      n = Shape<end = 1>(x) h = Div(n, two) l = Sub(n, two)
      half = Slice(x, h, far, axis, back) behind = Slice(x, l, none, axis, back) {" ".join(nodes)} }}""",
                       constants | {"axis": [0], "two": [2], "far": [-(2**63)], "none": [-100], "back": [-1]}, opt_level)
    for n in (0, 1, 2, 3, 5, 9):
        x = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
        *slices, half, behind = session.run(None, {"x": x})
        for (a, b, c), y in zip(BACKWARDS, slices):
            np.testing.assert_array_equal(y, x[a:b:c], err_msg=f"{n}: {a, b, c}")
        np.testing.assert_array_equal(half, x[n // 2 :: -1])
        np.testing.assert_array_equal(behind, x[n - 2 : -100 : -1])


@pytest.mark.parametrize("opt_level", [0, 3])
@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER"])
def test_output_shape_of_an_open_size(tmp_path, auto_pad, opt_level):
    """As with the size known: pads are half of what is too much, zeros what is missing."""
    w = np.random.default_rng(0).standard_normal((2, 3, 4), np.float32)
    b = np.random.default_rng(1).standard_normal(3, np.float32)

    def session(size, folder):
        folder.mkdir()
        return compiled(folder, f"""g (float[1, 2, {size}] x) => (float[1, 3, 9] y) {{
          y = ConvTranspose<strides = [2], output_shape = [9], auto_pad = "{auto_pad}">(x, w, b) }}""", {"w": w, "b": b}, opt_level)

    unknown = session("n", tmp_path / "open")
    for n in (3, 4, 5, 6):
        x = np.random.default_rng(n).standard_normal((1, 2, n), np.float32)
        expected = session(n, tmp_path / str(n)).run(None, {"x": x})[0]
        np.testing.assert_allclose(unknown.run(None, {"x": x})[0], expected, atol=1e-6)


EQUATIONS = ["ii->i", "ii", "ii->", "bii->bi", "bii", "iij->ij", "iji->j", "...ii->...i", "...ii", "iii->i", "ij,jk,kl->il", "i,i,i->", "ij,ji->",
             "ij,jk,ki->", "a,b,c->abc", "ij,ij,jk->ik", "bij,bjk,bkl->bil", "...ij,...jk,...kl->...il", "ii,ij->j", "aab,bcc->ac", "i,jj,ik->k"]


@pytest.mark.parametrize("declared", ["open", "known"])
def test_einsum_of_diagonals_and_many_operands(tmp_path, declared):
    sizes = dict(i=3, j=3, k=4, l=2, a=2, b=5, c=3) | {"...": 2}
    random = np.random.default_rng(0)
    inputs, nodes, outputs, feeds = [], [], [], {}
    for e, equation in enumerate(EQUATIONS):
        names = []
        for o, operand in enumerate(equation.split("->")[0].split(",")):
            name = f"x{e}_{o}"
            indices = ["..."] * ("..." in operand) + list(operand.replace("...", ""))
            dims = [str(sizes[d]) if declared == "known" else f"n{e}_{d.replace('...', 'z')}" for d in indices]
            inputs.append(f"float[{', '.join(dims)}] {name}")
            names.append(name)
            feeds[name] = random.standard_normal([sizes[d] for d in indices]).astype(np.float32)
        nodes.append(f'y{e} = Einsum<equation = "{equation}">({", ".join(names)})')
    expected = [np.einsum(q, *[feeds[f"x{e}_{o}"].astype(np.float64) for o in range(q.split("->")[0].count(",") + 1)]) for e, q in enumerate(EQUATIONS)]
    outputs = [f"float{[f'o{e}_{d}' for d in range(y.ndim)]} y{e}".replace("'", "").replace("[]", "") for e, y in enumerate(expected)]
    session = compiled(tmp_path, f'g ({", ".join(inputs)}) => ({", ".join(outputs)}) {{ {" ".join(nodes)} }}')
    for equation, y, wanted in zip(EQUATIONS, session.run(None, feeds), expected):
        assert y.shape == wanted.shape, equation
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-4, err_msg=equation)


def test_einsum_broadcasts_what_the_ellipsis_stands_for(tmp_path):
    session = compiled(tmp_path, 'g (float[n, 2, 3] a, float[m, 3, 4] b) => (float[o, 2, 4] y) { y = Einsum<equation = "...ij,...jk->...ik">(a, b) }')
    random = np.random.default_rng(0)
    for n, m in ((1, 3), (3, 1), (2, 2)):
        a, b = random.standard_normal((n, 2, 3), np.float32), random.standard_normal((m, 3, 4), np.float32)
        np.testing.assert_allclose(session.run(None, {"a": a, "b": b})[0], a @ b, rtol=1e-4, atol=1e-5)


def test_einsum_checks_sizes(tmp_path):
    session = compiled(tmp_path, 'g (float[n, m] a, float[k, l] b) => (float[p, q] y, float[r] d) { y = Einsum<equation = "ij,jk->ik">(a, b) d = Einsum<equation = "ii->i">(b) }')
    with pytest.raises(tessera.TesseraError, match="sizes of index 'j' differ"):
        session.run(None, {"a": np.ones((2, 3), np.float32), "b": np.ones((4, 4), np.float32)})
    with pytest.raises(tessera.TesseraError, match="sizes of index 'i' differ"):
        session.run(None, {"a": np.ones((2, 3), np.float32), "b": np.ones((3, 4), np.float32)})


def test_operator_of_a_later_opset(tmp_path):
    """As ONNX Runtime's optimizer writes them."""
    session = compiled(tmp_path, "g (float[n, 8] x) => (float[n, 8] y) { y = LayerNormalization<axis = -1, epsilon = 0.001>(x, w, b) }",
                       {"w": np.arange(8, dtype=np.float32), "b": np.ones(8, np.float32)}, opset=13)
    x = np.random.default_rng(0).standard_normal((3, 8), np.float32)
    centered = x - x.mean(-1, keepdims=True)
    expected = centered / np.sqrt(x.var(-1, keepdims=True) + 0.001) * np.arange(8) + 1
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, rtol=1e-4, atol=1e-5)


def test_operator_by_the_name_of_onnx_runtime(tmp_path):
    session = compiled(tmp_path, "g (float[n, 8] x) => (float[n, 8] y) { y = SimplifiedLayerNormalization<axis = -1, epsilon = 0.001>(x, w) }",
                       {"w": np.arange(8, dtype=np.float32)}, opset=14)
    x = np.random.default_rng(0).standard_normal((3, 8), np.float32)
    expected = x / np.sqrt((x * x).mean(-1, keepdims=True) + 0.001) * np.arange(8)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("opt_level", [0, 3])
def test_computed_pads_may_crop(tmp_path, opt_level):
    session = compiled(tmp_path, """g (float[a] s, float[h, w] x) => (float[p, q] y) {
      n = Shape(s) d = Sub(n, three) pads = Concat<axis = 0>(d, none, none, d) y = Pad(x, pads) }""",
                       {"three": [3], "none": [0]}, opt_level)
    x = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    for n in (1, 2, 3, 5):
        d = n - 3
        expected = np.pad(x, ((max(d, 0), 0), (0, max(d, 0))))[max(-d, 0):, : 6 + d]
        np.testing.assert_array_equal(session.run(None, {"s": np.zeros(n, np.float32), "x": x})[0], expected)
    with pytest.raises(tessera.TesseraError, match="negative pads cut off more than axis 1 has"):
        session.run(None, {"s": np.zeros(0, np.float32), "x": x[:, :2]})


def test_range_that_ends_before_it_begins(tmp_path):
    session = compiled(tmp_path, """g (float[n] x) => (int64[m] y, int64[k] z) {
      n = Shape(x) l = Size(x) d = Sub(n, five) e = Squeeze(d) y = Range(zero, e, one) z = Range(l, five_, minus2) }""",
                       {"five": [5], "five_": 5, "zero": 0, "one": 1, "minus2": -2})
    for n in (0, 3, 5, 9):
        y, z = session.run(None, {"x": np.zeros(n, np.float32)})
        np.testing.assert_array_equal(y, np.arange(n - 5))
        np.testing.assert_array_equal(z, np.arange(n, 5, -2))
