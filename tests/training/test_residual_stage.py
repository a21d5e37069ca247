"""A residual block as stages: equal to the block that runs layer by layer, as one of a user's own class does."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnxp import (
    SGD,
    Dense,
    Dropout,
    LayerNorm,
    ParametricActivation,
    PiecewiseLinearEmbedding,
    Residual,
    Scaling,
    Sequential,
    errors,
)
from nnxp.layers import Layer
from nnxp.layers.parts import with_parts
from nnxp.training import prediction, staging
from nnxp.training.activation_stage import DenseActivation
from nnxp.training.residual_stage import ResidualStage, Shortcut
from nnxp.training.stages import DenseAlone, DenseStage, LayerStage
from tests.helpers.matrix import Target
from tests.helpers.models import Scale

N, M, CLASSES = 23, 5, 3
RNG = np.random.default_rng(4)
X = RNG.standard_normal((N, M))
Y = RNG.integers(0, CLASSES, N)


class Own(Scale):
    """One that says its width, so that a block takes it."""

    def output_width(self, n_in: int | None) -> int:
        return self.n


def frozen(layer: Any) -> Any:
    layer.trainable = False
    return layer


def still(block: Any) -> Any:
    """A block whose shortcut is frozen."""
    block.shortcut.trainable = False
    return block


def every_other(step: int, total: int | None) -> float:
    return float(step % 2)


def table(n_in: int = M) -> list[Any]:
    """The row that the networks for tables have."""
    return [Dense(n_in, 8), "relu", Dropout(0.2), Dense(8, 8), "relu", Dropout(0.2), Dense(8, 6)]


def penalised(n_in: int, n_out: int, **given: Any) -> Dense:
    return Dense(n_in, n_out, l1=0.02, l2=0.03, bias_l1=0.01, bias_l2=0.02, **given)


BODIES: dict[str, Callable[[], list[Any]]] = {
    "of a table": lambda: [Residual([PiecewiseLinearEmbedding.of(X, 4), *table(25)])],
    "in the middle": lambda: [Dense(M, 7), "tanh", Residual(table(7)), "relu", Dense(6, 6), "silu"],
    "identity": lambda: [Dense(M, 6), "relu", Residual([Dense(6, 6), "gelu", Dropout(0.3), Dense(6, 6), "selu"])],
    "identity first": lambda: [Residual([Dense(M, 7), "selu", Dense(7, M), "tanh"]), Dense(M, 6)],
    "identities in a row": lambda: [
        Dense(M, 6),
        *[Residual([Dense(6, 6), "relu", Dense(6, 6), "mish", Dropout(0.0), "linear"]) for _ in range(3)],
    ],
    "projections in a row": lambda: [
        Scaling(M),
        *[Residual([Dense(M, M), "selu", Dense(M, M), "relu"], projected=True) for _ in range(3)],
        Dense(M, 6),
    ],
    "of one width throughout": lambda: [
        Dense(M, M),
        "relu",
        Residual([Dense(M, M), "relu", Residual([Dense(M, M), "tanh"]), Dense(M, M), "relu"]),
        Dense(M, M),
        "relu",
        Residual([Residual([Dense(M, M), "tanh"], projected=True), Residual([Dense(M, M), "relu"])]),
        Dense(M, 6),
    ],
    "nested": lambda: [
        Residual([Residual([Dense(M, 4), Dropout(0.3), "tanh"]), Residual([Residual([Dense(4, 4), "relu"])])]),
        Residual([LayerNorm(4), Residual([Dense(4, 4), "elu", Dense(4, 6)]), Dropout(0.5)], projected=True),
    ],
    "without dense layers": lambda: [Dense(M, 6), Residual([LayerNorm(6), "relu", Dropout(0.2)]), Residual(["tanh"])],
    "dropout that comes and goes": lambda: [Residual([Dense(M, 6), "relu", Dropout(0.4, schedule=every_other)])],
    "nothing in it": lambda: [Dense(M, 6), "relu", Residual(["linear", Dropout(0.2)]), Residual(["linear"])],
    "penalties": lambda: [
        Residual([penalised(M, 7), "tanh", penalised(7, 6)]),
        Residual([penalised(6, 6), "relu"]),
        penalised(6, 6),
    ],
    "slopes": lambda: [
        Scaling(M),
        Residual([Dense(M, 7), ParametricActivation(7, "mish"), Dense(7, 7, parametrization="ntk"), "selu"]),
        Residual([Dense(7, 7, parametrization="ntk"), ParametricActivation(7, "selu")]),
        Residual([Dense(7, 6), "gelu", Dense(6, 6, parametrization="ntk", l2=0.1)]),
    ],
    "own layers": lambda: [
        Residual([Dense(M, 6), "relu", Own(6), Dense(6, 6), "relu", Own(6)]),
        Residual([frozen(Dense(6, 6)), Own(6), Dense(6, 6)]),
    ],
    "begins with an own one that is trained": lambda: [Residual([frozen(Dense(M, 6)), Own(6), Dense(6, 6), "relu"])],
    "frozen": lambda: [Dense(M, 7), "relu", frozen(Residual([penalised(7, 6), "selu", Dropout(0.2), Dense(6, 6)]))],
    "frozen in part": lambda: [
        still(Residual([frozen(Dense(M, 7)), "mish", Dropout(0.2), Dense(7, 7, l2=0.1), "relu", frozen(Dense(7, 6))])),
        still(Residual([Dense(6, 6), "relu", frozen(penalised(6, 4, parametrization="ntk"))])),
        Residual([frozen(Dense(4, 6)), ParametricActivation(6, "relu")]),
    ],
    "only its shortcut trained": lambda: [Residual([frozen(Dense(M, 8)), "relu", frozen(Dense(8, 6))])],
    "frozen first": lambda: [frozen(Residual([Dense(M, 8), "relu", Dense(8, 6)])), Dense(6, 6)],
}


def model(body: str, backend: Any, members: int = 1, **options: Any) -> Sequential:
    layers: list[Any] = [*BODIES[body](), Dense(6, CLASSES, l2=0.01), "softmax"]
    if body == "of a table":
        layers = [*BODIES[body](), Dropout(0.1), *layers[-2:]]
    given = {"dtype": "float64", "seed": 3, "members": members, **options}
    return Sequential(layers, "categorical_crossentropy", SGD(0.05, momentum=0.5), backend=backend, **given)


def layer_by_layer(patched: pytest.MonkeyPatch) -> None:
    for module in (staging, prediction):
        patched.setattr(module, "is_block", lambda layer: False)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("body", BODIES)
def test_a_fit_is_that_of_blocks_that_run_layer_by_layer(
    body: str, members: int, backend: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a short last batch, and of micro-batches; what is predicted too."""
    x = backend.asarray(X)
    ended = []
    for staged in (True, False):
        own = model(body, backend.spec, members)
        with monkeypatch.context() as patched:
            if not staged:
                layer_by_layer(patched)
            own.fit(x, Y, epochs=2, batch_size=9, validation_data=(x, Y))
            own.fit(x, Y, epochs=1, batch_size=9, micro_batch_size=4, sample_weight=np.arange(N) % 4)
            predicted = own.predict(x)
        kinds = {type(stage) for stage in staging.all_of(own.training.plan.stages)}
        assert (ResidualStage in kinds) is staged
        assert not any({"buffers", "needs_dinputs", "moment"} & {*vars(part)} for _, part in with_parts(own.layers))
        ended.append((own, backend.to_numpy(predicted)))
    (staged_one, p), (other, q) = ended
    # Some 20 updates of sums of at most 30 terms, each to half a unit in the last place
    near = {"rtol": 1e-11, "atol": 1e-13}
    backend.assert_close(staged_one.store.values, backend.to_numpy(other.store.values), **near)
    np.testing.assert_allclose(p, q, **near)
    assert staged_one.history.keys() == other.history.keys()
    for name in other.history.keys() - {"seconds"}:
        for value, expected in zip(staged_one.history[name], other.history[name], strict=True):
            assert value == pytest.approx(expected, rel=1e-11, nan_ok=True)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("body", BODIES)
