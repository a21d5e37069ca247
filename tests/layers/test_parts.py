"""Layers that hold layers: trained, counted, copied and saved as if their parts stood in the model's own list."""

import collections
import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Adam, Dense, Dropout, Layer, ReLU, Residual, Sequential, Tanh
from nnxp.layers.parts import with_parts
from tests.helpers.matrix import Target
from tests.helpers.models import CLASSES, problem, values


class Block(Layer):
    """Dense, tanh, dropout, dense: parts as attributes and in a list, and a part that has parts."""

    options = ("n", "rate")

    def __init__(self, n: int, rate: float = 0.0) -> None:
        super().__init__()
        self.n, self.rate = n, rate
        self.first = Dense(n, n, l2=0.01)
        self.rest = [Tanh(), Inner(n, rate)]

    def output_width(self, n_in: int | None) -> int:
        return self.n

    def forward(self, inputs: Any, training: bool = False) -> Any:
        out = self.first.forward(inputs, training)
        for part in self.rest:
            out = part.forward(out, training)
        return out

    def backward(self, dvalues: Any) -> Any:
        for part in reversed(self.rest):
            dvalues = part.backward(dvalues)
        return self.first.backward(dvalues)


class Inner(Layer):
    """Dropout, dense, dropout; without a rate a layer that does nothing stands in for each."""

    options = ("n", "rate")

    def __init__(self, n: int, rate: float) -> None:
        super().__init__()
        self.n, self.rate = n, rate
        first, last = (Dropout(rate) if rate else nnxp.Linear() for _ in range(2))
        self.parts = (first, Dense(n, n), last)

    def forward(self, inputs: Any, training: bool = False) -> Any:
        for part in self.parts:
            inputs = part.forward(inputs, training)
        return inputs

    def backward(self, dvalues: Any) -> Any:
        for part in reversed(self.parts):
            dvalues = part.backward(dvalues)
        return dvalues


def nested(backend: Any = None, rate: float = 0.0, **options: Any) -> Sequential:
    layers = [Dense(5, 8), "relu", Block(8, rate), Dense(8, CLASSES), "softmax"]
    return Sequential(layers, **({"loss": "categorical_crossentropy", "backend": backend, "seed": 1} | options))


def flat_of(model: Sequential, **options: Any) -> Sequential:
    """The same layers in one list, with the same weights."""
    layers = [Dense(5, 8), "relu", Dense(8, 8, l2=0.01), Tanh(), Dense(8, 8), Dense(8, CLASSES), "softmax"]
    flat = Sequential(layers, "categorical_crossentropy", seed=1, **options)
    block: Any = model.layers[2]
    dense = [model.layers[0], block.first, block.rest[1].parts[1], model.layers[3]]
    for own, other in zip([flat.layers[i] for i in (0, 2, 4, 5)], dense, strict=True):
        own.weights = model.store.backend.to_numpy(other.weights)
    return flat


def test_parts_have_positions() -> None:
    found = {position: type(layer).__name__ for position, layer in with_parts(nested(rate=0.5).layers)}
    assert found == {
        **{0: "Dense", 1: "ReLU", 2: "Block", "2.first": "Dense", "2.rest.0": "Tanh", "2.rest.1": "Inner"},
        **{"2.rest.1.parts.0": "Dropout", "2.rest.1.parts.1": "Dense", "2.rest.1.parts.2": "Dropout"},
        **{3: "Dense", 4: "Softmax"},
    }


@pytest.mark.parametrize("options", [{}, {"optimizer": Adam(0.01, clip_norm=0.1)}, {"optimizer": nnxp.LBFGS()}])
def test_parts_train_as_if_they_stood_in_the_list(options: dict[str, Any]) -> None:
    """The flat model's stages are fused: in float64 the sums' order moves the last digits alone."""
    X, y = problem(48, "float64")
    model = nested(dtype="float64", **copy.deepcopy(options))
    flat = flat_of(model, dtype="float64", **copy.deepcopy(options))
    for one in (model, flat):
        one.fit(X, y, epochs=3, batch_size=None if options and "L" in type(one.optimizer).__name__ else 8)
    np.testing.assert_allclose(model.history["loss"], flat.history["loss"], rtol=1e-9)
    np.testing.assert_allclose(model.predict(X), flat.predict(X), rtol=1e-7, atol=1e-12)


