"""Everyday mistakes at a model's doors: got, expected, and what to do."""

import contextlib
import os
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Dense, Sequential
from nnxp.callbacks import EarlyStopping
from nnxp.metrics import accuracy

X, Y = np.random.default_rng(0).normal(size=(20, 2)).astype("float32"), np.arange(20) % 2


def model(**options: Any) -> Sequential:
    return Sequential([Dense(2, 2), "softmax"], "categorical_crossentropy", **({"seed": 0} | options))


def typo(state: Any) -> None:
    assert state.record["vall_loss"]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: model().fit(X, Y, callbacks=None), TypeError, r"got callbacks=None, expected a list.*callbacks=\[\]"),
        (
            lambda: model().fit(X, Y, callbacks=EarlyStopping("loss")),
            TypeError,
            r"got callbacks=EarlyStopping\(\.\.\.\), expected a list of them: callbacks=\[EarlyStopping\(\.\.\.\)\]",
        ),
        (lambda: model(seed=1.0), TypeError, "got seed=1.0, expected a whole number"),
        (lambda: model(seed=True), TypeError, "got seed=True, expected a whole number"),
        (lambda: Sequential(Dense(2, 2), "softmax"), TypeError, r"got Dense\(2, 2\) as layers, expected a list"),
        (lambda: Sequential([Dense(2, 1)], "mse"), ValueError, "did you mean 'mean_squared_error'"),
        (lambda: Sequential([Dense(2, 1)], "MAE"), ValueError, "did you mean 'mean_absolute_error'"),
        (lambda: Sequential([Dense(2, 1), "swish"]), ValueError, "did you mean 'silu'"),
        (lambda: Sequential([Dense(2, 1), "logistic"]), ValueError, "did you mean 'sigmoid'"),
        (lambda: Sequential([Dense(2, 1)], backend="cuda"), nnxp.BackendUnavailableError, 'did you mean "cupy"'),
        (lambda: model().fit(X, Y / 2), ValueError, r"dtype float64, expected .* give rows of them \(n, classes\)"),
        (lambda: model().fit(X, Y / 1), ValueError, r"dtype float64, expected .*y\.astype\(int\), or a regression"),
        (
            lambda: model().fit(X, np.array(["a", "b"])[Y]),
            TypeError,
            r"got text, .*np\.unique\(y, return_inverse=True\)",
        ),
        (lambda: model().fit(X.astype(str), Y), TypeError, r"got text, .*x\.astype\(float\)"),
        (lambda: accuracy(Y / 2, Y), ValueError, r"\(p > 0\.5\)\.reshape\(-1\)"),
        (lambda: accuracy(Y[:, None], Y), ValueError, r"y\.reshape\(-1\) makes them"),
        (
            lambda: model().fit(X, Y, callbacks=[typo]),
            KeyError,
            r"got record\['vall_loss'\], expected one of loss, accuracy",
        ),
    ],
)
def test_answers(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_numpys_whole_numbers_are_seeds() -> None:
    assert model(seed=np.int64(3)).seed == 3


def test_names_of_classes_are_as_many_as_the_model_tells_apart() -> None:
    three = Sequential([Dense(2, 3), "softmax"], "categorical_crossentropy")
    for names in (["a"], ["a", "b", "c", "d"]):
        with pytest.raises(ValueError, match=f"got {len(names)} classes.*expected 3"):
            three.classes = names
    with pytest.raises(ValueError, match="expected a list of texts"):
        three.classes = "abc"  # type: ignore[assignment]
    three.classes = ["a", "b", "c"]
    yes_no = Sequential([Dense(2, 1), "sigmoid"], "binary_crossentropy")
    yes_no.classes = ["no", "yes"]
    with pytest.raises(ValueError, match="got 1 classes.*expected 2"):
        yes_no.classes = ["yes"]


@pytest.mark.parametrize("call", ["predict", "evaluate", "train_step", "fit"])
def test_a_program_that_raises_on_underflow_is_not_stopped(call: str) -> None:
    own = model()
    own.fit(X, Y)
    before = own.step
    with np.errstate(all="raise"):
        if call == "predict":
            assert np.isfinite(own.predict(X * 1e4)).all()
        elif call == "evaluate":
            assert own.evaluate(X * 1e4, Y)["accuracy"] >= 0
        elif call == "train_step":
            own.train_step(X * np.float32(1e-30), Y)
            assert own.step == before + 1
        else:
            own.fit(X * np.float32(1e-30), Y)
        assert np.geterr()["under"] == "raise"


def test_standard_streams_may_be_missing_or_only_write(monkeypatch: pytest.MonkeyPatch) -> None:
    class Log:
        text = ""

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            """Nothing is kept back."""

    for made in (None, Log()):
        monkeypatch.setattr("sys.stderr", made)
        monkeypatch.setattr("sys.stdout", made)
        own = model()
        own.fit(X, Y)
        own.summary()
    assert isinstance(made, Log) and "Dense" in made.text


def test_a_reader_that_leaves_a_summary_ends_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", encoding="utf-8", buffering=1, closefd=False) as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        with pytest.raises(BrokenPipeError):
            model().summary()
        monkeypatch.undo()
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
    os.close(write)


def test_two_text_classes_keep_their_names() -> None:
    pytest.importorskip("sklearn", reason="estimators need scikit-learn")
    fitted = nnxp.MLPClassifier((4,), max_iter=300, random_state=0).fit(X, np.array(["cat", "dog"])[Y])
    assert fitted.model_.classes == ["cat", "dog"] and {*fitted.predict(X)} <= {"cat", "dog"}


def test_a_weight_of_a_class_that_is_not_there_is_unused() -> None:
    pytest.importorskip("sklearn", reason="estimators need scikit-learn")
    options: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 500, "random_state": 0}
    weighed = nnxp.MLPClassifier(**options, class_weight={0: 1, 1: 2, 2: 5}).fit(X, Y)
    twin = nnxp.MLPClassifier(**options, class_weight={0: 1, 1: 2}).fit(X, Y)
    np.testing.assert_array_equal(weighed.predict_proba(X), twin.predict_proba(X))
    with pytest.raises(ValueError, match=r"got class_weight for the classes \['a'\], expected some of \[0, 1\]"):
        nnxp.MLPClassifier(**options, class_weight={"a": 1}).fit(X, Y)
