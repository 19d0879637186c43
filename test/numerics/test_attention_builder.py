"""Kernels of the attention builder against NumPy in double precision.

The error allowed is 1e-5 of the largest result in f32: an average of values with
weights that are off by some units in the last place. Results in f16 and bf16 are
rounded to these types, half a unit in the last place of the largest result.
"""

import itertools

import ml_dtypes
import numpy as np
import pytest

import kernels

TYPES = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}
TOLERANCE = {"f32": 1e-5, "f16": 1e-3, "bf16": 8e-3}


def schedule(rows=6, vectors=2, lanes=8, query_block=24, key_block=48, short_rows=4,
             short_keys=40):
    return (f"#kernel.attention<rows = {rows}, vectors = {vectors}, lanes = {lanes}, "
            f"queryBlock = {query_block}, keyBlock = {key_block}, "
            f"shortRows = {short_rows}, shortKeyBlock = {short_keys}>")


def tensor(*sizes, element="f32"):
    return "tensor<" + "".join(f"{s if isinstance(s, int) else '?'}x" for s in sizes) + element + ">"


class Case:
    """Attention of given sizes: its kernel, its inputs, its reference. Lengths in
    `dynamic` ("queries", "keys", "batch") become symbols."""

    def __init__(self, queries=17, keys=17, batch=1, heads=2, group=1, dim=32, value_dim=None,
                 element="f32", how=None, dynamic=(), bias=None, mask=None, key_lengths=None,
                 offset=None, causal=False, window=None, softcap=None, masked_rows=None,
                 layout="heads", bias_element="f32"):
        self.__dict__.update(locals())
        self.value_dim = value_dim or dim
        self.how = how or schedule()
        self.scale = 0.7 / np.sqrt(dim)

    def symbol(self, name):
        return f"s{self.dynamic.index(name)}" if name in self.dynamic else getattr(self, name)

    def full(self, broadcast):
        sizes = (self.symbol("batch"), self.heads * self.group, self.symbol("queries"),
                 self.symbol("keys"))
        return tuple(1 if one else size for one, size in zip(broadcast, sizes))

    def operand(self, name, heads, length, width):
        """Argument type and sizes of query, key or value, and the operations that
        make [batch, heads, length, width] of it."""
        batch = self.symbol("batch")
        wanted = tensor(batch, heads, length, width, element=self.element)
        if self.layout == "heads":
            return (batch, heads, length, width), wanted, f"%{name}", ""
        split = tensor(batch, length, heads, width, element=self.element)
        outer = ", ".join(s if isinstance(s, int) else f"%{s}" for s in ())
        lines = ""
        source = f"%{name}"
        sizes = (batch, length, heads, width)
        if self.layout == "joined":
            sizes = (batch, length, heads * width)
            shape = ", ".join(str(s) if isinstance(s, int) else f"%{s}"
                              for s in (batch, length, heads, width))
            flat = tensor(*sizes, element=self.element)
            lines += (f"  %{name}_split = tensor.expand_shape %{name} [[0], [1], [2, 3]] "
                      f"output_shape [{shape}] : {flat} into {split}\n")
            source = f"%{name}_split"
        dynamic = ", ".join(f"%{s}" for s in (batch, length) if not isinstance(s, int))
        lines += (f"  %{name}_into = tensor.empty({dynamic}) : {wanted}\n"
                  f"  %{name}_heads = linalg.transpose ins({source} : {split}) "
                  f"outs(%{name}_into : {wanted}) permutation = [0, 2, 1, 3]\n")
        return sizes, wanted, f"%{name}_heads", lines

    def result(self, wanted):
        """Output type and sizes, and the operations that make it of %o."""
        batch, queries = self.symbol("batch"), self.symbol("queries")
        heads = self.heads * self.group
        if self.layout == "heads":
            return (batch, heads, queries, self.value_dim), "%o", ""
        split = tensor(batch, queries, heads, self.value_dim, element=self.element)
        dynamic = ", ".join(f"%{s}" for s in (batch, queries) if not isinstance(s, int))
        lines = (f"  %o_into = tensor.empty({dynamic}) : {split}\n"
                 f"  %o_split = linalg.transpose ins(%o : {wanted}) outs(%o_into : {split}) "
                 f"permutation = [0, 2, 1, 3]\n")
        sizes, name = (batch, queries, heads, self.value_dim), "%o_split"
        if self.layout == "joined":
            sizes = (batch, queries, heads * self.value_dim)
            flat = tensor(*sizes, element=self.element)
            lines += (f"  %o_joined = tensor.collapse_shape %o_split [[0], [1], [2, 3]] : "
                      f"{split} into {flat}\n")
            name = "%o_joined"
        return sizes, name, lines

    def text(self):
        arguments, body, types = [], "", []
        names = []
        for name, heads, length, width in (
                ("q", self.heads * self.group, self.symbol("queries"), self.dim),
                ("k", self.heads, self.symbol("keys"), self.dim),
                ("v", self.heads, self.symbol("keys"), self.value_dim)):
            sizes, wanted, value, lines = self.operand(name, heads, length, width)
            arguments.append((name, tensor(*sizes, element=self.element), sizes))
            body += lines
            types.append(wanted)
            names.append(value)
        clauses, kinds = "", ""
        for name, value, element in (("bias", self.bias, self.bias_element),
                                     ("mask", self.mask, "i1")):
            if value is None:
                continue
            sizes = self.full(value)
            stored = "i8" if element == "i1" else element
            arguments.append((name, tensor(*sizes, element=stored), sizes))
            if element == "i1":
                body += (f"  %{name}_seen = arith.trunci %{name} : "
                         f"{tensor(*sizes, element='i8')} to {tensor(*sizes, element='i1')}\n")
                name += "_seen"
            clauses += f" {name.removesuffix('_seen')} %{name}"
            kinds += f" {name.removesuffix('_seen')} {tensor(*sizes, element=element)}"
        if self.key_lengths is not None:
            sizes = (self.symbol("batch"),)
            arguments.append(("lengths", tensor(*sizes, element="i64"), sizes))
            clauses += " key_lengths %lengths"
            kinds += f" key_lengths {tensor(*sizes, element='i64')}"
        if self.offset is not None:
            body += f"  %offset = arith.constant {self.offset} : index\n"
            clauses += " offset %offset"
        clauses += f" scale {self.scale:.9e}"
        if self.causal:
            clauses += " causal"
        if self.window is not None:
            clauses += f" window = [{self.window[0]}, {self.window[1]}]"
        if self.softcap is not None:
            clauses += f" softcap = {self.softcap:.6e}"
        if self.masked_rows is not None:
            clauses += f" masked_rows = {self.masked_rows}"
        out = tensor(self.symbol("batch"), self.heads * self.group, self.symbol("queries"),
                     self.value_dim, element=self.element)
        body += (f"  %o = attention.sdpa {', '.join(names)}{clauses} : {', '.join(types)}"
                 f"{kinds} -> {out}\n")
        sizes, value, lines = self.result(out)
        body += lines
        result = tensor(*sizes, element=self.element)
        arguments.append(("out", result, sizes))
        body += f"  kernel.yield {value} : {result}\n"
        signature = [f"%{name}: {kind}" for name, kind, _ in arguments]
        signature += [f"%s{i}: index" for i in range(len(self.dynamic))]
        symbols = ", ".join(f"s{i}" for i in range(len(self.dynamic)))
        shapes = ", ".join(
            f"affine_map<()[{symbols}] -> ({', '.join(map(str, sizes))})>"
            for _, _, sizes in arguments)
        return (f"kernel.func @k({', '.join(signature)}) -> {result}\n"
                f"    attributes {{outputs = 1 : i64, schedules = [{self.how}],\n"
                f"                shapes = [{shapes}]}} {{\n{body}}}\n")

    def inputs(self):
        rng = np.random.default_rng(3)
        kind = TYPES[self.element]
        draw = lambda *sizes: rng.standard_normal(sizes).astype(kind)
        arrays = [draw(self.batch, self.heads * self.group, self.queries, self.dim),
                  draw(self.batch, self.heads, self.keys, self.dim),
                  draw(self.batch, self.heads, self.keys, self.value_dim)]
        full = (self.batch, self.heads * self.group, self.queries, self.keys)
        sizes = lambda broadcast: [1 if one else n for one, n in zip(broadcast, full)]
        if self.bias is not None:
            arrays.append(
                rng.standard_normal(sizes(self.bias)).astype(TYPES[self.bias_element]))
        if self.mask is not None:
            arrays.append((rng.random(sizes(self.mask)) < 0.6).astype(np.int8))
        if self.key_lengths is not None:
            arrays.append(np.array(self.key_lengths, np.int64))
        return arrays

    def expected(self, arrays):
        """[batch, heads, queries, value_dim] in double precision."""
        arrays = list(arrays)
        query, key, value = (arrays.pop(0).astype(np.float64) for _ in range(3))
        key, value = (np.repeat(x, self.group, axis=1) for x in (key, value))
        score = np.float64(np.float32(self.scale)) * (query @ key.transpose(0, 1, 3, 2))
        if self.softcap is not None:
            score = self.softcap * np.tanh(score / self.softcap)
        if self.bias is not None:
            score = score + arrays.pop(0).astype(np.float64)
        seen = np.ones(score.shape, bool)
        if self.mask is not None:
            seen &= arrays.pop(0) != 0
        i, j = np.arange(self.queries)[:, None], np.arange(self.keys)[None, :]
        if self.key_lengths is not None:
            seen &= j < arrays.pop(0)[:, None, None, None]
        position = i + (self.offset or 0)
        if self.causal:
            seen &= j <= position
        if self.window is not None:
            left, right = self.window
            seen &= (left < 0) | (j >= position - left)
            seen &= (right < 0) | (j <= position + right)
        score = np.where(seen, score, -np.inf)
        if self.keys == 0:
            return np.zeros(score.shape[:3] + (self.value_dim,))
        with np.errstate(invalid="ignore"):
            weights = np.exp(score - score.max(axis=-1, keepdims=True))
            weights /= weights.sum(axis=-1, keepdims=True)
        if self.masked_rows == "zero":
            weights = np.where(np.isinf(score.max(axis=-1, keepdims=True)), 0, weights)
        return weights @ value

    def to_layout(self, array):
        if self.layout == "heads":
            return array
        array = array.transpose(0, 2, 1, 3)
        return array.reshape(array.shape[:2] + (-1,)) if self.layout == "joined" else array

    def run(self, threads=1):
        arrays = self.inputs()
        feeds = [np.ascontiguousarray(self.to_layout(a)) for a in arrays[:3]] + arrays[3:]
        [result] = kernels.compile(self.text(), threads=threads)(*feeds)
        return result, self.to_layout(self.expected(arrays))

    def check(self):
        result, expected = self.run()
        assert result.shape == expected.shape
        result = result.astype(np.float64)
        undefined = np.isnan(expected)
        assert np.array_equal(np.isnan(result), undefined)
        if undefined.all():
            return
        error = np.abs(np.where(undefined, 0, result - expected)).max()
        assert error <= TOLERANCE[self.element] * np.nanmax(np.abs(expected))