def test_parts_train_alike_on_every_backend(backend: Target) -> None:
    X, y = problem()
    on, host = nested(backend.spec, rate=0.25), nested("numpy", rate=0.25)
    before = values(on)
    for model, x in ((on, backend.asarray(X)), (host, X)):
        model.fit(x, y, epochs=2, batch_size=8)
    np.testing.assert_allclose(values(on), values(host), rtol=1e-4, atol=1e-5)
    moved = {owner for (owner, _), view in on.store._views.items() if bool(on.backend.xp.any(view != 0))}
    assert moved == {0, "2.first", "2.rest.1.parts.1", 3} and not np.array_equal(before, values(on))


def test_a_file_a_pickle_and_a_copy_have_the_parts(backend: Target, tmp_path: Path) -> None:
    X, y = problem()
    model, x = nested(backend.spec, rate=0.25), backend.asarray(X)
    model.fit(x, y, epochs=2, batch_size=8)
    path = tmp_path / "m.safetensors"
    model.save(path)
    names = {"2.first.weights", "2.rest.1.parts.1.biases", "3.weights", "optimizer.cache"}
    from safetensors.numpy import load_file

    assert names <= load_file(path).keys()
    others = [nnxp.load(path, backend=backend.spec, layers={"Block": Block})]
    others += [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    expected = backend.to_numpy(model.predict(x))
    for other in others:
        np.testing.assert_array_equal(backend.to_numpy(other.predict(x)), expected)
        other.fit(x, y, epochs=1, batch_size=8)
    np.testing.assert_array_equal(backend.to_numpy(model.predict(x)), expected)  # no copy trained this one
    model.fit(x, y, epochs=1, batch_size=8)
    for other in others:
        np.testing.assert_array_equal(values(other), values(model))


def test_two_dropouts_in_one_block_differ() -> None:
    model = nested(rate=0.5, dtype="float64")
    model.forward(np.ones((64, 5)), training=True)
    first, _, last = model.layers[2].rest[1].parts
    kept = [part._mask[0] for part in (first, last)]
    assert 0 < np.mean(kept[0] != kept[1]) < 1
    again = nested(rate=0.5, dtype="float64")
    again.forward(np.ones((64, 5)), training=True)
    assert np.array_equal(again.layers[2].rest[1].parts[0]._mask[0], kept[0])


def test_a_prediction_leaves_the_parts_alone() -> None:
    """What a reader, or another thread's step, has in the parts is theirs."""
    X, _ = problem()
    model = nested()
    model.forward(X)
    part = model.layers[2].first
    kept = part.output
    model.predict(X[:3])
    assert part.output is kept
    assert copy.copy(model.layers[2]).first is not part


def test_parts_are_counted_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    model = nested()
    model.summary()
    printed = capsys.readouterr().out
    total = 5 * 8 + 8 + 2 * (8 * 8 + 8) + 8 * 3 + 3
    assert f"{total:,} parameters" in printed and "2.rest.1.parts.1" in printed
    X, y = problem(4)
    report = nnxp.check_gradients(model, X, y)
    assert report.passed and {"2.first.dweights", "2.rest.1.parts.1.dbiases"} <= {w.gradient for w in report.worst}
    assert nnxp.check_gradients(Block(5), X).passed and nnxp.check_gradients(Residual([Dense(5, 3)]), X).passed


def test_a_block_is_driven_by_hand(backend: Target) -> None:
    """As a layer by itself, and an optimizer moves all of it."""
    X, _ = problem()
    block, optimizer = Block(5), nnxp.SGD(0.5)
    before = (
        [np.array(part.weights) for part in (block.first, block.rest[1].parts[1])] if backend.name == "numpy" else []
    )
    x = backend.asarray(X)
    block.forward(x)
    dx = block.backward(backend.asarray(np.ones_like(X)))
    assert tuple(dx.shape) == X.shape
    kept = [backend.to_numpy(part.weights).copy() for part in (block.first, block.rest[1].parts[1])]
    assert not before or all(np.array_equal(a, b) for a, b in zip(kept, before, strict=True))
    optimizer.pre_update_params()
    optimizer.update_params(block)
    for part, was in zip((block.first, block.rest[1].parts[1]), kept, strict=True):
        step = 0.5 * backend.to_numpy(part.dweights)
        np.testing.assert_allclose(backend.to_numpy(part.weights), was - step, rtol=1e-6, atol=1e-6)


def test_a_block_on_its_own_has_one_store() -> None:
    block = Block(3)
    weights = np.array(block.first.weights)
    assert block.store is block.first.store is block.rest[1].parts[1].store
    assert np.array_equal(block.first.weights, weights) and block.first.position == "0.first"


def test_mistakes_with_parts(tmp_path: Path) -> None:
    one = Dense(4, 4)
    with pytest.raises(ValueError, match=r"got one layer twice, a Dense at 0\.layers\.0 and at 1"):
        Sequential([Residual([one]), one])
    model = nested()
    for name, value in (("first", Dense(8, 8)), ("rest", []), ("other", ReLU()), ("other", [ReLU()])):
        with pytest.raises(ValueError, match=rf"got other layers in Block\.{name}, expected those that it had"):
            setattr(model.layers[2], name, value)
    model.layers[2].rest.append(ReLU())
    with pytest.raises(ValueError, match=r"got other layers in Block\.rest\.2"):
        model.save(tmp_path / "m.safetensors")
    twin = copy.deepcopy(nested().layers[2])
    twin.first = Dense(8, 8)  # of a copy, which is in no model

    class Mapped(Block):
        def __init__(self) -> None:
            super().__init__(4)
            self.by_name = {"a": Dense(4, 4)}

    with pytest.raises(TypeError, match=r"got layers in a dict \(by_name\), expected them in a list"):
        Mapped()


# --- Residual --------------------------------------------------------------------------------------


def test_a_residual_is_a_sum(backend: Target) -> None:
    """x + f(x), and x W + b + f(x) where the widths differ; backward hands on the sum of both ways."""
    X, _ = problem(6, "float64")
    x, dy = backend.asarray(X), np.linspace(-1, 1, 6 * 5).reshape(6, 5)
    inner = Dense(5, 5, dtype="float64")
    block = Residual([inner, "relu"])
    out = backend.to_numpy(block.forward(x))
    W, b = backend.to_numpy(inner.weights), backend.to_numpy(inner.biases)
    z = X @ W + b
    np.testing.assert_allclose(out, X + np.maximum(z, 0), rtol=1e-12)
    got = backend.to_numpy(block.backward(backend.asarray(dy)))
    np.testing.assert_allclose(got, dy + np.where(z > 0, dy, 0) @ W.T, rtol=1e-10, atol=1e-12)

    for wide in (
        Residual([Dense(5, 7, dtype="float64"), "tanh"], dtype="float64"),
        Residual([Dense(5, 5, dtype="float64"), "tanh"], projected=True, dtype="float64"),
    ):
        out = backend.to_numpy(wide.forward(x))
        parts = [wide.layers[0], wide.shortcut]
        f, s = [X @ backend.to_numpy(part.weights) + backend.to_numpy(part.biases) for part in parts]
        np.testing.assert_allclose(out, s + np.tanh(f), rtol=1e-10)


def test_a_residual_comes_back_from_its_file(tmp_path: Path) -> None:
    X, y = problem()
    assert "projected" not in Residual([Dense(2, 2)]).config(), "as in files from before there was a choice"
    layers = [Dense(5, 8), Residual(["relu", Dense(8, 8)], projected=True)]
    layers += [Residual([Dense(8, 8), "relu", nnxp.LeakyReLU(0.2), Residual([Dense(8, 4), "tanh"])])]
    model = Sequential([*layers, Dense(4, CLASSES), "softmax"], "categorical_crossentropy", seed=0)
    model.fit(X, y, epochs=2)
    model.save(tmp_path / "m.safetensors")
    loaded: Any = nnxp.load(tmp_path / "m.safetensors")
    assert repr(loaded.layers) == repr(model.layers) and loaded.n_in == 5
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.layers[2].layers[2].slope == 0.2 and repr(loaded.layers[1].shortcut) == "Dense(8, 8)"
    model.fit(X, y)
    loaded.fit(X, y)
    np.testing.assert_array_equal(values(loaded), values(model))


def test_in_a_step_a_residual_runs_its_parts_past_their_doors_and_computes_what_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The gradient of the inputs is nobody's in a first layer; by hand, everything is there. One of the user's own
    runs layer by layer: what it is beside the parts is not known."""

    class Own(Residual):
        pass

    last = Dense(4, 2)
    block = Own([ReLU(), Dense(3, 4), ReLU(), last])
    model = Sequential([block, "softmax"], "categorical_crossentropy", "sgd", backend="numpy", seed=0)
    X, y = np.ones((5, 3), np.float32), np.array([0, 1, 0, 1, 1])
    model.train_step(X, y)
    doors, door = list[Any](), Layer._matrix
    monkeypatch.setattr(Layer, "_matrix", lambda self, *given: doors.append(self) or door(self, *given))  # type: ignore[func-returns-value]
    model.train_step(X, y)
    assert not doors
    assert block.shortcut is not None
    computed = [part for part in (block, block.shortcut, *block.layers) if "dinputs" in part.__dict__]
    assert computed == [block.layers[2], last]
    by_hand = Residual([ReLU(), Dense(3, 4), ReLU(), Dense(4, 2)])
    assert by_hand.forward(X).shape == (5, 2) and by_hand.backward(np.ones((5, 2), np.float32)).shape == X.shape
    assert by_hand.layers[0].dinputs.shape == X.shape and doors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Residual([]), r"got \[\] as layers, expected a list of some"),
        (lambda: Residual(["relu"], projected=True), "got layers in a Residual whose widths are not known"),
        (lambda: Residual([Dense(2, 2)], projected=1), "got projected=1, expected True or False"),
        (lambda: Residual(Dense(2, 2)), r"expected a list of some: Residual\(\[Dense\(8, 8\), ReLU\(\)\]\)"),
        (lambda: Residual([Dense(2, 3), Dense(4, 2)]), "layer 1 does not fit the one before it"),
        (lambda: Residual([Dense(2, 2), Inner(2, 0.0)]), "a layer of your own says them by `output_width`"),
        (lambda: Sequential([Dense(2, 3), Residual([Dense(2, 2)])]), "layer 1 does not fit the one before it: got 3"),
        (lambda: Residual([Dense(2, 2)]).forward([[1.0]]), "got 1 features a sample, expected 2"),
    ],
)
def test_mistakes_with_a_residual(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- what fresh eyes found -------------------------------------------------------------------------


class Listed(list[Any]):
    """A list of a kind of its own."""


class Chain(Layer):
    """Runs what it holds, however it holds it."""

    def __init__(self, items: Any) -> None:
        super().__init__()
        self.items = items

    def forward(self, inputs: Any, training: bool = False) -> Any:
        for part in self.items:
            inputs = part.forward(inputs, training)
        return inputs

    def backward(self, dvalues: Any) -> Any:
        for part in reversed(self.items):
            dvalues = part.backward(dvalues)
        return dvalues


Pair = collections.namedtuple("Pair", "first second")  # a user's


@pytest.mark.parametrize(
    "make", [list, tuple, Listed, Pair._make], ids=["list", "tuple", "a list's kind", "namedtuple"]
)
def test_a_prediction_between_forward_and_backward_changes_no_gradient(make: Any) -> None:
    X, y = problem()
    layers = [Chain(make([Dense(5, 5), ReLU()])), Dense(5, CLASSES), "softmax"]
    model = Sequential(layers, "categorical_crossentropy", seed=0)
    model.forward(X)
    model.backward(y)
    expected = np.array(model.store.gradients)
    model.forward(X)
    model.predict(X[::-1])
    model.backward(y)
    assert np.array_equal(model.store.gradients, expected)
    assert type(copy.copy(model.layers[0]).items) is type(model.layers[0].items)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "held",
    [
        {"a": [Dense(4, 4)]},
        {Dense(4, 4)},
        collections.deque([Dense(4, 4)]),
        [{"a": Dense(4, 4)}],
        Sequential([Dense(4, 4)]),
        [Sequential([Dense(4, 4)])],
    ],
    ids=["dict of lists", "set", "deque", "list of dicts", "model", "list of models"],
)
def test_layers_that_would_not_be_found_are_refused(held: Any) -> None:
    with pytest.raises(TypeError, match=r"got layers in a \w+ \(items(\.0)?\), expected them in a list"):
        Chain(held)
    Chain([1, "two", {"three": 3}, {4}])  # nothing of them is a layer


def test_a_layer_of_a_class_is_refused() -> None:
    with pytest.raises(TypeError, match=r"got a layer as Shared\.inner, for all its objects"):

        class Shared(Layer):
            inner = Dense(4, 4)


def test_other_layers_in_the_models_list_are_refused(tmp_path: Path) -> None:
    """Before and after it is bound, in whatever is called next."""
    X, y = problem()
    changes: list[Any] = [
        lambda model: model.layers.__setitem__(3, Dense(8, CLASSES)),
        lambda model: model.layers.append(ReLU()),
        lambda model: model.layers.pop(1),
        lambda model: setattr(model, "layers", [Dense(5, CLASSES), nnxp.Softmax()]),
        lambda model: model.layers[2].rest.append(ReLU()),
    ]
    for change in changes:
        for call in ("fit", "train_step", "evaluate"):
            model = nested()
            model.fit(X, y)
            change(model)
            with pytest.raises(ValueError, match="got other layers in"):
                getattr(model, call)(X, y)
        for one in (lambda m: m.predict(X), lambda m: m.save(tmp_path / "m.safetensors"), lambda m: m.store):
            model = nested()
            change(model)
            with pytest.raises(ValueError, match="got other layers in"):
                one(model)
    model = nested()
    head = Sequential([*copy.deepcopy(model.layers[:3]), Dense(8, 4), "softmax"], "categorical_crossentropy", seed=2)
    head.fit(X, y)  # what the error advises


def test_a_copy_is_made_as_its_class_says() -> None:
    class Reopens(Chain):
        def __getstate__(self) -> dict[str, Any]:
            return {name: value for name, value in super().__getstate__().items() if name != "function"}

        def __setstate__(self, state: dict[str, Any]) -> None:
            self.__dict__.update(state)
            self.function = lambda x: x

        def __init__(self) -> None:
            super().__init__([Dense(5, 5)])
            self.function = lambda x: x

        def forward(self, inputs: Any, training: bool = False) -> Any:
            return self.function(super().forward(inputs, training))

    X, y = problem()
    model = Sequential([Reopens(), Dense(5, CLASSES), "softmax"], "categorical_crossentropy", seed=0)
    model.fit(X, y)
    model.predict(X)


def test_a_width_of_a_layer_of_ones_own_is_its_own() -> None:
    """Only of nnxp's layers is it known to be the number of inputs."""

    class Window(Layer):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.width = width

        def output_width(self, n_in: int | None) -> int | None:
            return None if n_in is None else n_in - self.width + 1

        def forward(self, inputs: Any) -> Any:
            return inputs[:, self.width - 1 :]

        def backward(self, dvalues: Any) -> Any:
            return np.concatenate([np.zeros((len(dvalues), self.width - 1), dvalues.dtype), dvalues], 1)

    X, y = problem()
    Sequential([Window(3), Dense(3, CLASSES), "softmax"], "categorical_crossentropy", seed=0).fit(X, y)


def test_a_residual_is_of_one_dtype_and_one_backend() -> None:
    X, _ = problem(dtype="float64")
    for block in (Residual([Dense(5, 7)], dtype="float64"), Residual([Dense(5, 7, dtype="float64")])):
        assert block.forward(X).dtype == block.layers[0].forward(X).dtype == np.float64  # type: ignore[attr-defined]
        assert block.shortcut is not None and block.shortcut.dtype == "float64"
        assert Sequential([block, Dense(7, 2)]).store.dtype == "float64"


def test_options_of_nested_lists_of_layers_are_saved(tmp_path: Path) -> None:
    class Grid(Layer):
        options = ("rows",)

        def __init__(self, rows: Any) -> None:
            super().__init__()
            self.rows = rows

        def forward(self, inputs: Any, training: bool = False) -> Any:
            for layer in (layer for row in self.rows for layer in row or ()):
                inputs = layer.forward(inputs, training)
            return inputs

        def backward(self, dvalues: Any) -> Any:
            for layer in reversed([layer for row in self.rows for layer in row or ()]):
                dvalues = layer.backward(dvalues)
            return dvalues

    X, y = problem()
    grid = Grid([[Dense(5, 5), ReLU()], None, [Dense(5, 5)]])
    model = Sequential([grid, Dense(5, CLASSES), "softmax"], "categorical_crossentropy", seed=0)
    model.fit(X, y)
    model.save(tmp_path / "m.safetensors")
    loaded = nnxp.load(tmp_path / "m.safetensors", layers={"Grid": Grid})
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_a_model_that_cannot_be_made_takes_no_layer() -> None:
    block, taken = Block(8), Dense(8, 2)
    other = Sequential([taken])
    with pytest.raises(ValueError, match="already belongs to another model"):
        Sequential([block, taken])
    block.first = Dense(8, 8)
    assert block.model is None and taken.model is other
