"""GridSample inside, at the borders and beyond, against PyTorch's arithmetic as ONNX
Runtime has it; Resize by fractions, in one arithmetic for known and unknown sizes."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import helper, numpy_helper

onnxruntime = pytest.importorskip("onnxruntime")

SIZES = pytest.mark.parametrize("known", [True, False])


def save_and_run(model, folder, feeds, level=3):
    onnx.save(model, folder / "m.onnx")
    return tessera.load(tessera.compile(folder / "m.onnx", folder / "m.so", opt_level=level)).run(None, feeds)


def model_of(nodes, feeds, outputs, known, constants=None):
    element = lambda a: helper.np_dtype_to_tensor_dtype(a.dtype)  # noqa: E731
    graph = helper.make_graph(
        nodes, "sampling",
        [helper.make_tensor_value_info(k, element(v), v.shape if known else [f"{k}{i}" if i else "n" for i in range(v.ndim)])
         for k, v in feeds.items()],
        [helper.make_tensor_value_info(k, element(v), None) for k, v in outputs.items()],
        [numpy_helper.from_array(v, k) for k, v in (constants or {}).items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def interpolated(row, at, mode):
    """`row` at the places `at`, its ends repeated."""
    low, part = np.floor(at), at - np.floor(at)
    taps = [(0, 1 - part), (1, part)] if mode == "linear" else [
        (tap, (1.25 * d - 2.25) * d * d + 1 if abs(tap - 0.5) < 1 else ((-0.75 * d + 3.75) * d - 6) * d + 3)
        for tap in (-1, 0, 1, 2) for d in [abs(part - tap)]]
    return sum(row[np.clip(low + tap, 0, len(row) - 1).astype(int)] * weight for tap, weight in taps)


@SIZES
@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("level", [0, 3])
def test_grid_sample(tmp_path, known, align, level):
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 3, 5, 6)).astype(np.float32)
    grid = random.uniform(-1.7, 1.7, (2, 7, 9, 2)).astype(np.float32)
    feeds = {"x": x, "g": grid}
    nodes = [helper.make_node("GridSample", ["x", "g"], [f"{mode}_{pad}"], mode=mode, padding_mode=pad, align_corners=align)
             for mode in ("nearest", "linear", "cubic") for pad in ("zeros", "border", "reflection")]
    model = model_of(nodes, feeds, {n.output[0]: x for n in nodes}, known)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    for made, a, b in zip(nodes, save_and_run(model, tmp_path, feeds, level), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, err_msg=made.output[0])


@SIZES
@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("pad", ["zeros", "border", "reflection"])
def test_nearest_of_places_between(tmp_path, known, align, pad):
    """Halves go to the even element, and that is mirrored."""
    x = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    steps = np.arange(-24, 25, dtype=np.float32) / 8
    grid = np.stack(np.meshgrid(steps, steps), -1)[None]
    feeds = {"x": x, "g": grid}
    made = helper.make_node("GridSample", ["x", "g"], ["y"], mode="nearest", padding_mode=pad, align_corners=align)
    model = model_of([made], feeds, {"y": x}, known)
    y, = save_and_run(model, tmp_path, feeds)
    np.testing.assert_array_equal(y, onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)[0])


@SIZES
@pytest.mark.parametrize("of_image, of_grid", [(np.float64, np.float64), (np.float64, np.float32), (np.float32, np.float64)])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_float64_is_sampled_in_float64(tmp_path, known, of_image, of_grid, mode):
    """ONNX's reference evaluator has places of float32."""
    random = np.random.default_rng(2)
    x, grid = random.standard_normal((1, 1, 9)).astype(of_image), random.uniform(-1, 1, (1, 7, 1)).astype(of_grid)
    made = helper.make_node("GridSample", ["x", "g"], ["y"], mode=mode, padding_mode="border")
    y, = save_and_run(model_of([made], {"x": x, "g": grid}, {"y": x}, known), tmp_path, {"x": x, "g": grid})
    at = ((grid[0, :, 0].astype(np.float64) + 1) * 9 - 1) / 2
    np.testing.assert_allclose(y[0, 0], interpolated(x[0, 0].astype(np.float64), np.clip(at, 0, 8) if mode == "linear" else at, mode),
                               rtol=1e-12 if of_image == np.float64 else 1e-6, atol=1e-12 if of_image == np.float64 else 1e-6)


