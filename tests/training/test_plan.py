"""The planned step: equal to the layers run one by one, and without allocation, promotion or synchronisation."""

import copy
import importlib.util
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import (
    BatchNorm,
    CategoricalCrossentropy,
    Dense,
    Dropout,
    LayerNorm,
    ParametricActivation,
    Rescaling,
    Residual,
    Scaling,
    Sequential,
    SoftmaxCrossentropy,
    activations,
)
from nnxp.training.activation_stage import DenseActivation
from nnxp.training.heads import DenseSoftmaxCrossentropy
from nnxp.training.parametric_stage import DenseParametric
from nnxp.training.stages import FUSED, LayerStage
from tests.helpers.matrix import Target
from tests.helpers.models import Scale, values
from tests.helpers.watch import watched

N, M, HIDDEN, CLASSES = 12, 7, 9, 4
RNG = np.random.default_rng(7)
X = RNG.standard_normal((N, M))
LABELS = RNG.integers(0, CLASSES, N)
ROWS = RNG.dirichlet(np.ones(CLASSES), N)
TARGETS = RNG.standard_normal((N, CLASSES))
BITS = RNG.integers(0, 2, (N, CLASSES)).astype(float)
WEIGHTS = RNG.uniform(0, 2, N)
WEIGHTS[3] = 0

NTK = Dense(CLASSES, CLASSES, parametrization="ntk", l1=0.01)
HEADS: dict[str, tuple[list[Any], str, Any]] = {
    "classes": (["softmax"], "categorical_crossentropy", LABELS),
    "class weights": (["softmax"], "categorical_crossentropy", ROWS),
    "logits": ([], "softmax_crossentropy", LABELS),
    "smoothed classes": (["softmax"], CategoricalCrossentropy(label_smoothing=0.2), LABELS),
    "smoothed class weights": ([], SoftmaxCrossentropy(label_smoothing=0.2), ROWS),
    "bits": (["sigmoid"], "binary_crossentropy", BITS),
    "logits in neural-tangent form": (
        [Dense(CLASSES, CLASSES, parametrization="ntk", l1=0.01)],
        "softmax_crossentropy",
        LABELS,
    ),
    "numbers in neural-tangent form": ([Dense(CLASSES, CLASSES, parametrization="ntk")], "mean_squared_error", TARGETS),
    "probabilities in neural-tangent form": (
        [Dense(CLASSES, CLASSES, parametrization="ntk"), "softmax"],
        CategoricalCrossentropy(label_smoothing=0.2),
        ROWS,
    ),
    "numbers": ([], "mean_squared_error", TARGETS),
    "numbers of an activation": (["tanh"], "huber", TARGETS),
    "softmax by itself": (["softmax"], "mean_squared_error", ROWS),
    "an own layer last": ([Scale(CLASSES)], "mean_absolute_error", TARGETS),
}
BODIES: dict[str, list[Any]] = {
    **{kind.__name__: [Dense(M, HIDDEN), kind()] for kind in FUSED},
    "GELU tanh": [Dense(M, HIDDEN), activations.GELU(approximate="tanh")],
    "linear": [Dense(M, HIDDEN), "linear"],
    "softmax between": [Dense(M, HIDDEN), "softmax"],
    "deep": [Dense(M, HIDDEN), "gelu", Dense(HIDDEN, HIDDEN), "relu", Dense(HIDDEN, HIDDEN), "silu"],
    "dropout": [Dropout(0.3), Dense(M, HIDDEN), "relu", Dropout(0.5), Dense(HIDDEN, HIDDEN), "elu", Dropout(0.2)],
    "penalties": [Dense(M, HIDDEN, l1=0.1, l2=0.2, bias_l1=0.3, bias_l2=0.4), "selu"],
    "rescaled": [Rescaling([0.5] * M, 0.1), Dense(M, HIDDEN), "leaky_relu"],
    "batch norm": [BatchNorm(M), Dense(M, HIDDEN), BatchNorm(HIDDEN), "relu"],
    "layer norm": [LayerNorm(M), Dense(M, HIDDEN), LayerNorm(HIDDEN), "relu"],
    "an own layer between": [Dense(M, HIDDEN), "relu", Scale(HIDDEN), Dense(HIDDEN, HIDDEN), "mish", Scale(HIDDEN)],
    "two activations": [Dense(M, HIDDEN), "relu", "tanh"],
    "neural-tangent form": [
        Scaling(M),
        Dense(M, HIDDEN, parametrization="ntk", l2=0.1, bias_l1=0.2),
        "selu",
        Dropout(0.3),
        Dense(HIDDEN, HIDDEN, parametrization="ntk"),
        "tanh",
        Dense(HIDDEN, HIDDEN, parametrization="ntk"),
        Scaling(HIDDEN),
    ],
    "parametric": [
        Dense(M, HIDDEN),
        ParametricActivation(HIDDEN, "mish"),
        Dropout(0.3),
        Dense(HIDDEN, HIDDEN, parametrization="ntk"),
        ParametricActivation(HIDDEN, "relu"),
        BatchNorm(HIDDEN),
        ParametricActivation(HIDDEN, activations.ELU(alpha=0.5)),
    ],
    "before an own layer": [
        Dense(M, HIDDEN),
        ParametricActivation(HIDDEN, "selu"),
        Scale(HIDDEN),
        Dense(HIDDEN, HIDDEN, parametrization="ntk"),
        ParametricActivation(HIDDEN, activations.LeakyReLU(slope=0.25)),
        Scale(HIDDEN),
    ],
    "no hidden layer": [Rescaling(1.0, 0.0)],
    "residual": [
        Residual([Dense(M, HIDDEN), "relu", Dropout(0.3)]),
        Residual([LayerNorm(HIDDEN), Residual([Dense(HIDDEN, HIDDEN, l2=0.1), "tanh"])]),
    ],
}


