"""`Sequential.export`: what is in the file, what it gives, what is refused."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import nnxp
from benchmarks import onnx_errors
from nnxp import BatchNorm, Dense, Dropout, LayerNorm, Rescaling, Sequential
from nnxp.activations import ACTIVATIONS, Activation
from nnxp.export import elementwise, operators
from nnxp.kernels import formulas, vocabulary
from tests.helpers.matrix import Target
from tests.helpers.models import Scale

RNG = np.random.default_rng(18)
X = RNG.normal(size=(20, 4)).astype("float32")


def run(path: Path, x: Any) -> list[Any]:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"X": x})


def classifier(**options: Any) -> Sequential:
    layers = [Dense(4, 8), Dropout(0.5), "relu", Dense(8, 3), "softmax"]
    return Sequential(layers, "categorical_crossentropy", seed=0, **options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def test_the_file_is_one_that_old_runtimes_take(path: Path) -> None:
    model = classifier()
    model.classes = ["no", "perhaps", "yes"]
    model.preprocessing = {"features": ["a", "b", "c", "d"]}
    model.export(path)
    proto = onnx.load(path)
    assert proto.ir_version == 8
    assert {(entry.domain, entry.version) for entry in proto.opset_import} == {("", 17), ("ai.onnx.ml", 3)}
    assert [node.op_type for node in proto.graph.node][:4] == ["Gemm", "Relu", "Gemm", "Softmax"]  # dropout is gone
    assert {node.domain for node in proto.graph.node} == {""}
    assert [entry.name for entry in proto.graph.input] == ["X"]  # constants are none
    read = {name for node in proto.graph.node for name in node.input}
    assert {entry.name for entry in proto.graph.initializer} == read - {
        "X",
        *(o for n in proto.graph.node for o in n.output),
    }
    assert [entry.name for entry in proto.graph.output] == ["probabilities", "label"]
    noted = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(noted["classes"]) == ["no", "perhaps", "yes"] and noted["dtype"] == "float32"
    assert json.loads(noted["features"]) == ["a", "b", "c", "d"]
    assert json.loads(noted["versions"]) == {
        "nnxp": nnxp.__version__, "onnx": onnx.__version__, "numpy": np.__version__
    }  # fmt: skip


def test_what_export_returns_says_what_ran_the_file(path: Path) -> None:
    checked = classifier().export(path, check=X)
    assert checked.evaluator == f"onnxruntime {onnxruntime.__version__}" and checked.rows == 20
    assert checked.difference <= 4 * np.finfo("float32").eps and str(checked.rows) in str(checked)


def test_a_normalisation_after_a_dense_layer_is_in_its_weights_rounded_once(path: Path) -> None:
    model = Sequential([Dense(4, 3), BatchNorm(3), "tanh", BatchNorm(3)], "mean_squared_error", seed=0)
    dense, norm = model.layers[:2]
    dense.biases, norm.gains, norm.biases = RNG.normal(size=(3, 1, 3))
    norm.running_mean, norm.running_variance = RNG.normal(size=(1, 3)), RNG.uniform(0.5, 2, (1, 3))
    model.export(path)
    proto = onnx.load(path)
    assert [node.op_type for node in proto.graph.node] == ["Gemm", "Tanh", "Clip", "Sub", "Mul", "Add", "Identity"]
    constants = {entry.name: numpy_helper.to_array(entry) for entry in proto.graph.initializer}
    _, W, b = proto.graph.node[0].input
    slope = norm.gains.astype(float) / np.sqrt(norm.running_variance.astype(float) + 1e-5)
    np.testing.assert_array_equal(constants[W], (dense.weights.astype(float) * slope).astype("float32"))
    offset = (dense.biases.astype(float) - norm.running_mean) * slope + norm.biases
    np.testing.assert_array_equal(constants[b], offset.astype("float32"))


def test_labels(path: Path) -> None:
    """Names where the model has some, else indices; of several labels each by itself; none of a row with NaN."""
    bad = X.copy()
    bad[3, 1] = np.nan
    model = classifier()
    model.export(path)
    p, label = run(path, bad)
    assert label.dtype == np.int64 and label[3] == -1 and np.isnan(p[3]).all()
    good = np.arange(20) != 3
    np.testing.assert_array_equal(label[good], np.argmax(model.predict(X), axis=1)[good])
    model.classes = ["a", "b", "c"]
    model.export(path, outputs=["label"])
    (named,) = run(path, bad)
    assert named.tolist() == ["" if k < 0 else "abc"[k] for k in label]

    binary = Sequential([Dense(4, 1), "sigmoid"], "binary_crossentropy", seed=0)
    binary.classes = ["no", "yes"]
    binary.export(path)
    p, label = run(path, bad)
    assert p.shape == (20, 1)
    assert label.tolist() == ["" if np.isnan(q) else "yes" if q > 0.5 else "no" for q in p[:, 0]]

    several = Sequential([Dense(4, 3), "sigmoid"], "binary_crossentropy", seed=0)
    several.export(path)
    p, label = run(path, bad)
    assert label.dtype == np.int64 and (label[3] == -1).all()
    np.testing.assert_array_equal(label[good], p[good] > 0.5)


def test_logits_and_what_members_say(path: Path) -> None:
    model = classifier(members=3)
    model.export(path, outputs=["logits", "members", "std", "probabilities"])
    logits, members, std, p = run(path, X)
    assert logits.shape == (3, 20, 3)
    each = np.asarray(model.predict(X, members=True), dtype=float)
    eps = np.finfo("float32").eps
    np.testing.assert_allclose(members, each, rtol=0, atol=8 * eps)
    np.testing.assert_allclose(std, np.std(each, axis=0, ddof=1), rtol=0, atol=16 * eps)
    np.testing.assert_allclose(p, each.mean(axis=0), rtol=0, atol=8 * eps)  # the mean of probabilities
    e = np.exp(logits.astype(float))
    np.testing.assert_allclose(members, e / e.sum(axis=2, keepdims=True), rtol=0, atol=16 * eps)

    logistic = Sequential([Dense(4, 3)], "softmax_crossentropy", seed=0)
    logistic.export(path, outputs=["logits", "probabilities"])
    logits, p = run(path, X)
    np.testing.assert_allclose(logits, logistic.predict(X), rtol=0, atol=8 * eps)
    e = np.exp(logits.astype(float))
    np.testing.assert_allclose(p, e / e.sum(axis=1, keepdims=True), rtol=0, atol=8 * eps)


def test_bytes_are_cast_in_the_file(path: Path) -> None:
    model = Sequential([Rescaling(1 / 255), Dense(4, 3), "softmax"], seed=0)
    model.export(path, input_dtype="uint8")
    images = RNG.integers(256, size=(20, 4)).astype("uint8")
    assert onnx.load(path).graph.node[0].op_type == "Cast"
    np.testing.assert_allclose(run(path, images)[0], model.predict(images), rtol=0, atol=8 * np.finfo("float32").eps)


def test_rows_to_check_with_are_of_the_inputs_dtype(path: Path) -> None:
    """What a file of whole numbers would never be given says nothing of it."""
    model = Sequential([Rescaling(1 / 255), Dense(4, 3)], seed=0)
    rows = RNG.integers(256, size=(5, 4)).astype(float)
    assert model.export(path, input_dtype="uint8", check=rows).rows == 5
    path.unlink()
    for number, dtype in ((0.5, "uint8"), (-1, "uint8"), (256, "uint8"), (np.nan, "int32"), (2.0**31, "int32")):
        rows[3, 2] = number
        with pytest.raises(
            nnxp.ExportError, match=rf"check with {number}.* in row 3, column 2, and input_dtype='{dtype}'"
        ):
            model.export(path, input_dtype=dtype, check=rows)
    assert not path.exists()


def test_a_model_of_any_library_is_exported(backend: Target, path: Path) -> None:
    model = classifier(backend=backend.spec)
    model.export(path)
    ours = backend.to_numpy(model.predict(backend.asarray(X)))
    np.testing.assert_allclose(run(path, X)[0], ours, rtol=0, atol=16 * np.finfo("float32").eps)


class Fixed(Sequential):
    """A model of a class of somebody's own."""

    def __init__(self) -> None:
        super().__init__([Dense(4, 3), "relu", Dense(3, 2)], "mean_squared_error", seed=0)