LENGTHS = [1, 7, 17, 128, 511]


@pytest.mark.parametrize("keys", LENGTHS)
@pytest.mark.parametrize("queries", LENGTHS)
def test_lengths(queries, keys):
    Case(queries, keys).check()


@pytest.mark.parametrize("queries,keys", [(1, 130), (3, 5), (17, 33), (130, 1)])
@pytest.mark.parametrize("group", [1, 2, 4])
def test_dynamic_sizes(queries, keys, group):
    Case(queries, keys, batch=2, group=group, dynamic=("queries", "keys", "batch")).check()


@pytest.mark.parametrize("dim", [1, 20, 32, 48, 64, 80, 96, 128])
@pytest.mark.parametrize("queries", [2, 40])
def test_head_sizes(queries, dim):
    how = schedule(query_block=12)
    Case(queries, 50, dim=dim, how=how).check()
    Case(queries, 50, dim=32, value_dim=dim, how=how).check()


@pytest.mark.parametrize("queries", [1, 2, 19])
@pytest.mark.parametrize("group", [2, 4])
def test_grouped_heads(queries, group):
    Case(queries, 61, batch=2, heads=3, group=group).check()
    Case(queries, 61, batch=2, heads=3, group=group, causal=True, offset=20).check()


@pytest.mark.parametrize("queries", [1, 19])
@pytest.mark.parametrize("broadcast", list(itertools.product([False, True], repeat=4)))
def test_bias_and_mask_broadcasts(queries, broadcast):
    Case(queries, 53, batch=2, bias=broadcast).check()
    Case(queries, 53, batch=2, group=2, mask=broadcast, masked_rows="zero").check()


