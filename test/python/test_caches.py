"""Caches in place: outputs that extend an input, against ONNX Runtime at every step."""

import numpy as np
import pytest
import tessera

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

HEADS, WIDTH = 2, 8


def save_decoder(path, axis):
    """Attention over concat(past, new) along `axis` of [batch, heads, length, width]
    or, with axis 1, [batch, length, heads, width]; names tell nothing."""
    batch_shape = lambda length: (
        ["b", HEADS, length, WIDTH] if axis == 2 else ["b", length, HEADS, WIDTH]
    )
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    nodes, inputs, outputs = [], [value("x", ["b", "n", HEADS * WIDTH])], [
        value("y", ["b", HEADS, "n", WIDTH])
    ]
    random = np.random.default_rng(5)
    weights, whole = [], {}
    for part in "qkv":
        weight = random.standard_normal((HEADS * WIDTH, HEADS * WIDTH), np.float32) / 4
        weights.append(numpy_helper.from_array(weight, f"w{part}"))
        nodes += [
            helper.make_node("MatMul", ["x", f"w{part}"], [f"{part}0"]),
            helper.make_node("Reshape", [f"{part}0", "split"], [f"{part}1"]),
        ]
        new = f"{part}1"
        if axis == 2 or part == "q":
            nodes.append(helper.make_node("Transpose", [new], [f"{part}2"], perm=[0, 2, 1, 3]))
            new = f"{part}2"
        whole[part] = new
        if part == "q":
            continue
        inputs.append(value(f"in_{part}", batch_shape("p")))
        outputs.append(value(f"out_{part}", batch_shape("t")))
        nodes.append(helper.make_node("Concat", [f"in_{part}", new], [f"out_{part}"], axis=axis))
        whole[part] = f"out_{part}"
        if axis == 1:
            nodes.append(
                helper.make_node("Transpose", [whole[part]], [f"{part}3"], perm=[0, 2, 1, 3])
            )
            whole[part] = f"{part}3"
    nodes += [
        helper.make_node("Transpose", [whole["k"]], ["kt"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", [whole["q"], "kt"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", whole["v"]], ["y"]),
    ]
    split = numpy_helper.from_array(np.array([0, 0, HEADS, WIDTH]), "split")
    graph = helper.make_graph(nodes, "decoder", inputs, outputs, [*weights, split])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module", params=[1, 2], ids=["positions-first", "heads-first"])
def decoder(request, tmp_path_factory):
    path = save_decoder(tmp_path_factory.mktemp("decoder") / "m.onnx", request.param)
    session = tessera.load(tessera.compile(path), threads=2)
    reference = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session, reference, request.param


def empty_past(axis, batch, length=0):
    shape = (batch, HEADS, length, WIDTH) if axis == 2 else (batch, length, HEADS, WIDTH)
    return np.zeros(shape, np.float32)


def assert_close(ours, theirs):
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-5 * max(1, np.abs(theirs).max())


def test_outputs_say_what_they_extend(decoder):
    session, _, axis = decoder
    extends = {port.name: port.extends for port in session.get_outputs()}
    assert extends == {"y": None, "out_k": ("in_k", axis), "out_v": ("in_v", axis)}
    assert f"output  out_k: float32" in session.describe()
    assert f", extends in_k along dimension {axis}\n" in session.describe()


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("first", [1, 5])
def test_decodes_in_place_like_the_reference(decoder, batch, first):
    """`first` tokens, then one at a time; the capacity is exactly enough."""
    session, reference, axis = decoder
    steps = 64
    caches = session.make_caches(first + steps, b=batch)
    random = np.random.default_rng(batch)
    past = {"in_k": empty_past(axis, batch), "in_v": empty_past(axis, batch)}
    for step in range(steps + 1):
        x = random.standard_normal((batch, first if step == 0 else 1, HEADS * WIDTH), np.float32)
        [y] = session.run(None, {"x": x}, caches=caches)
        expected, k, v = reference.run(["y", "out_k", "out_v"], {"x": x, **past})
        assert_close(y, expected)
        past = {"in_k": k, "in_v": v}
        for name, array in caches.past().items():
            assert_close(array, past[name])
    assert caches.length == first + steps
    with pytest.raises(
        tessera.TesseraError,
        match=f"output 'out_k' needs room for {caches.capacity + 1} along dimension {axis}",
    ):
        session.run(None, {"x": x}, caches=caches)


