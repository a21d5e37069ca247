"""Attributes that nobody reads are refused when they are set."""

import copy
import functools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Adam, BatchNorm, Dense, Layer, Sequential
from tests.helpers.models import classifier, problem


@pytest.mark.parametrize(
    ("part", "name", "meant"),
    [
        (Dense(2, 3), "trainible", "trainable"),
        (Dense(2, 3), "weight", "weights"),
        (nnxp.Dropout(0.5), "rat", "rate"),
        (Adam(), "learning_rat", "learning_rate"),
        (nnxp.CategoricalCrossentropy(), "label_smoothin", "label_smoothing"),
        (classifier(), "optimiser", "optimizer"),
        (classifier(), "class_names", None),
        (nnxp.Neuron([1.0]), "biass", "bias"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_unknown_attribute_is_refused(part: Any, name: str, meant: str | None) -> None:
    for one in (part, copy.deepcopy(part), pickle.loads(pickle.dumps(part))):
        with pytest.raises(AttributeError, match=rf"got {type(part).__name__}\.{name}, which nothing reads") as error:
            setattr(one, name, 5)
        assert meant is None or f"did you mean '{meant}'" in str(error.value)
        assert not hasattr(one, name)


def test_a_model_names_the_place_for_notes() -> None:
    with pytest.raises(AttributeError, match="belongs in its `preprocessing`, which is saved"):
        classifier().author = "me"  # type: ignore[attr-defined]


class Own(Layer):
    """Sets what it likes: in `__init__`, also by name, in its methods, and beginning with an underscore."""

    limit = 3

    def __init__(self) -> None:
        self.before = 1
        super().__init__()
        for name in ("red", "green"):
            setattr(self, name, 0)

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.seen = inputs.shape
        (self.low, self.high), self._note = (float(inputs.min()), float(inputs.max())), "mine"
        return inputs

    def backward(self, dvalues: Any) -> Any:
        return dvalues

    @property
    def doubled(self) -> int:
        return self.limit * 2

    @doubled.setter
    def doubled(self, value: int) -> None:
        self.limit = value // 2


class Child(Own):
    """Without an `__init__` of its own."""


@pytest.mark.parametrize("kind", [Own, Child])
def test_a_layer_of_ones_own_sets_what_it_likes(kind: Any) -> None:
    X, y = problem()
    layer = kind()
    layer.before, layer.red, layer.limit, layer._anything = 2, 3, 4, 5
    layer.doubled = 14
    assert layer.limit == 7
    model = Sequential([layer, Dense(5, 3), "softmax"], "categorical_crossentropy", seed=0)
    model.fit(X, y)
    assert layer.seen == X.shape or layer.seen[1] == 5
    layer.high = 2.0
    with pytest.raises(AttributeError, match=rf"got {kind.__name__}\.hihg, .* did you mean 'high'"):
        layer.hihg = 2.0


def test_an_optimizer_and_a_loss_of_ones_own() -> None:
    class Mine(nnxp.SGD):
        def step(self, backend: Any, w: Any, g: Any, slots: Any, factors: Any) -> None:
            self.largest = float(np.max(np.abs(g)))
            super().step(backend, w, g, slots, factors)

    X, y = problem()
    model = classifier(optimizer=Mine(0.1))
    model.fit(X, y)
    assert model.optimizer.largest > 0  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"got Mine\.smallest"):
        model.optimizer.smallest = 0.0  # type: ignore[attr-defined]


def test_a_constructor_that_fails_leaves_nothing_open() -> None:
    """The next object is checked like any other."""
    with pytest.raises(ValueError, match="n_out"):
        Dense(2, -3)
    with pytest.raises(AttributeError):
        Dense(2, 3).units = 3  # type: ignore[attr-defined]
    norm = BatchNorm(2)
    norm.forward([[1.0, 2.0], [3.0, 4.0]], training=True)
    assert "_begun" not in vars(norm)


def test_what_a_class_annotates_and_wraps_is_its_own() -> None:
    class Mixin:
        def __init__(self) -> None:
            super().__init__()
            self.mixed = 1

    class Annotated(Mixin, Layer):
        mode: str

        def forward(self, inputs: Any) -> Any:
            return inputs

        def backward(self, dvalues: Any) -> Any:
            return dvalues

    layer = Annotated()
    layer.mode, layer.mixed, layer.inputs, layer.output = "a", 2, [1.0], [1.0]
    with pytest.raises(AttributeError, match="one of your own class is set in its methods, or declared in it"):
        layer.zebra = 1  # type: ignore[attr-defined]

    class Partial(Layer):
        def _made(self, a: int, b: int) -> None:
            Layer.__init__(self)
            self.total = a + b

        __init__ = functools.partialmethod(_made, b=3)  # type: ignore[assignment]

    assert Partial(1).total == 4  # type: ignore[call-arg]


def test_a_models_optimizer_and_loss_may_be_given_by_name() -> None:
    X, y = problem()
    model = classifier()
    model.optimizer, model.loss = "sgd", "softmax_crossentropy"  # type: ignore[assignment]
    assert type(model.optimizer) is nnxp.SGD and type(model.loss) is nnxp.SoftmaxCrossentropy
    model.loss = "categorical_crossentropy"  # type: ignore[assignment]
    model.fit(X, y)
    with pytest.raises(ValueError, match="got optimizer 'sdg', .* did you mean 'sgd'"):
        model.optimizer = "sdg"  # type: ignore[assignment]


def _model() -> Sequential:
    """A model with a part in a part, and a schedule in a schedule."""
    inner = nnxp.Residual([Dense(8, 8), "relu"])
    schedule = nnxp.schedules.LinearWarmup(2, then=nnxp.schedules.Cosine(steps=100))
    optimizer = Adam(schedule=schedule, clip_norm=1.0)
    return classifier("numpy", inserted=(nnxp.Dropout(0.1), inner), optimizer=optimizer)


BAD: dict[str, tuple[Callable[[Sequential], Any], str, Any, str]] = {
    "rate below 0": (lambda m: m.optimizer, "learning_rate", -0.1, "the optimizer, Adam: got learning_rate=-0.1"),
    "rate as text": (lambda m: m.optimizer, "learning_rate", "0.1", "the optimizer, Adam: got learning_rate='0.1'"),
    "beta": (lambda m: m.optimizer, "beta_1", 1.5, "the optimizer, Adam: got beta_1=1.5"),
    "norm": (lambda m: m.optimizer, "clip_norm", "a", "the optimizer, Adam: got clip_norm='a'"),
    "penalty": (lambda m: m.layers[0], "l2", -5.0, "layer 0, Dense: got l2=-5.0"),
    "large penalty": (lambda m: m.layers[0], "l2", 1e300, "got l2=1e.300, beyond float32"),
    "share": (lambda m: m.layers[2], "rate", 5, "layer 2, Dropout: got rate=5"),
    "part": (lambda m: m.layers[3].layers[0], "bias_l1", -1.0, "layer 3.layers.0, Dense: got bias_l1=-1.0"),
    "loss": (lambda m: m.loss, "label_smoothing", 2.0, "the loss, CategoricalCrossentropy: got label_smoothing=2.0"),
    "schedule": (lambda m: m.optimizer.schedule, "start", -1.0, "the schedule, LinearWarmup: got start=-1.0"),
    "then": (lambda m: m.optimizer.schedule.then, "floor", 2.0, "the schedule, Cosine: got floor=2.0"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("ready", [False, True])
def test_what_a_constructor_refuses_is_not_trained_with_nor_saved(case: str, ready: bool, tmp_path: Path) -> None:
    (X, y), model = problem(), _model()
    part, name, value, told = BAD[case]
    if ready:
        model.fit(X, y)
    _ = model.store
    before = model.store.values.copy()
    setattr(part(model), name, value)
    with pytest.raises(ValueError, match=told):
        model.fit(X, y)
    with pytest.raises(ValueError, match=told):
        model.save(tmp_path / "model.safetensors")
    if not ready:
        with pytest.raises(ValueError, match=told):
            model.train_step(X, y)
    np.testing.assert_array_equal(model.store.values, before)
    assert not [*tmp_path.iterdir()]


def test_a_class_of_the_users_own_is_not_made_again_to_see_whether_it_could_be() -> None:
    class Once(nnxp.ReLU):
        options = ("count",)
        made = 0

        def __init__(self, count: int = 0) -> None:
            super().__init__()
            self.count = count
            type(self).made += 1

        def constants(self) -> list[float]:
            return []

    X, y = problem()
    classifier("numpy", inserted=(Once(),)).fit(X, y)
    assert Once.made == 1