def test_models_of_ones_own_and_what_members_have_by_themselves(path: Path) -> None:
    Fixed().export(path)
    np.testing.assert_allclose(run(path, X)[0], Fixed().predict(X), rtol=0, atol=8 * np.finfo("float32").eps)
    rates = [[1.0, 2.0, 0.5, 1.0], [3.0, 4.0, 1.0, 2.0]]
    layers = [Rescaling(rates, 0.5), Dense(4, 3), "relu", Dropout([0.1, 0.2]), Dense(3, 1)]
    model = Sequential(layers, "mean_squared_error", members=2, seed=0)
    model.export(path)
    np.testing.assert_allclose(run(path, X)[0], model.predict(X), rtol=0, atol=32 * np.finfo("float32").eps)


def test_a_layer_norm_of_large_numbers_keeps_its_digits(path: Path) -> None:
    """ONNX's own operator is 5e-4 off there: it normalises by a mean that is rounded."""
    Sequential([LayerNorm(64)], "mean_squared_error", seed=0).export(path)
    x = (1e4 + RNG.normal(size=(30, 64))).astype("float32")
    wide = x.astype(float)
    exact = (wide - wide.mean(axis=1, keepdims=True)) / np.sqrt(wide.var(axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(run(path, x)[0], exact, rtol=0, atol=16 * np.finfo("float32").eps)


def test_a_float64_model_may_lose_what_its_own_sums_lose(path: Path) -> None:
    """In them numbers of a million leave 1, so that a folded normalisation rounds them otherwise, far beyond 16 ulp."""
    model = Sequential([Dense(4, 8), BatchNorm(8)], "mean_squared_error", dtype="float64", seed=0)
    model.layers[0].weights = RNG.normal(size=(4, 8)) * [[1e6], [1e6], [1e-6], [1e-6]]
    model.layers[1].running_mean, model.layers[1].running_variance = RNG.normal(size=(1, 8)), np.full((1, 8), 3.0)
    same = RNG.normal(size=(50, 1))
    x = np.concatenate([same, same, RNG.normal(size=(50, 2))], axis=1)
    model.layers[0].weights[1] = -np.asarray(model.layers[0].weights[0])
    checked = model.export(path, check=x)
    assert checked.error > 16 * np.spacing(np.abs(model.predict(x)).max())


def test_infinities_have_to_be_where_those_of_predict_are(path: Path) -> None:
    for dtype in ("float32", "float64"):
        model = Sequential([Dense(4, 2)], "mean_squared_error", dtype=dtype, seed=0)
        model.layers[0].biases = [[np.inf, 1.0]]
        model.layers[0].weights[0, 1] = 1e300 if dtype == "float64" else 1e30
        model.export(path)
        found = run(path, X.astype(dtype))[0]
        assert np.isinf(found[:, 0]).all() and np.isfinite(found[:, 1]).all()


def test_a_row_has_the_same_bits_alone_and_among_others(path: Path) -> None:
    """Of layers whose operators the runtime has other ways for at other sizes: cosines by fours, stacked products."""
    for members in (1, 3):
        layers = [nnxp.PeriodicEmbedding(4, 3, 3, 1.0, columns=[0, 1, 3]), Dense(10, 7), "selu", Dense(7, 1)]
        Sequential(layers, "mean_squared_error", members=members, seed=0).export(path)
        x = RNG.normal(size=(1000, 4)).astype("float32")
        whole = run(path, x)[0]
        for n in (1, 7, 64):
            np.testing.assert_array_equal(run(path, x[:n])[0], whole[:n])


class Cube(Activation):
    """x³, somebody's own."""

    formula = staticmethod(lambda x: x * x * x)
    gradient_formula = staticmethod(lambda x, dy: 3 * x * x * dy)


class Bits(Activation):
    """What is of whole numbers."""

    formula = staticmethod(lambda x: x << 1)


def test_an_activation_of_ones_own_is_written_by_its_formula(path: Path) -> None:
    model = Sequential([Dense(4, 3), Cube()], seed=0)
    model.export(path)
    assert [node.op_type for node in onnx.load(path).graph.node] == ["Gemm", "Mul", "Mul", "Identity"]
    np.testing.assert_allclose(run(path, X)[0], model.predict(X), rtol=8 * np.finfo("float32").eps)
    graph = operators.Operators("float32")
    with pytest.raises(nnxp.ExportError, match="'lshift' of whole numbers"):
        elementwise.formula(graph, Bits.formula, "X")


def test_what_cannot_be_exported_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Sequential([Dense(4, 3), Scale(3)], seed=0)
    refused = {
        r"layer 1, Scale, a class of your own.*nnxp\.Activation with a formula": lambda: own.export(path),
        r"numbers of inputs and outputs are not known": lambda: Sequential(["relu"]).export(path),
        r"outputs with 'probability', expected some of .*did you mean 'probabilities'": lambda: classifier().export(
            path, outputs=["probability"]
        ),
        r"outputs with 'std', expected some of probabilities, label, logits, which": lambda: classifier().export(
            path, outputs=["std"]
        ),
        r"outputs=\['label', 'label'\].*each once": lambda: classifier().export(path, outputs=["label", "label"]),
        r"input_dtype='float16', expected one of float32": lambda: classifier().export(path, input_dtype="float16"),
        r"check of shape \(20, 3\).*expected rows of numbers, \(rows, 4\)": lambda: classifier().export(
            path, check=X[:, :3]
        ),
        r"dtype float16 to export, expected float32 or float64": lambda: operators.Operators("float16"),
    }
    for message, call in refused.items():
        with pytest.raises(nnxp.ExportError, match=message):
            call()
    monkeypatch.setattr(operators, "LARGEST", 100)
    with pytest.raises(nnxp.ExportError, match=r"ends at 2 GiB: save it as safetensors \(model\.save\)"):
        classifier().export(path)
    assert not path.exists()
    monkeypatch.undo()
    missing = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else missing(name))
    with pytest.raises(ModuleNotFoundError, match=r'pip install "nnxp\[onnx\]"'):
        classifier().export(path)


def test_a_file_that_would_be_wrong_is_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own error alone counts: a large one of `predict` allows as much."""
    path.write_text("from before")
    model = Sequential([Dense(4, 3), "tanh"], seed=0)
    monkeypatch.setitem(elementwise.WRITTEN, "tanh", lambda g, x: g.node("Mul", g.node("Tanh", x), g.constant(1.00001)))
    with pytest.raises(nnxp.ExportError, match=r"error of .* in prediction of the ONNX file, .*nothing is written"):
        model.export(path)
    monkeypatch.setitem(elementwise.WRITTEN, "tanh", lambda g, x: g.node("Log", g.node("Abs", g.node("Sub", x, x))))
    with pytest.raises(nnxp.ExportError, match=r"prediction of shape \(64, 3\) .*NaN and infinity at other places"):
        model.export(path)
    monkeypatch.setitem(elementwise.WRITTEN, "tanh", lambda g, x: g.node("Tangent", x))
    with pytest.raises(nnxp.ExportError, match="no valid ONNX"):
        model.export(path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        classifier().export(path.parent / "nowhere" / "model.onnx")
    assert path.read_text() == "from before" and [*path.parent.iterdir()] == [path]


def test_without_onnxruntime_the_reference_evaluator_checks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    assert classifier().export(path).evaluator == f"the reference evaluator of onnx {onnx.__version__}"


def test_words_are_right_where_the_runtime_is_not(path: Path) -> None:
    """At the places where onnxruntime's own operators are wrong; the truth in float64, and in extended precision."""
    x = np.asarray([-87, -40, -20, -9, -1, -1e-3, -1e-6, -1e-8, 0, 1e-8, 1e-6, 1, 8.5, 17.5, 40, 1000])
    wide = x.astype(np.longdouble)
    truths = {
        formulas.sigmoid: 1 / (1 + np.exp(-wide)),
        formulas.softplus: np.logaddexp(0, wide),
        formulas.selu: formulas.SELU_SCALE
        * np.where(wide > 0, wide, formulas.SELU_ALPHA * np.expm1(np.minimum(wide, 0))),
        formulas.tanh: np.tanh(wide),
        formulas.mish: wide * np.tanh(np.logaddexp(0, wide)),
        log1p: np.log1p(np.abs(wide)),
        expm1: np.expm1(np.minimum(wide, 20)),
    }
    for dtype in ("float32", "float64"):
        eps, graph = np.finfo(dtype).eps, operators.Operators(dtype)
        made = [elementwise.formula(graph, function, "X")[0] for function in truths]
        shape = (dtype, ("rows",))
        outputs = {f"y{i}": (name, *shape) for i, name in enumerate(made)}
        path.write_bytes(graph.model({"X": shape}, outputs).SerializeToString())
        for (function, true), found in zip(truths.items(), run(path, x.astype(dtype)), strict=True):
            rounded = np.abs(x.astype(dtype) - x) / np.maximum(
                np.abs(x), 1e-300
            )  # of the argument, which grows with it
            slack = (8 + np.abs(x) * (rounded > 0)) * eps * np.abs(true)
            assert (np.abs(found - true) <= slack.astype(float) + np.finfo(dtype).smallest_normal).all(), function
        assert np.abs(run(path, np.linspace(8, 9, 1001).astype(dtype))[3]).max() <= 1
        infinite = run(path, np.asarray([np.inf, -np.inf, np.nan], dtype=dtype))
        assert [a.tolist()[:2] for a in infinite[:4]] == [
            [1, 0], [np.inf, 0], [np.inf, pytest.approx(-formulas.SELU_SCALE * formulas.SELU_ALPHA)], [1, -1]
        ]  # fmt: skip
        assert infinite[5].tolist()[:2] == [np.inf, np.inf] and all(np.isnan(a[2]) for a in infinite)


def test_the_table_of_errors_has_all_activations() -> None:
    """And its errors are those of a few roundings, but where a formula itself cancels: GELU's and its tanh's."""
    stride = 2**22 + 1
    names = {type(function).__name__ for function in onnx_errors.FUNCTIONS.values()}
    assert names == {kind.__name__ for kind in ACTIVATIONS} - {"Linear", "Softmax"}
    assert len([*onnx_errors.lines(stride)]) == 3 + 2 * len(onnx_errors.FUNCTIONS)
    for dtype in ("float32", "float64"):
        eps = np.finfo(dtype).eps
        for name in onnx_errors.FUNCTIONS:
            for _, absolute in onnx_errors.measured(name, dtype, stride).values():
                assert absolute <= 16 * eps, (name, dtype)


def log1p(x: Any) -> Any:
    return vocabulary.log1p(vocabulary.abs(x))


def expm1(x: Any) -> Any:
    return vocabulary.expm1(vocabulary.minimum(x, 20))