def test_a_step_is_the_layers_one_by_one(body: str, members: int, backend: Target) -> None:
    """By hand gradients of what is frozen are there too."""
    own = model(body, backend.spec, members)
    by_hand, plan = copy.deepcopy(own), own.training.plan
    before = backend.to_numpy(own.store.values).copy()
    y = plan.loss.prepare(Y, CLASSES, "float64")
    plan.forward_backward(own.backend.asarray(X), y)
    plan.release()
    by_hand.forward(X, training=True)
    by_hand.backward(Y)
    seen = 0
    for (_, layer), (_, other) in zip(with_parts(own.layers), with_parts(by_hand.layers), strict=True):
        for name in layer.parameters if layer.trainable else ():
            backend.assert_close(layer.gradient(name), backend.to_numpy(other.gradient(name)), rtol=0, atol=1e-13)
            seen += 1
    assert seen
    np.testing.assert_array_equal(backend.to_numpy(own.store.values), before)


def test_what_a_step_does_not_compute_is_not_read() -> None:
    """What was there before it is gone."""
    own: Any = model("of one width throughout", "numpy")
    own.forward(X)
    own.backward(Y)
    parts = [part for _, part in with_parts([own.layers[2]]) if type(part) is not Residual]
    assert all(part.output.shape == part.dinputs.shape == (N, M) for part in parts)
    own.train_step(X, Y)
    for part in [part for _, part in with_parts([own.layers[2]])]:
        for name in ("inputs", "output", "dinputs"):
            with pytest.raises(errors.NotComputedError):
                getattr(part, name)


