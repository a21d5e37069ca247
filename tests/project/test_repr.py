"""What `repr` says of every class of the registries and of a user's own, and that it changes nothing."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Adam, Dense, Dropout, Layer, LeakyReLU, Neuron, NeuronLayer, Sequential, callbacks, nnfs
from nnxp.activations import ACTIVATIONS
from nnxp.callbacks import CSVLog, EarlyStopping, Interruption
from nnxp.doors import describing
from nnxp.doors.describing import LONGEST
from nnxp.initializers import INITIALIZERS, Initializer, Orthogonal, RandomSigns
from nnxp.layers import LAYERS
from nnxp.losses import LOSSES, StandardisedLoss
from nnxp.optimizers import LBFGS, OPTIMIZERS, Optimizer
from nnxp.schedules import SCHEDULES, Cosine, LinearWarmup, Schedule
from tests.helpers import matrix

CALLBACKS = tuple(kind for name in callbacks.__all__ if hasattr(kind := getattr(callbacks, name), "events"))
BOOK = tuple(kind for name in nnfs.__all__ if hasattr(kind := getattr(nnfs, name), "options") or name == "Neuron")
PARTS = (*LAYERS, *ACTIVATIONS, *LOSSES, StandardisedLoss, *OPTIMIZERS, LBFGS, *SCHEDULES, *INITIALIZERS, *CALLBACKS)
NAMES = {kind.__name__: kind for kind in (*PARTS, *BOOK)}

REQUIRED: dict[str, tuple[Any, ...]] = {
    "Dense": (3, 2),
    "Layer_Dense": (3, 2),
    "BatchNorm": (3,),
    "LayerNorm": (3,),
    "Dropout": (0.5,),
    "Layer_Dropout": (0.5,),
    "Rescaling": ([2.0, 4.0],),
    "Scaling": (3,),
    "Embedding": (2, [4, 5]),
    "PeriodicEmbedding": (2,),
    "PiecewiseLinearEmbedding": (
        2,
        [[0.0, 1.0], [2.0, 4.0, 5.0]],
    ),
    "SharedDense": (3, 2),
    "StandardisedLoss": ("huber", [1.0, 2.0]),
    "Checkpoint": ("run/model.safetensors",),
    "CSVLog": ("run/history.csv",),
    "Scores": ([[1.0, 2.0]], [0], ["accuracy"]),
    "Neuron": ([1.0, 2.0],),
    "NeuronLayer": ([Neuron([1.0, 2.0])],),
}

# For each option a value that is no class's default.
OTHER: dict[str, Any] = {
    "alpha": 0.5, "approximate": "tanh", "beta_1": 0.8, "beta_2": 0.95, "bias_l1": 0.1, "bias_l2": 0.2,
    "class_weight": [1.0, 3.0], "clip_norm": 5.0, "clip_value": 2.0, "decay": 0.25, "decay_biases": False,
    "decay_factors": {"Dense": 2.0}, "factors": {"biases": 0.5}, "flat": 0.25, "waves": 3,
    "delta": 2.0, "ema": 0.99, "end": 0.001, "epsilon": 0.125, "every": 7, "every_minutes": 10.0, "every_steps": 3,
    "factor": 0.5, "floor": 0.125, "history": 3, "ignore_label": -1, "initializer": Orthogonal(), "l1": 0.3, "l2": 0.4,
    "label_smoothing": 0.1, "max_fun": 99, "min_delta": 0.5, "mode": "max", "momentum": 0.75, "monitor": "loss",
    "nesterov": True, "offset": -1.0, "parametrization": "ntk", "patience": 3, "restore_best": False, "rho": 0.8,
    "start": 0.5, "schedule": LinearWarmup(5, then=Cosine()), "slope": 0.2, "steps": 100, "then": Cosine(floor=0.5),
    "tol": 0.01, "warmup": 4, "weight_decay": 0.3, "weight_decay_schedule": Cosine(floor=0.25),
    "activation": "relu", "beyond": 0.5, "columns": [1, 0], "width": 3,
    "features": [0, 0, 1], "input_initializer": RandomSigns(),
}  # fmt: skip
OPTIONS = {"Scaling": ("factors", "initializer"), "Checkpoint": ("every_steps", "every_minutes")}
every_part = pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.__name__)


def evaluated(text: str) -> Any:
    return eval(text, dict(NAMES))


def assert_made_again(part: Any) -> None:
    """What the repr evaluates to is the same class, with the same options."""
    again = evaluated(repr(part))
    assert type(again) is type(part) and repr(again) == repr(part)
    if hasattr(part, "config"):
        assert again.config() == part.config()
    for name in getattr(part, "options", ()):
        assert repr(getattr(again, name)) == repr(getattr(part, name)), name


@pytest.mark.parametrize("kind", NAMES.values(), ids=NAMES)
def test_with_its_defaults_only_what_is_required_is_there_and_the_learning_rate(kind: type) -> None:
    part = kind(*REQUIRED.get(kind.__name__, ()))
    assert_made_again(part)
    arguments = repr(part).removeprefix(f"{kind.__name__}(").removesuffix(")")
    if isinstance(part, Optimizer) and not isinstance(part, LBFGS):
        assert arguments == f"learning_rate={part.learning_rate}"
    else:
        assert arguments == ", ".join(map(repr, REQUIRED.get(kind.__name__, ())))


@every_part
def test_every_option_that_is_no_default_is_there(kind: Any) -> None:
    arguments = REQUIRED.get(kind.__name__, ())
    names = OPTIONS.get(kind.__name__, getattr(kind, "options", ()))
    required = ("n_in", "n_out", "n", "rate", "scale", "loss", "sigma", "sizes", "edges")  # there, by position
    other = OTHER | ({"factors": {kind.parameters[0]: 0.5}} if getattr(kind, "parameters", ()) else {})
    other |= {"monitor": "member_loss"} if kind is nnxp.callbacks.MemberStopping else {}
    for name in set(names) - {*required, "learning_rate"}:
        needs = {"momentum": 0.5} if name == "nesterov" else {}
        needs |= {"width": 2} if name == "factors" and "width" in names else {}  # without it bins have no parameters
        part = kind(*arguments, **needs, **{name: other[name]})
        assert f"{name}={other[name]!r}" in repr(part)
        assert_made_again(part)
    options = {name: other[name] for name in names if name in other}
    assert_made_again(kind(*arguments, **options))


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (Dense(784, 512), "Dense(784, 512)"),
        (Dense(784, 512, initializer="orthogonal", seed=3), "Dense(784, 512, initializer=Orthogonal())"),
        (Dropout(0.5), "Dropout(0.5)"),
        (nnxp.ReLU(), "ReLU()"),
        (LeakyReLU(0.2), "LeakyReLU(slope=0.2)"),
        (nnxp.ParametricActivation(3, LeakyReLU(0.2)), "ParametricActivation(3, LeakyReLU(slope=0.2))"),
        (nnxp.Huber(delta=2), "Huber(delta=2.0)"),
        (nnxp.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
         "SoftmaxCrossentropy(label_smoothing=0.1)"),
        (Adam(), "Adam(learning_rate=0.001)"),
        (nnxp.SGD(0.1, momentum=0.9, schedule="cosine"),
         "SGD(learning_rate=0.1, momentum=0.9, schedule=Cosine())"),
        (LBFGS(history=5), "LBFGS(history=5)"),
        (LinearWarmup(5, then="cosine"), "LinearWarmup(steps=5, then=Cosine())"),
        (EarlyStopping(patience=3), "EarlyStopping(patience=3)"),
        (callbacks.Checkpoint(Path("model.safetensors"), 100), "Checkpoint('model.safetensors', every_steps=100)"),
        (CSVLog("history.csv"), "CSVLog('history.csv')"),
        (Interruption(), "Interruption()"),
        (Orthogonal(), "Orthogonal()"),
        (nnfs.Optimizer_SGD(decay=1e-3), "Optimizer_SGD(learning_rate=1.0, decay=0.001)"),
        (NeuronLayer([Neuron([1, 0], 1), Neuron([0, 1])]),
         "NeuronLayer([Neuron([1.0, 0.0], bias=1.0), Neuron([0.0, 1.0])])"),
    ],
    ids=range(19),
)  # fmt: skip
def test_in_the_readers_words(part: Any, text: str) -> None:
    assert repr(part) == text


# --- models and data sets --------------------------------------------------------------------------


def digits_model(**options: Any) -> Sequential:
    layers = [Dense(64, 32), "relu", Dropout(0.2), Dense(32, 10), "softmax"]
    return Sequential(layers, "categorical_crossentropy", **options)


WRITTEN = """Sequential([
    Dense(64, 32),
    ReLU(),
    Dropout(0.2),
    Dense(32, 10),
    Softmax(),
], loss=CategoricalCrossentropy(), optimizer=Adam(learning_rate=0.001))"""


def test_a_model_has_a_line_for_each_layer() -> None:
    assert repr(digits_model()) == WRITTEN
    assert repr(evaluated_model(WRITTEN)) == WRITTEN
    assert repr(Sequential([Dense(2, 3)])) == "Sequential([\n    Dense(2, 3),\n], optimizer=Adam(learning_rate=0.001))"


def evaluated_model(text: str) -> Sequential:
    model: Sequential = eval(text, {**NAMES, "Sequential": Sequential})
    return model


def test_a_model_says_what_was_given_of_backend_dtype_and_seed() -> None:
    model = digits_model(optimizer=nnxp.Lion(), backend="numpy", dtype="float64", seed=3)
    last = "], loss=CategoricalCrossentropy(), optimizer=Lion(learning_rate=0.0001), backend='numpy', dtype='float64'"
    assert repr(model).splitlines()[-1] == last + ", seed=3)"
    assert evaluated_model(repr(model)).store.values.tolist() == model.store.values.tolist()


def test_a_trained_model_is_written_as_a_new_one(tmp_path: Path) -> None:
    X, y = np.random.default_rng(0).random((20, 64)), [0, 1] * 10
    model = digits_model()
    model.fit(X, y, epochs=1)
    assert repr(model) == WRITTEN
    model.save(tmp_path / "model.safetensors")
    loaded = nnxp.load(tmp_path / "model.safetensors")
    assert repr(loaded) == WRITTEN.removesuffix(")") + f", seed={model.seed})"


def test_a_large_model_is_shortened() -> None:
    lines = repr(Sequential([Dense(2, 2) for _ in range(5000)])).splitlines()
    assert len(lines) < 50 and "    ...," in lines


def test_data_sets_say_their_shapes() -> None:
    digits = nnxp.data.digits()
    assert repr(digits) == "Dataset('digits', classification, X (1797, 64) uint8, y (1797,), 10 classes)"
    held = digits.hold_out(0.2, seed=0)
    assert repr(held).endswith("X (1438, 64) uint8, y (1438,), 10 classes, X_test (359, 64), y_test (359,))")
    numbers = replace(digits, name="n", y=np.ones((1797, 2)), classes=None, task="regression")
    assert repr(numbers) == "Dataset('n', regression, X (1797, 64) uint8, y (1797, 2))"


# --- a user's own ----------------------------------------------------------------------------------


class Scale(Layer):
    parameters = ("scale",)

    def __init__(self, n: int, first: float = 1.0, *, seed: int | None = None) -> None:
        super().__init__()
        self.n, self.first, self.seed = n, first, seed
        self.scale = [[first] * n]

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.output = inputs * self.scale
        return self.output


class Signs(Optimizer):
    def __init__(self, learning_rate: float, beta: float = 0.9, **common: Any) -> None:
        super().__init__(learning_rate, **common)
        self.beta = beta


class Watch:
    __repr__ = callbacks.described

    def __init__(self, name: Any = "loss", **more: Any) -> None:
        self.name = name


class Blocks(Layer):
    def __init__(self, *inner: Layer) -> None:
        super().__init__()
        self.inner = inner


def test_a_layer_of_the_users_own() -> None:
    assert (repr(Scale(2)), repr(Scale(2, first=3.0))) == ("Scale(2)", "Scale(2, first=3.0)")
    model = Sequential([Scale(2, 3.0), Dense(2, 2)], seed=0)
    model.predict([[1.0, 2.0]])
    assert repr(model.layers[0]) == "Scale(2, first=3.0)"  # the model's seed is not the layer's
    assert repr(Blocks(Dense(2, 3), LeakyReLU(0.5))) == "Blocks(*(Dense(2, 3), LeakyReLU(slope=0.5)))"


def test_an_optimizer_a_schedule_and_an_initializer_of_the_users_own() -> None:
    class Halving(Schedule):
        def __init__(self, every: int = 1000) -> None:
            self.every = every

    class Small(Initializer):
        def __init__(self, deviation: float) -> None:
            self.size = deviation  # kept under another name

    def halving(step: int, total: int | None) -> float:
        return 0.5 ** (step // 1000)

    assert repr(Signs(0.1)) == "Signs(learning_rate=0.1)"
    assert repr(Signs(0.1, 0.5, clip_norm=1)) == "Signs(learning_rate=0.1, beta=0.5, clip_norm=1.0)"
    assert repr(Adam(schedule=Halving(5))) == "Adam(learning_rate=0.001, schedule=Halving(every=5))"
    assert repr(Adam(schedule=halving)) == "Adam(learning_rate=0.001, schedule=halving)"
    assert repr(Dense(2, 3, initializer=Small(0.1))) == "Dense(2, 3, initializer=Small(...))"


def test_a_callback_of_the_users_own() -> None:
    class Patient(EarlyStopping):
        def __init__(self, why: str, **keywords: Any) -> None:
            super().__init__(**keywords)
            self.why = why

    assert (repr(Watch()), repr(Watch("accuracy"))) == ("Watch()", "Watch(name='accuracy')")
    assert repr(Patient("slow", patience=2)) == "Patient('slow', patience=2)"


def test_a_constructor_that_hands_on_everything_takes_what_its_base_takes() -> None:
    class Gained(nnxp.Dense):
        def __init__(self, *arguments: Any, gain: float = 1.0, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            self.gain = gain

    assert repr(Gained(2, 3)) == "Gained(2, 3)" and repr(Gained(2, 3, l2=0.5)) == "Gained(2, 3, l2=0.5)"
    assert repr(Gained(2, 3, gain=2.0, l1=0.5)) == "Gained(2, 3, gain=2.0, l1=0.5)"


def test_a_constructor_that_hands_on_keywords_takes_them_by_keyword() -> None:
    class Named(Dense):
        def __init__(self, name: str, **dense: Any) -> None:
            super().__init__(**dense)
            self.name = name

    class Half(Dropout):
        def __init__(self) -> None:
            super().__init__(0.5)

    class Titled(Half):
        def __init__(self, *, title: str) -> None:
            super().__init__()
            self.title = title

    assert repr(Named("a", n_in=2, n_out=3, l2=0.5)) == "Named('a', n_in=2, n_out=3, l2=0.5)"
    assert repr(Half()) == "Half()"  # its rate is no argument of it
    assert repr(Titled(title="a")) == "Titled(title='a')"


# --- long values, and what cannot be told ----------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (nnxp.Rescaling([0.5] * 3, np.arange(3)), "Rescaling([0.5, 0.5, 0.5], offset=[0.0, 1.0, 2.0])"),
        (nnxp.Rescaling(np.arange(10_000)), "Rescaling([0.0, 1.0, ..., 9999.0])"),
        (StandardisedLoss("huber", range(1, 10)), "StandardisedLoss('huber', [1.0, 2.0, ..., 9.0])"),
        (nnxp.SoftmaxCrossentropy(class_weight=[1] * 1000), "SoftmaxCrossentropy(class_weight=[1.0, 1.0, ..., 1.0])"),
        (Neuron(np.zeros(100)), "Neuron([0.0, 0.0, ..., 0.0])"),
        (Watch(np.zeros((100, 3), dtype=np.float32)), "Watch(name=<ndarray (100, 3) float32>)"),
        (Watch(np.array(["loss"])), "Watch(name=['loss'])"),  # nobody compares an array with the default
        (Watch(np.float32(0.5)), "Watch(name=0.5)"),
        (Watch((1,)), "Watch(name=(1,))"),
        (Watch(tuple(range(99))), "Watch(name=(0, 1, ..., 98))"),
        (Watch(dict.fromkeys(range(1000))), "Watch(name=dict(...))"),
        (Watch("x" * 10_000), "Watch(name=str(...))"),
        (Watch(print), "Watch(name=print)"),
    ],
    ids=range(13),
)  # fmt: skip
def test_long_values_are_shortened(part: Any, text: str) -> None:
    assert repr(part) == text


def test_an_array_of_any_library_is_written_by_its_shape_where_it_lies(backend: matrix.Target) -> None:
    written = repr(Neuron(backend.asarray([1.0, 2.0]), 1.0))
    if backend.module == "numpy":
        assert written == "Neuron([1.0, 2.0], bias=1.0)"
    else:
        assert written.startswith("Neuron(<") and written.endswith(" (2,) float64>, bias=1.0)")


def test_a_model_inside_a_part_takes_little_room() -> None:
    model = Sequential([Dense(2, 2) for _ in range(90)])
    assert len(repr(model)) > LONGEST and repr(Watch(model)) == "Watch(name=Sequential(...))"


def test_a_part_inside_a_part_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describing, "LONGEST", 10)
    assert repr(Watch(LeakyReLU(slope=0.2))) == "Watch(name=LeakyReLU(slope=0.2))"
    assert repr(Watch("LeakyReLU(slope=0.2)")) == "Watch(name=str(...))"


class Raises:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


def test_what_cannot_be_told_raises_nothing() -> None:
    class Forgets(Layer):
        options = ("n",)

        def __init__(self, n: int) -> None:
            super().__init__()

    class Slots:
        __slots__ = ("name",)
        __repr__ = callbacks.described

        def __init__(self, name: str) -> None:
            self.name = name

    assert repr(Forgets(3)) == "Forgets(...)"
    assert repr(Watch(Raises())) == "Watch(name=...)"
    assert repr(Slots("a")) == "Slots(...)"
    assert repr(Dense.__new__(Dense)) == "Dense(...)"  # where its __init__ has raised
    assert repr(Sequential.__new__(Sequential)) == "Sequential(...)"
    assert repr(nnxp.data.Dataset.__new__(nnxp.data.Dataset)) == "Dataset(...)"


def test_what_holds_itself_is_written_once() -> None:
    watch = Watch()
    watch.name = watch
    assert repr(watch) == "Watch(name=...)"
    watch.name = [watch, watch]
    assert repr(watch) == "Watch(name=[..., ...])"
    endless: list[Any] = []
    endless += [endless, endless]  # each a chance to look at it twice
    assert repr(Watch(endless)) == "Watch(name=[..., ...])"
    warmup = LinearWarmup()
    warmup.then = warmup
    assert repr(warmup) == "LinearWarmup(then=...)"


def test_threads_do_not_hide_each_others() -> None:
    inside, over, texts = threading.Event(), threading.Event(), []

    class Slow:
        def __repr__(self) -> str:
            inside.set()
            assert over.wait(10)
            return "slow"

    watch = Watch(Slow())
    thread = threading.Thread(target=lambda: texts.append(repr(watch)))
    thread.start()
    assert inside.wait(10)
    over.set()
    assert repr(watch) == "Watch(name=slow)"
    thread.join()
    assert texts == ["Watch(name=slow)"]


# --- a repr decides nothing ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*LAYERS, *ACTIVATIONS], ids=lambda kind: kind.__name__)
def test_a_layer_is_not_bound(kind: type[Layer]) -> None:
    layer = kind(*REQUIRED.get(kind.__name__, ()))
    before = dict(vars(layer))
    assert repr(layer)
    assert vars(layer) == before
    assert layer._store is None and layer._backend is None and layer.buffers is Layer.buffers


@pytest.mark.parametrize("option", ["row", "backend", "height"])
def test_a_parameter_or_a_property_is_not_read(option: str) -> None:
    class Row(Layer):
        parameters, options = ("row",), (option,)

        def __init__(self, row: Any = ((1.0, 2.0),), backend: Any = None, height: int = 1) -> None:
            super().__init__(backend)
            self.row = row

        @property
        def height(self) -> int:
            return int(self.row.shape[0])

    layer = Row()
    assert repr(layer) == "Row(...)"
    assert layer._store is None and layer._backend is None


def test_a_model_is_not_bound_and_draws_the_same_weights() -> None:
    model, other = digits_model(seed=0), digits_model(seed=0)
    alone, beside = Dense(3, 2, seed=1), Dense(3, 2, seed=1)
    assert all(map(repr, (model, *model.layers, model.loss, model.optimizer, alone)))
    assert model._store is None and model._backend is None and model.course is None
    assert all(layer._store is None and layer._backend is None for layer in model.layers)
    assert np.array_equal(model.store.values, other.store.values)
    assert np.array_equal(alone.weights, beside.weights)


def test_training_is_the_same_bit_for_bit() -> None:
    def trained(looks: bool) -> Any:
        model = digits_model(seed=0)
        watch = [lambda state: repr(model)] if looks else []
        model.fit(np.random.default_rng(0).random((40, 64)), [0, 1] * 20, epochs=3, callbacks=watch)
        return model.store.values

    assert np.array_equal(trained(True), trained(False))


def test_nothing_is_imported() -> None:
    code = """
import sys
import nnxp
model = nnxp.Sequential([nnxp.Dense(2, 3, initializer="he_normal"), "softmax"], "categorical_crossentropy")
data, log = nnxp.data.digits(), nnxp.callbacks.CSVLog("a")
before = set(sys.modules)
text = repr(model) + repr(data) + repr(log)
print(*(set(sys.modules) - before))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