PAIRS = [
    *((body, "classes") for body in BODIES),
    *((body, head) for body in ("deep", "linear") for head in [*HEADS][1:]),
]


def model(body: str, head: str, backend: Any = "numpy", **options: Any) -> Sequential:
    end, loss, _ = HEADS[head]
    hidden = copy.deepcopy(BODIES[body])
    layers = [*hidden, Dense(M if body == "no hidden layer" else HIDDEN, CLASSES, l2=0.01), *copy.deepcopy(end)]
    for layer in layers:
        if isinstance(layer, ParametricActivation):
            layer.alpha = np.linspace(-1, 2, layer.width)[None, :]
    return Sequential(layers, loss=loss, backend=backend, seed=3, **options)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize(("body", "head"), PAIRS, ids=map("-".join, PAIRS))
def test_the_plan_is_the_layers_one_by_one(backend: Target, body: str, head: str, weighted: bool) -> None:
    planned = model(body, head, backend.spec, dtype="float64")
    by_hand = copy.deepcopy(planned)
    w = WEIGHTS if weighted else None

    plan = planned.training.plan
    x = planned.backend.asarray(X)
    y = plan.loss.prepare(HEADS[head][2], CLASSES, "float64")
    shares = None if w is None else planned.backend.asarray(w)
    for rows in (slice(0, N), slice(0, 5)):  # the short last batch uses the same memory
        loss = plan.forward_backward(x[rows, ...], y[rows, ...], None if shares is None else shares[rows])
        out = plan.head.p
        plan.release()
        output = by_hand.forward(X[rows], training=True)
        expected = by_hand.loss.calculate(output, HEADS[head][2][rows], None if w is None else w[rows])
        for penalty in by_hand.penalties():
            expected = expected + penalty
        by_hand.backward(HEADS[head][2][rows], None if w is None else w[rows])

        # At most some 60 operations on the way, and sums over the batch, the inputs or the outputs.
        near = {"rtol": 0, "atol": 200 * np.finfo(np.float64).eps}
        backend.assert_close(loss, backend.to_numpy(expected), **near)
        gradients = backend.to_numpy(by_hand.store.gradients)
        near["atol"] *= max(1.0, np.abs(gradients).max())
        backend.assert_close(planned.store.gradients, gradients, **near)
        if plan.layers[-1] is not planned.layers[-1]:  # a softmax or sigmoid left out: its inputs, the logits
            output = by_hand.layers[-1].inputs
        backend.assert_close(out, backend.to_numpy(output), **near)


def test_what_is_fused() -> None:
    plan = model("deep", "classes").training.plan
    assert [type(stage) for stage in plan.stages] == [DenseActivation] * 3
    assert type(plan.head) is DenseSoftmaxCrossentropy


def test_no_slope_is_kept_where_nothing_comes_back() -> None:
    layers = [Dense(M, 3, trainable=False), "gelu", Dense(3, 3, trainable=False), "gelu", Dense(3, 2), "gelu"]
    own = Sequential(layers, loss="mean_squared_error", backend="numpy", seed=0)
    assert [stage.keeps_slope for stage in own.training.plan.stages] == [False, False, True]