def test_reflection_of_one_element(tmp_path):
    x, grid = np.full((1, 1, 1, 1), 3, np.float32), np.linspace(-2, 2, 10, dtype=np.float32).reshape(1, 5, 1, 2)
    made = helper.make_node("GridSample", ["x", "g"], ["y"], padding_mode="reflection", align_corners=1)
    y, = save_and_run(model_of([made], {"x": x, "g": grid}, {"y": x}, False), tmp_path, {"x": x, "g": grid})
    np.testing.assert_array_equal(y, np.full((1, 1, 5, 1), 3))


def position(kind, x, scale, before, float_):
    x, one, half = x.astype(float_), float_(1), float_(0.5)
    if kind == "asymmetric":
        return x / scale
    if kind == "align_corners":
        return x * (float_(before) - one) / (scale * float_(before) - one)
    return (x + half) / scale - half


@SIZES
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("before, factor", [(5, 0.6), (10, 1.7), (9, 4 / 9), (706, 705 / 706)])
def test_places_of_resize(tmp_path, known, dtype, before, factor):
    float_ = np.float64 if dtype == np.float64 else np.float32
    x = (np.random.default_rng(before).standard_normal((1, 1, before)) * 50).astype(dtype)
    scale = np.float32(factor)
    after = int(np.float32(before) * scale)
    wanted, nodes = {}, []

    def add(kind, way, value, **method):
        wanted[f"{kind} {way}"] = value
        nodes.append(helper.make_node("Resize", ["x", "", "s"], [f"{kind} {way}"],
                                      coordinate_transformation_mode=kind, **method))

    for kind in ("asymmetric", "half_pixel", "align_corners"):
        at = position(kind, np.arange(after), float_(scale), before, float_)
        for way, place in (("floor", np.floor(at)), ("ceil", np.ceil(at)),
                           ("round_prefer_floor", np.ceil(at - float_(0.5))),
                           ("round_prefer_ceil", np.floor(at + float_(0.5)))):
            add(kind, way, x[..., np.clip(place, 0, before - 1).astype(int)], mode="nearest", nearest_mode=way)
        if dtype != np.uint8:
            low = np.floor(at)
            a, b = (x[..., np.clip(low + tap, 0, before - 1).astype(int)] for tap in (0, 1))
            add(kind, "linear", a + (b - a) * (at - low), mode="linear")
    model = model_of(nodes, {"x": x}, wanted, known, {"s": np.array([1, 1, scale], np.float32)})
    for way, result in zip(wanted, save_and_run(model, tmp_path, {"x": x}), strict=True):
        np.testing.assert_allclose(result, wanted[way], rtol=1e-12 if dtype == np.float64 else 1e-5, atol=1e-13, err_msg=way)


@SIZES
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_float64_is_resized_in_float64(tmp_path, known, mode):
    x = np.random.default_rng(1).standard_normal((1, 1, 9)) * 50
    made = helper.make_node("Resize", ["x", "", "", "s"], ["y"], mode=mode, coordinate_transformation_mode="align_corners")
    model = model_of([made], {"x": x}, {"y": x}, known, {"s": np.array([1, 1, 4])})
    wanted = interpolated(x[0, 0], np.arange(4) * (8 / 3), mode)
    y, = save_and_run(model, tmp_path, {"x": x})
    np.testing.assert_allclose(y[0, 0], wanted, rtol=1e-12, atol=1e-12)
