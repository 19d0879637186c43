"""Every form of attention.sdpa against NumPy: one text, with dynamic sizes, by the
oracle (-O0) and by what the compiler chooses.

Products and softmax are f32, the reference float64: relative errors of some units
of 2^-24 by the length of the sums. f16 and bf16 results are rounded once.
"""

import numpy as np
import pytest
import tessera

from attention_reference import attention

RNG = np.random.default_rng(5)
ELEMENTS = {"f32": np.float32, "f16": np.float16}
TOLERANCE = {"f32": 2e-6, "f16": 1e-3}
HEADS, KEY_HEADS, DIM, VALUE_DIM = 4, 4, 16, 8


class Form:
    """An attention: `text` between the operands and the types, operands by name,
    and the arguments of the NumPy reference."""

    def __init__(self, text="", heads=HEADS, key_heads=KEY_HEADS, element="f32",
                 log_sum_exp=False, bias=None, mask=None, key_lengths=False,
                 offset=False, **reference):
        self.text, self.heads, self.key_heads = text, heads, key_heads
        self.element, self.log_sum_exp = element, log_sum_exp
        self.bias, self.mask = bias, mask
        self.key_lengths, self.offset = key_lengths, offset
        self.reference = reference


SCORE = """score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %d = arith.subi %j, %i : index
    %x = arith.index_cast %d : index to i32
    %f = arith.sitofp %x : i32 to f32
    %c = arith.constant 0.25 : f32
    %m = arith.mulf %f, %c : f32
    %r = arith.addf %s, %m : f32
    attention.yield %r : f32
  }"""
VISIBLE = """visible {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %n = arith.addi %h, %i : index
    %r = arith.cmpi ule, %j, %n : index
    attention.yield %r : i1
  }"""

FORMS = {
    "plain": Form(),
    "grouped": Form(heads=6, key_heads=2),
    "one_key_head": Form(heads=3, key_heads=1),
    "f16": Form(element="f16"),
    "log_sum_exp": Form(log_sum_exp=True),
    "causal": Form("causal", causal=True),
    "causal_with_offset": Form("causal", offset=True, causal=True),
    "window": Form("window = [2, 1]", window=(2, 1)),
    "causal_window_with_offset": Form("causal window = [3, -1]", offset=True,
                                      causal=True, window=(3, -1)),
    "softcap": Form("softcap = 1.5", softcap=1.5),
    "full_bias": Form(bias="bhij"),
    "bias_of_keys": Form(bias="b11j"),
    "bias_of_heads_f16": Form(bias="1hij", element="f16"),
    "mask_of_keys": Form(mask="b11j"),
    "mask_zero_rows": Form("masked_rows = zero", mask="b1ij", masked_rows="zero"),
    "mask_nan_rows": Form(mask="b1ij"),
    "key_lengths": Form(key_lengths=True),
    "key_lengths_zero_rows": Form("causal masked_rows = zero", key_lengths=True,
                                  causal=True, masked_rows="zero"),
    "softcap_before_bias": Form("softcap = 0.5", bias="11ij", softcap=0.5),
    "everything": Form("causal window = [4, -1] softcap = 2.0 masked_rows = zero",
                       heads=6, key_heads=3, bias="bhij", mask="b1ij", key_lengths=True,
                       offset=True, log_sum_exp=True, causal=True, window=(4, -1),
                       softcap=2.0, masked_rows="zero"),
    "score_region": Form(SCORE, score=lambda s, b, h, i, j: s + 0.25 * (j - i)),
    "mask_region": Form(VISIBLE, visible=lambda b, h, i, j: j <= h + i),
}


def tensor(shape, element):
    return "tensor<" + "x".join([str(d) for d in shape] + [element]) + ">"


def letters(pattern, sizes):
    return [1 if c == "1" else sizes["bhij".index(c)] for c in pattern]