def test_unrelated_dense_tensors_are_copied(decoder):
    session, reference, axis = decoder
    random = np.random.default_rng(7)
    for batch, past, new in [(1, 0, 3), (3, 5, 1), (2, 5, 4)]:
        x = random.standard_normal((batch, new, HEADS * WIDTH), np.float32)
        feeds = {"x": x}
        for name in ("in_k", "in_v"):
            shape = empty_past(axis, batch, past).shape
            feeds[name] = random.standard_normal(shape, np.float32)
        for ours, theirs in zip(session.run(None, feeds), reference.run(None, feeds)):
            assert_close(ours, theirs)


def test_past_is_not_touched_in_place(decoder):
    """What lies in the cache is read where it is: poison in the positions of the past
    that attention has not read yet stays, and no byte of the past is written."""
    session, _, axis = decoder
    batch, past, capacity = 3, 6, 16
    caches = session.make_caches(capacity, b=batch)
    random = np.random.default_rng(3)
    session.run(None, {"x": random.standard_normal((batch, past, 16), np.float32)}, caches=caches)
    # A signalling NaN that arithmetic or a conversion would make quiet.
    pattern = np.array([0x7F800001], np.uint32).view(np.float32)
    for array in caches.arrays.values():
        array.view(np.uint32)[...] = pattern.view(np.uint32)
    before = {name: array.copy() for name, array in caches.arrays.items()}
    session.run(None, {"x": random.standard_normal((batch, 1, 16), np.float32)}, caches=caches)
    for name, array in caches.arrays.items():
        written = array.view(np.uint32) != before[name].view(np.uint32)
        positions = np.moveaxis(written, axis, 0)
        assert not positions[:past].any() and not positions[past + 1 :].any()
        assert positions[past].any()


def test_the_past_may_be_read_only_memory(decoder):
    """Pages that hold nothing but past are protected during the run."""
    import ctypes
    import mmap

    session, _, axis = decoder
    if axis != 1:
        pytest.skip("the past of a batch of 1 is contiguous where positions come first")
    libc = ctypes.CDLL(None, use_errno=True)
    position = HEADS * WIDTH * 4
    past = 4 * mmap.PAGESIZE // position
    capacity = past + mmap.PAGESIZE // position
    feeds, outputs, maps = {"x": np.ones((1, 1, 16), np.float32)}, {}, []
    for part in "kv":
        memory = mmap.mmap(-1, capacity * position)
        array = np.frombuffer(memory, np.float32).reshape(1, capacity, HEADS, WIDTH)
        array[...] = 0.5
        feeds[f"in_{part}"], outputs[f"out_{part}"] = array[:, :past], array[:, : past + 1]
        maps.append((memory, array))
    for _, array in maps:
        address = ctypes.c_void_p(array.ctypes.data)
        assert libc.mprotect(address, past * position, mmap.PROT_READ) == 0
    try:
        [y, *_] = session.run(["y", "out_k", "out_v"], feeds, outputs)
    finally:
        for _, array in maps:
            address = ctypes.c_void_p(array.ctypes.data)
            libc.mprotect(address, past * position, mmap.PROT_READ | mmap.PROT_WRITE)
    assert np.isfinite(y).all()
    assert not np.array_equal(maps[0][1][:, past], maps[0][1][:, past - 1])


def test_wrong_memory_is_an_error_that_names_the_output(decoder):
    session, _, axis = decoder
    x = np.ones((2, 1, 16), np.float32)
    memory = empty_past(axis, 2, 9)
    part = lambda array, start, stop: array[(slice(None),) * axis + (slice(start, stop),)]
    feeds = {"x": x, "in_k": part(memory, 1, 5), "in_v": empty_past(axis, 2, 4)}
    with pytest.raises(tessera.TesseraError, match="output 'out_k' overlaps input 'in_k'"):
        session.run(["y", "out_k"], feeds, {"out_k": part(memory, 0, 5)})
    # Strides of a capacity of 4.
    small = np.lib.stride_tricks.as_strided(
        memory, part(memory, 0, 5).shape, empty_past(axis, 2, 4).strides
    )
    feeds["in_k"] = empty_past(axis, 2, 4)
    with pytest.raises(
        tessera.TesseraError,
        match=f"output 'out_k' needs room for 5 along dimension {axis} but .* leave 4",
    ):
        session.run(["y", "out_k"], feeds, {"out_k": small})