def test_what_runs_and_who_writes_where() -> None:
    own = model("in the middle", "numpy")
    (block,) = [stage for stage in own.training.plan.stages if isinstance(stage, ResidualStage)]
    kinds = [type(stage) for stage in block.inner]
    assert kinds == [DenseActivation, LayerStage, DenseActivation, LayerStage, DenseAlone]
    assert block.back == list(block.inner)[::-1] and all(stage.needs_dinputs for stage in block.inner)
    own = model("of a table", "numpy")
    (block,) = [stage for stage in own.training.plan.stages if isinstance(stage, ResidualStage)]
    assert isinstance(block.shortcut, Shortcut)
    assert block.back == list(block.inner)[:0:-1], "nobody wants the gradient of the inputs, or that of the bins"
    needed = [stage.needs_dinputs for stage in (block.shortcut, *block.inner)]
    assert needed == [False, False, False, True, True, True, True]
    own = model("of one width throughout", "numpy")
    own.train_step(X, Y)
    plan = own.training.plan
    outer = {stage.turn for stage in (*plan.stages, plan.head) if isinstance(stage, DenseStage)}
    inside = list(staging.all_of([s for s in plan.stages if isinstance(s, ResidualStage)]))
    assert outer == {0, 1}
    assert not outer & {stage.turn for stage in inside if isinstance(stage, DenseStage)}
    assert {stage.turn for stage in inside if isinstance(stage, Shortcut)} == {None}
    in_place = [stage.in_place for stage in inside if isinstance(stage, DenseActivation)]
    # In the first block the inner identity and the last of its row may not; in the second its inner identity.
    assert in_place == [True, False, False, True, False]


@pytest.mark.parametrize("projected", [False, True])
def test_a_block_hands_on_what_an_own_layer_keeps_as_it_is(projected: bool) -> None:
    """It is given the gradient, and may not write over what a layer of the user's own above it has kept."""

    class Keeps(Own):
        def backward(self, dvalues: Any) -> Any:
            self.kept = super().backward(dvalues)
            self.as_it_was = self.kept.copy()
            return self.kept

    keeps = Keeps(6)
    row = [Dense(6, 6), "relu", Dropout(0.0)]
    layers = [Dense(M, 6), "relu", Residual([Residual(row, projected=True)], projected=projected), keeps, Dense(6, 1)]
    own = Sequential(layers, "mean_squared_error", seed=0)
    own.train_step(X, X[:, :1])
    assert np.array_equal(keeps.kept, keeps.as_it_was)


def test_classes_of_the_users_own_run_as_they_stand() -> None:
    class Doubled(Residual):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            return 2 * super().forward(inputs, training)

        def backward(self, dvalues: Any) -> Any:
            return super().backward(2 * dvalues)

    class Wide(Dense):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            return 3 * super().forward(inputs, training)

        def backward(self, dvalues: Any) -> Any:
            return super().backward(3 * dvalues)

    beside: Any = Residual([Dense(6, 4), "relu"])
    beside.shortcut = Wide(6, 4)
    layers: list[Layer | str] = [Doubled([Dense(M, 6), "relu"]), beside, Residual([Wide(4, 4)]), Dense(4, 1)]
    own = Sequential(layers, "mean_squared_error", seed=0, dtype="float64")
    by_hand = copy.deepcopy(own)
    plan, y = own.training.plan, X[:, :1]
    assert [type(stage) for stage in plan.stages] == [LayerStage, LayerStage, ResidualStage, DenseAlone]
    assert [type(stage) for stage in plan.stages[2].inner] == [LayerStage]
    expected = by_hand.forward(X, training=True)
    np.testing.assert_allclose(own.predict(X), expected, rtol=1e-13)
    plan.forward_backward(X, plan.loss.prepare(y, 1, "float64"))
    by_hand.backward(y)
    np.testing.assert_allclose(own.store.gradients, by_hand.store.gradients, rtol=0, atol=1e-13)


def test_the_plan_says_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    layers = [
        Residual([Dense(M, 6), "relu", Dense(6, 4)]),
        Residual([Residual([frozen(Dense(4, 4))])]),
    ]
    Sequential(layers, "mean_squared_error", seed=0).plan()
    lines = [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()]
    assert lines[:-2] == [
        "Residual: Dense.forward, its bias and ReLU.forward in one pass",
        "Residual: Dense.forward",
        "Residual: Dense.forward of the shortcut, its bias and the sum in one pass",
        "Residual: Residual: Dense.forward",
        "Residual: Residual: sum with the inputs",
        "Residual: sum with the inputs",
        "MeanSquaredError from predictions: loss and gradient",
        "Residual: Residual: Dense.backward, frozen: gradients of its inputs only",
        "Residual: Residual: sum of both gradients",
        "Residual: sum of both gradients",
        "Residual: Dense.backward of the shortcut, gradients of its parameters only",
        "Residual: Dense.backward",
        "Residual: ReLU.backward and Dense.dbiases in one pass, Dense.backward, gradients of its parameters only",
    ]
