"""A keyword that a call does not know: what was got, what is known, what was perhaps meant."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Adam, CategoricalCrossentropy, Dense, Dropout, Layer, Sequential, callbacks, initializers, schedules
from nnxp.activations import ACTIVATIONS
from nnxp.doors import calling
from nnxp.errors import nearest
from nnxp.layers import LAYERS
from nnxp.losses import LOSSES
from nnxp.optimizers import OPTIMIZERS

X, Y = np.zeros((4, 2)), np.array([0, 1, 0, 1])
KINDS: list[Any] = [
    *LAYERS, *ACTIVATIONS, *LOSSES, *OPTIMIZERS, *schedules.SCHEDULES, Sequential,
    callbacks.EarlyStopping, callbacks.Checkpoint, callbacks.CSVLog, callbacks.Interruption,
]  # fmt: skip


def model() -> Sequential:
    return Sequential([Dense(2, 3), "softmax"], "categorical_crossentropy", seed=0)


class Mine(Dense):
    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(n, n, **options)


class Square(Dense):
    def __init__(self, n: int) -> None:
        super().__init__(n, n, units=n)  # type: ignore[call-arg]


CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    "another library's": (
        lambda: Adam(lr=0.1),
        "got lr= for Adam, expected one of learning_rate, beta_1, beta_2, epsilon, schedule, decay, clip_norm, "
        "clip_value, ema, factors, backend; did you mean learning_rate?",
    ),
    "two for one": (lambda: Adam(betas=(0.9, 0.99)), "; did you mean beta_1 and beta_2?"),
    "another class's": (lambda: Adam(weight_decay=0.1), "; did you mean AdamW(weight_decay=...)?"),
    "one that another class has": (lambda: Adam(momentum=0.9), "; did you mean beta_1?"),
    "a typo": (lambda: Dense(2, 3, initialiser="zeros"), "got initialiser= for Dense, .*; did you mean initializer?"),
    "of an own class": (lambda: Mine(3, units=4), "got units= for Mine, .*one of n, n_in, .*did you mean n_out?"),
    "in an own class": (lambda: Square(3), "got units= for Dense, expected one of n_in, n_out, .*did you mean n_out?"),
    "by position too": (lambda: Dropout(0.5, p=0.5), "got p= for Dropout, .*did you mean rate?"),
    "a loss": (
        lambda: CategoricalCrossentropy(from_logits=True, ignore_index=-1),
        "got ignore_index= for SoftmaxCrossentropy, .*; did you mean ignore_label?",
    ),
    "nothing near": (lambda: nnxp.MeanSquaredError(reduction="sum"), "expected one of backend, dtype$"),
    "nothing known": (lambda: callbacks.Interruption(signal=1), "got signal= for Interruption, expected no keyword$"),
    "a schedule": (lambda: schedules.Cosine(T_max=3), "got T_max= for Cosine, .*; did you mean steps?"),
    "a callback": (lambda: callbacks.EarlyStopping(restore_best_weights=True), "; did you mean restore_best?"),
    "a model": (lambda: Sequential([Dense(2, 3)], criterion="mse"), "got criterion= for Sequential, .*mean loss?"),
    "fit": (lambda: model().fit(X, Y, epoch=5), "got epoch= for fit, expected one of X, y, .*; did you mean epochs?"),
    "fit, elsewhere": (lambda: model().fit(X, Y, class_weight=[1]), r"CategoricalCrossentropy(class_weight=\[...\])"),
    "evaluate": (lambda: model().evaluate(X, Y, weights=Y), "for evaluate, .*; did you mean sample_weight?"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "message"), CALLS.values(), ids=CALLS)
def test_what_is_said(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        call()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_constructor_knows_its_keywords_and_keeps_its_signature(kind: Any) -> None:
    with pytest.raises(TypeError, match=f"got nonsense= for {kind.__name__}, expected "):
        kind(nonsense=1)
    assert "nonsense" not in str(inspect.signature(kind)) and "*args" not in str(inspect.signature(kind))


def test_an_attribute_by_another_librarys_name() -> None:
    with pytest.raises(AttributeError, match="got Adam.lr, .*; did you mean 'learning_rate'"):
        Adam().lr = 5  # type: ignore[attr-defined]


def test_estimators() -> None:
    pytest.importorskip("sklearn", reason="estimators need scikit-learn")
    with pytest.raises(TypeError, match="got epochs= for MLPClassifier, expected .*; did you mean max_iter"):
        nnxp.MLPClassifier(epochs=5)
    with pytest.raises(TypeError, match="got seed= for MLPRegressor, expected .*; did you mean random_state"):
        nnxp.MLPRegressor(seed=0)


def test_signatures_are_the_functions_own() -> None:
    assert [*inspect.signature(Dense).parameters][:3] == ["n_in", "n_out", "initializer"]
    assert [*inspect.signature(Sequential.fit).parameters][:4] == ["self", "X", "y", "epochs"]
    assert Sequential.fit.__qualname__ == "Sequential.fit" and "Trains on arrays" in str(Sequential.fit.__doc__)


def test_what_takes_any_keyword_is_left_alone() -> None:
    class Any_(Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__()
            self.given = options

    layer = Any_(anything=1)
    assert layer.given == {"anything": 1} and copy.deepcopy(layer).given == layer.given
    with pytest.raises(TypeError, match="takes no arguments"):  # Python's own
        initializers.Zeros(scale=1)  # type: ignore[call-arg]


def test_the_nearest() -> None:
    known = ["learning_rate", "epochs", "beta_1"]
    usual = {"beta_1 and beta_2": "betas", "learning_rate": "lr", "Other(x)": "x"}
    found = [nearest(name, known, usual) for name in ("LR", "epoch", "betas", "x", "nothing")]
    assert found == ["learning_rate", "epochs", "beta_1", "Other(x)", None]  # no beta_2: the closest of what there is
    assert nearest("lr", known) is None


def test_every_hint_is_of_a_keyword_that_exists() -> None:
    """Of some class, of fit or of an estimator: the table does not outlive what it names."""
    pytest.importorskip("sklearn", reason="estimators need scikit-learn")
    calls = [*KINDS, nnxp.MLPClassifier, nnxp.Optimizer, CategoricalCrossentropy.__init__, Sequential.fit]
    known = {name for call in calls for name in inspect.signature(call).parameters}
    targets = {part for target in calling.USUAL if "(" not in target for part in target.split(" and ")}
    assert targets <= known