@pytest.mark.parametrize("queries,keys,offset", [(40, 40, None), (1, 64, 63), (9, 100, 91),
                                                 (30, 30, -4), (50, 20, 0)])
@pytest.mark.parametrize("dynamic", [(), ("queries", "keys")])
def test_causal(queries, keys, offset, dynamic):
    Case(queries, keys, causal=True, offset=offset, dynamic=dynamic, masked_rows="zero").check()


@pytest.mark.parametrize("window", [(0, 0), (5, -1), (-1, 3), (50, 50), (7, 2)])
@pytest.mark.parametrize("queries", [2, 120])
def test_window(queries, window):
    Case(queries, 120, window=window, offset=120 - queries, group=2).check()
    Case(queries, 120, window=window, causal=True).check()


def test_softcap_stands_before_the_bias():
    for queries in (1, 30):
        Case(queries, 30, softcap=0.5, bias=(False, False, False, False)).check()
        Case(queries, 30, softcap=0.5, mask=(True, True, False, False)).check()


@pytest.mark.parametrize("queries", [1, 30])
@pytest.mark.parametrize("masked_rows", ["zero", "nan"])
def test_key_lengths(queries, masked_rows):
    Case(queries, 70, batch=4, key_lengths=[0, 1, 49, 70], masked_rows=masked_rows).check()