def test_the_plan_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    model("dropout", "classes").plan()
    lines = [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "Dropout.forward",
        "Dense.forward, its bias and ReLU.forward in one pass",
        "Dropout.forward",
        "Dense.forward, its bias and ELU.forward in one pass",
        "Dropout.forward",
        "Dense.forward without its bias",
        "Dense's bias and SoftmaxCrossentropy from logits: loss and gradient in one pass, Dense.backward",
        "Dropout.backward",
        "ELU.backward and Dense.dbiases in one pass, Dense.backward",
        "Dropout.backward",
        "ReLU.backward and Dense.dbiases in one pass, Dense.backward, gradients of its parameters only",
        "Adam: one update",
        lines[-1],
    ]
    assert lines[-1].startswith("BLAS's threads: ")


def test_what_is_parametric_is_fused_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    own = model("parametric", "classes")
    kinds = [type(stage) for stage in own.training.plan.stages]
    assert kinds == [DenseParametric, LayerStage, DenseParametric, LayerStage, LayerStage]
    own.plan()
    out = capsys.readouterr().out
    assert "Dense.forward, its bias and ParametricActivation.forward in one pass" in out
    assert "ParametricActivation.dalpha, ParametricActivation.backward and Dense.dbiases in one pass" in out


def test_a_share_is_trained_before_a_frozen_layer_s_own(backend: Target) -> None:
    """The stage has its dense layer first, which computes nothing."""
    layers = [Dense(M, HIDDEN, trainable=False), ParametricActivation(HIDDEN, "mish"), Dense(HIDDEN, CLASSES)]
    own = Sequential(layers, loss="mean_squared_error", backend=backend.spec, seed=0, dtype="float64")
    by_hand = copy.deepcopy(own)
    plan = own.training.plan
    plan.forward_backward(own.backend.asarray(X), plan.loss.prepare(TARGETS, CLASSES, "float64"))
    by_hand.forward(X, training=True)
    by_hand.backward(TARGETS)
    expected = backend.to_numpy(by_hand.layers[1].dalpha)  # type: ignore[attr-defined]
    assert np.all(expected != 0)
    backend.assert_close(own.layers[1].dalpha, expected, atol=1e-13)  # type: ignore[attr-defined]


@pytest.mark.parametrize("activation", ["relu", "mish"])
@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
def test_what_only_a_share_s_gradient_reads_is_kept_for_that_alone(
    backend: Target, activation: str, parametrization: str
) -> None:
    """In a prediction, and where the share is frozen, f(x) - x is not written anywhere, and no bit differs."""
    models = []
    for trainable in (True, False):
        share = ParametricActivation(HIDDEN, activation, trainable=trainable)
        share.alpha = np.linspace(-1, 2, HIDDEN)
        layers = [Scaling(M), Dense(M, HIDDEN, parametrization=parametrization), share, Dense(HIDDEN, CLASSES)]
        models.append(Sequential(layers, "mean_squared_error", "sgd", backend=backend.spec, seed=0))
    trained, frozen = models
    x, y = backend.asarray(X, "float32"), backend.asarray(TARGETS, "float32")
    stage = trained.prediction(trained.layers).stages[1]
    predicted = backend.to_numpy(stage.forward(x))
    assert {name for _, name in stage.buffers._whole} == {"output"}
    for each in models:
        np.testing.assert_array_equal(backend.to_numpy(each.training.plan.stages[1].forward(x)), predicted)
        each.train_step(x, y)
    kept = [{name for _, name in each.training.plan.buffers._whole} for each in models]
    assert kept[0] - kept[1] == {"difference"}
    assert "dalpha" in str(trained.training.plan.lines()) and "dalpha" not in str(frozen.training.plan.lines())
    for mine, theirs in zip(trained.layers, frozen.layers, strict=True):
        for name in mine.parameters if theirs.trainable else ():
            gradients = [backend.to_numpy(layer.gradient(name)) for layer in (mine, theirs)]
            np.testing.assert_array_equal(*gradients)