def module(form):
    """Text of a model with dynamic batch, queries and keys; the length of the past
    is that of the input `past`."""
    element = form.element
    q = ["?", form.heads, "?", DIM]
    k = ["?", form.key_heads, "?", DIM]
    v = ["?", form.key_heads, "?", VALUE_DIM]
    full = ["?", form.heads, "?", "?"]
    names = {"b": "@batch", "h": str(form.heads), "i": "@queries", "j": "@keys", "1": "1"}
    arguments = [("q", q, element, ["@batch", form.heads, "@queries", DIM]),
                 ("k", k, element, ["@batch", form.key_heads, "@keys", DIM]),
                 ("v", v, element, ["@batch", form.key_heads, "@keys", VALUE_DIM])]
    operands, labelled = "", ""
    if form.bias:
        shape = letters(form.bias, full)
        arguments.append(("bias", shape, element, [names[c] for c in form.bias]))
        operands += " bias %bias"
        labelled += f" bias {tensor(shape, element)}"
    if form.mask:
        shape = letters(form.mask, full)
        arguments.append(("mask", shape, "i1", [names[c] for c in form.mask]))
        operands += " mask %mask"
        labelled += f" mask {tensor(shape, 'i1')}"
    if form.key_lengths:
        arguments.append(("lengths", ["?"], "i64", ["@batch"]))
        operands += " key_lengths %lengths"
        labelled += " key_lengths tensor<?xi64>"
    before = ""
    if form.offset:
        arguments.append(("past", ["?"], "i8", ["@past"]))
        before = "%p = graph.size @past"
        operands += " offset %p"
    results = [tensor(["?", form.heads, "?", VALUE_DIM], element)]
    if form.log_sum_exp:
        results.append(tensor(["?", form.heads, "?"], "f32"))
    typed = ", ".join(
        f"%{name}: {tensor(shape, kind)} "
        f"{{graph.name = \"{name}\", graph.dims = [{', '.join(map(str, dims))}]}}"
        for name, shape, kind, dims in arguments)
    named = ", ".join(f'{t} {{graph.name = "y{i}"}}' for i, t in enumerate(results))
    values = ", ".join(f"%o#{i}" for i in range(len(results)))
    symbols = "\n".join(f"graph.symbol @{n} min 0 typical 16 max 9223372036854775807"
                        for n in ["batch", "queries", "keys"] + ["past"] * form.offset)
    return f"""{symbols}
      func.func @main({typed}) -> ({named}) {{
        {before}
        %o:{len(results)} = attention.sdpa %q, %k, %v{operands} scale 0.25 {form.text}
          : {tensor(q, element)}, {tensor(k, element)}, {tensor(v, element)}{labelled}
            -> {', '.join(results)}
        return {values} : {', '.join(results)}
      }}"""


def feeds_of(form, batch, queries, keys, past):
    dtype = ELEMENTS[form.element]

    def normal(*shape):
        return RNG.standard_normal(shape).astype(dtype)

    feeds = {"q": normal(batch, form.heads, queries, DIM),
             "k": normal(batch, form.key_heads, keys, DIM),
             "v": normal(batch, form.key_heads, keys, VALUE_DIM)}
    full = [batch, form.heads, queries, keys]
    if form.bias:
        feeds["bias"] = normal(*letters(form.bias, full))
    if form.mask:
        feeds["mask"] = RNG.random(letters(form.mask, full)) < 0.6
        feeds["mask"][..., :1, :] &= batch > 1  # rows without a key
    if form.key_lengths:
        feeds["lengths"] = RNG.integers(0, keys + 1, batch).astype(np.int64)
    if form.offset:
        feeds["past"] = np.zeros(past, np.int8)
    return feeds


@pytest.fixture(scope="module", params=[0, 3], ids=["O0", "O3"])
def level(request):
    return request.param


@pytest.mark.parametrize("name", FORMS)
def test_against_numpy(name, level, tmp_path):
    form = FORMS[name]
    path = tmp_path / "model.mlir"
    path.write_text(module(form))
    library = tessera.compile(path, tmp_path / "model.so", flags=[f"-O{level}"])
    session = tessera.load(library)
    for batch, queries, keys, past in [(2, 7, 9, 2), (1, 1, 33, 32), (3, 40, 40, 0), (2, 5, 0, 0)]:
        feeds = feeds_of(form, batch, queries, keys, past)
        outputs = session.run(None, feeds)
        reference = dict(form.reference, bias=feeds.get("bias"), mask=feeds.get("mask"),
                         key_lengths=feeds.get("lengths"), offset=past if form.offset else 0)
        expected = attention(feeds["q"], feeds["k"], feeds["v"], 0.25, **reference)
        tolerance = TOLERANCE[form.element]
        np.testing.assert_allclose(outputs[0], expected[0], rtol=tolerance, atol=tolerance)
        if form.log_sum_exp:
            np.testing.assert_allclose(outputs[1], expected[1], rtol=2e-6, atol=2e-6)