@pytest.mark.parametrize("masked_rows", ["zero", "nan"])
def test_masked_rows(masked_rows):
    for queries in (3, 30):
        case = Case(queries, 4, mask=(False, False, False, False), masked_rows=masked_rows)
        assert not case.inputs()[3].any(axis=-1).all()
        case.check()


def test_without_queries_nothing_is_computed():
    Case(0, 3).check()


def test_without_keys_results_are_zero():
    for queries in (2, 20):
        Case(queries, 0, dynamic=("keys",)).check()
        Case(queries, 0, dynamic=("queries", "keys")).check()


def test_equal_scores_of_the_lowest_float_share_their_weight():
    """Masks are often added as the lowest float; a row of it is no row of
    -infinity."""
    case = Case(20, 33, bias=(False, True, True, False))
    query, key, value, bias = case.inputs()
    bias[:] = np.finfo(np.float32).min
    [result] = kernels.compile(case.text(), threads=1)(query, key, value, bias)
    expected = np.broadcast_to(value.mean(axis=2, keepdims=True), result.shape)
    assert np.abs(result - expected).max() <= 1e-5


@pytest.mark.parametrize("element", ["f16", "bf16"])
@pytest.mark.parametrize("queries", [1, 25])
def test_narrow_types(queries, element):
    Case(queries, 65, element=element, dim=20).check()
    Case(queries, 65, element=element, group=2, bias=(True, True, False, False),
         bias_element=element).check()


@pytest.mark.parametrize("layout", ["split", "joined"])
@pytest.mark.parametrize("queries", [1, 37])
@pytest.mark.parametrize("dynamic", [(), ("batch", "queries", "keys")])
def test_layouts(queries, layout, dynamic):
    Case(queries, 45, batch=2, group=2, layout=layout, dynamic=dynamic).check()


@pytest.mark.parametrize("how", [schedule(12, 2, 16, 24, 64, 8, 64), schedule(4, 3, 8, 16, 72),
                                 schedule(1, 1, 8, 1, 8, 0, 8), schedule(5, 2, 4, 20, 16, 2, 8)])
def test_schedules(how):
    for queries in (1, 6, 41):
        Case(queries, 77, dim=40, how=how, causal=True, offset=30).check()
        Case(queries, 77, dim=40, how=how, dynamic=("queries", "keys")).check()


@pytest.mark.parametrize("queries", [1, 90])
def test_bits_do_not_depend_on_threads(queries):
    case = Case(queries, 200, batch=2, heads=4, dynamic=("queries", "keys"))
    one, two = case.run(threads=1)[0], case.run(threads=2)[0]
    assert one.tobytes() == two.tobytes()