def test_neural_tangent_form_costs_operations_on_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the matrices, one that has a row for each sample, each is passed over as often as in the standard form; but
    for the logits, which the kernel of the loss takes multiplied already."""

    def passes(form: str) -> dict[str, int]:
        seen: dict[str, int] = {}
        layers = [Dense(M, 50, parametrization=form), "selu", Dense(50, 50, parametrization=form), "relu"]
        own = Sequential([*layers, Dense(50, CLASSES, parametrization=form)], "softmax_crossentropy", seed=0)
        x, plan = X.astype("float32"), own.training.plan
        for stage in (*plan.stages, plan.head):
            for name, kernel in vars(stage).items():
                if callable(kernel) and name not in ("matmul", "down") and hasattr(kernel, "__name__"):

                    def counted(*arrays: Any, kernel: Any = kernel, **given: Any) -> Any:
                        sizes = [a.size for a in arrays if isinstance(a, np.ndarray)]
                        size = {N * 50: "hidden", N * CLASSES: "logits"}.get(max(sizes), "rows")
                        seen[size] = seen.get(size, 0) + 1
                        return kernel(*arrays, **given)

                    monkeypatch.setattr(stage, name, counted)
        plan.forward_backward(x, plan.loss.prepare(LABELS, CLASSES, "float32"))
        return seen

    standard, tangent = passes("standard"), passes("ntk")
    assert standard == {"hidden": 4, "logits": 2}
    assert tangent == {"hidden": 4, "logits": 3, "rows": 4}


def test_classes_of_the_users_own_run_as_they_stand() -> None:
    class Doubled(Dense):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            return 2 * super().forward(inputs)

    class Halved(nnxp.ReLU):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            return super().forward(inputs) / 2

    layers = [Doubled(M, HIDDEN), Halved(), Doubled(HIDDEN, CLASSES), "softmax"]
    own = Sequential(layers, loss="categorical_crossentropy", seed=0, dtype="float64")
    plan = own.training.plan
    assert [type(stage) for stage in plan.stages] == [LayerStage] * 3
    expected = float(own.loss.calculate(own.forward(X), LABELS))
    assert float(own.train_step(X, LABELS)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("between", [(), ("linear",), (0.0,)], ids=["next", "linear", "dropout 0"])
def test_backward_does_not_write_over_what_an_own_layer_holds(between: Any) -> None:
    """It gives its `dinputs` out of its hand, and may keep them; some layers hand them on as they are."""
    passing = [Dropout(rate) if isinstance(rate, float) else rate for rate in between]

    class Keeps(Scale):
        def backward(self, dvalues: Any) -> Any:
            self.kept = super().backward(dvalues)
            self.as_it_was = self.kept.copy()
            return self.kept

    keeps = Keeps(HIDDEN)
    layers = [Dense(M, HIDDEN), "relu", *passing, keeps, Dense(HIDDEN, CLASSES)]
    own = Sequential(layers, loss="mean_squared_error", seed=0)
    own.train_step(X, TARGETS)
    assert np.array_equal(keeps.kept, keeps.as_it_was)


NEEDS_NUMBA = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is not installed: nox -s full has it"
)
OPTIMIZERS = [
    nnxp.SGD(0.1, momentum=0.9, nesterov=True),
    nnxp.Adagrad(),
    nnxp.RMSprop(),
    nnxp.Adam(decay=0.1),
    nnxp.AdamW(clip_norm=1.0),
    nnxp.AdamW(decay_biases=False, clip_value=0.1),
    nnxp.Adam(clip_norm=1.0, clip_value=0.1),
    nnxp.Adam(ema=0.9),
    nnxp.Lion(ema=0.99, schedule="inverse_time_decay"),
    nnxp.AdamW(factors={"biases": 0.1}, decay_factors={"Dense.weights": 2}, weight_decay_schedule="inverse_time_decay"),
    nnxp.SGD(0.1, momentum=0.9, factors={"weights": 0.5}),
]
BIG = 256


def big(body: str, head: str, **options: Any) -> tuple[Sequential, Any, Any]:
    """A model whose arrays are far larger than what a call costs: 256 samples, 400 wide."""
    end, loss, y = HEADS[head]
    layers = [_widened(part) for part in (*BODIES[body], Dense(HIDDEN, CLASSES, l2=0.01), *end)]
    repeats = -(-BIG // N)
    x = np.random.default_rng(0).standard_normal((BIG, 400)).astype("float32")
    return Sequential(layers, loss=loss, seed=0, **options), x, np.concatenate([y] * repeats)[:BIG]


def _widened(part: Any) -> Any:
    width = {M: 400, HIDDEN: 500}
    if type(part) is Dense:
        given = {name: getattr(part, name) for name in ("l1", "l2", "bias_l1", "bias_l2", "parametrization")}
        return Dense(width.get(part.n_in, CLASSES), width.get(part.n_out, CLASSES), **given)
    if type(part) is Scaling:
        return Scaling(width[part.width])
    if type(part) is ParametricActivation:
        return ParametricActivation(width[part.width], copy.copy(part.activation))
    if type(part) is Rescaling:
        return Rescaling(0.5, 0.1)
    if type(part) is Residual:
        return Residual([_widened(inner) for inner in part.layers])
    return type(part)(width[part.n]) if type(part) in (BatchNorm, LayerNorm) else copy.deepcopy(part)


QUIET = [
    *(
        (body, "classes", nnxp.Adam())
        for body in BODIES
        if "own" not in body and body not in ("deep", "no hidden layer")
    ),
    *(("deep", head, nnxp.Adam()) for head in HEADS if "own" not in head and head != "classes"),
    *(("deep", "classes", optimizer) for optimizer in OPTIMIZERS),
]
IDS = [f"{body}-{head}-{number}" for number, (body, head, _) in enumerate(QUIET)]


@pytest.mark.long
@pytest.mark.parametrize("fast", [False, pytest.param(True, marks=NEEDS_NUMBA)], ids=["numpy", "numba"])
@pytest.mark.parametrize(("body", "head", "optimizer"), QUIET, ids=IDS)
def test_a_step_on_numpy_allocates_and_promotes_nothing(body: str, head: str, optimizer: Any, fast: bool) -> None:
    """Casts of mixed dtypes (a Boolean mask to numbers) go through NumPy's buffers of 8192 elements."""
    own, x, y = big(body, head, optimizer=copy.copy(optimizer), backend=nnxp.get_backend("numpy", fast=fast))
    for _ in range(3):
        own.train_step(x, y)
    plan, w = own.training.plan, None
    y = plan.loss.prepare(y, CLASSES, "float32")
    plan.step(x, y, w)
    tracemalloc.start()
    try:
        loss = plan.step(x, y, w)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        loss = plan.step(x, y, w)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 100_000  # a float32 array of a hidden layer's size takes 512,000 bytes
    assert loss.dtype == plan.head.p.dtype == np.float32 and loss.ndim == 0
    assert {a.dtype.name for a in plan.buffers._whole.values()} <= {"float32", "bool"}
    assert {a.dtype.name for a in own.optimizer.state(own.store)} <= {"float32"}


@pytest.mark.long
@pytest.mark.parametrize(("body", "head", "optimizer"), QUIET, ids=IDS)
def test_a_step_on_torch_allocates_and_waits_for_nothing(body: str, head: str, optimizer: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nox -s full has it")
    own, x, y = big(body, head, optimizer=copy.copy(optimizer), backend="torch")
    x = torch.from_numpy(x)
    y = torch.from_numpy(np.asarray(y, dtype="int64" if np.asarray(y).ndim == 1 else "float32"))
    for _ in range(3):
        own.train_step(x, y)
    with watched(BIG) as watch:
        loss = own.train_step(x, y)
    assert watch.made == [] and watch.waits == []
    assert loss.dtype == torch.float32


# --- what a reader or another thread may do ------------------------------------------------------------


def test_clipping_may_be_given_and_taken_back(backend: Target) -> None:
    def weights(clip: Any, later: Any) -> Any:
        own = Sequential(
            [Dense(M, 1)], loss="mean_squared_error", optimizer=nnxp.SGD(0.1), backend=backend.spec, seed=0
        )
        own.optimizer.clip_norm = clip
        own.train_step(X, TARGETS[:, :1])
        before = backend.to_numpy(own.store.values)
        own.optimizer.clip_norm = later
        own.train_step(X, TARGETS[:, :1])
        return np.linalg.norm(backend.to_numpy(own.store.values) - before)

    assert weights(None, 1e-3) == pytest.approx(1e-4, rel=1e-3)
    assert weights(1e-3, None) > 100 * 1e-4


def test_penalties_may_change(backend: Target) -> None:
    """Equal ones are one pass over the store, others are apart."""
    layers = [Dense(M, HIDDEN, l2=0.1), "relu", Dense(HIDDEN, HIDDEN, l2=0.1), "relu", Dense(HIDDEN, CLASSES, l2=0.1)]
    own = Sequential([*layers, "softmax"], "categorical_crossentropy", "sgd", backend=backend.spec, dtype="float64")
    twin = copy.deepcopy(own)
    for l2, bias_l1 in ((0.1, 0.0), (0.3, 0.2), (0.0, 0.2)):
        for model in (own, twin):
            model.layers[2].l2, model.layers[4].bias_l1 = l2, bias_l1  # type: ignore[attr-defined]
        data = twin.loss.calculate(twin.forward(X), LABELS)  # type: ignore[union-attr]
        expected = float(data) + sum(float(penalty) for penalty in twin.penalties())
        twin.backward(LABELS)
        twin.optimizer.pre_update_params()
        twin.optimizer.update_params(twin)
        twin.optimizer.post_update_params()
        assert float(own.train_step(X, LABELS)) == pytest.approx(expected, rel=1e-12)
        backend.assert_close(own.store.values, values(twin), rtol=1e-11)


def test_an_option_that_chooses_the_formula_may_change() -> None:
    own = Sequential([Dense(M, 2), activations.GELU()], loss="mean_squared_error", seed=0, dtype="float64")
    exact = own.predict(X)
    own.train_step(X, TARGETS[:, :2])
    own.layers[1].approximate = "tanh"
    assert np.array_equal(own.predict(X), own.forward(X)) and not np.array_equal(own.predict(X), exact)
    loss = own.loss.calculate(own.forward(X), TARGETS[:, :2])
    assert float(own.train_step(X, TARGETS[:, :2])) == pytest.approx(float(loss), rel=1e-12)


def test_what_a_loss_or_an_optimizer_of_the_users_own_overrides_is_called() -> None:
    class Smooth(nnxp.SoftmaxCrossentropy):
        def prepare(self, y: Any, n_out: Any, dtype: str, scan: bool = True) -> Any:
            rows = np.eye(n_out)[np.asarray(y)]
            return super().prepare(0.9 * rows + 0.1 / n_out, n_out, dtype, scan)

    class Still(nnxp.MeanSquaredError):
        def mean_gradient(self, gradient: Any, w: Any) -> Any:
            return 0 * super().mean_gradient(gradient, w)

    class Counts(nnxp.SGD):
        calls = 0

        def update_params(self, target: Any) -> None:
            self.calls += 1
            super().update_params(target)

    smooth = Sequential([Dense(M, CLASSES)], loss=Smooth(), optimizer=Counts(0.0), seed=0)
    assert len({float(smooth.train_step(X.astype("float32"), LABELS)) for _ in range(3)}) == 1
    assert smooth.optimizer.calls == 3
    still = Sequential([Dense(M, CLASSES)], loss=Still(), optimizer="sgd", seed=0)
    before = still.store.values.copy()
    still.train_step(X, TARGETS)
    assert np.array_equal(still.store.values, before)


def test_what_an_overridden_mean_gradient_keeps_is_not_written_over() -> None:
    class Keeps(nnxp.MeanSquaredError):
        def mean_gradient(self, gradient: Any, w: Any) -> Any:
            self.kept = super().mean_gradient(gradient, w)
            self.as_it_was = self.kept.copy()
            return self.kept

    own = Sequential([Dense(M, CLASSES), "relu"], loss=Keeps(), optimizer="sgd", seed=0)
    own.train_step(X, TARGETS)
    assert np.array_equal(own.loss.kept, own.loss.as_it_was)


def test_no_layers_are_left_when_the_softmax_is_left_out() -> None:
    own = Sequential(["softmax"], loss="categorical_crossentropy")
    expected = own.loss.calculate(own.predict(X), LABELS % M)
    assert own.evaluate(X, LABELS % M)["loss"] == pytest.approx(float(expected), rel=1e-6)
    own.fit(X, LABELS % M)


def test_inputs_are_let_go() -> None:
    own = model("ReLU", "classes")
    x = X.astype("float32")
    before = sys.getrefcount(x)
    own.predict(x), own.train_step(x, LABELS)
    assert sys.getrefcount(x) == before


def test_a_loss_in_use_elsewhere_writes_into_memory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluating while another thread trains."""
    own = Sequential([Dense(M, CLASSES), "tanh"], loss="softmax_crossentropy", seed=0)
    own.train_step(X, LABELS)
    loss, seen = own.loss, []

    both = nnxp.SoftmaxCrossentropy.both

    def watched(self: Any, p: Any, y: Any) -> Any:
        seen.append(loss.__dict__.get("buffers"))
        return both(self, p, y)

    monkeypatch.setattr(nnxp.SoftmaxCrossentropy, "both", watched)
    own.train_step(X, LABELS)
    assert seen and set(seen) == {None}
