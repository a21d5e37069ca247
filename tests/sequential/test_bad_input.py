"""What a person may hand a model by mistake: an error that says what was got and what to do, weights as they
were, and a model that still works."""

from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

import nnxp
from nnxp import SGD, Dense, Sequential
from tests.helpers.matrix import Target
from tests.helpers.models import classifier, problem, values

DOORS = ("fit", "evaluate", "train_step")


def call(model: Sequential, door: str, X: Any, y: Any, w: Any = None) -> Any:
    return getattr(model, door)(X, y, sample_weight=w)


def check(model: Sequential, door: str, X: Any, y: Any, w: Any, error: Any, message: str) -> None:
    """The error, and a model that is as it was."""
    before, state = values(model), (model.epoch, model.step, model.optimizer.iterations, dict(model.history))
    with pytest.raises(error, match=message):
        model.predict(X) if door == "predict" else call(model, door, X, y, w)
    np.testing.assert_array_equal(values(model), before)
    assert (model.epoch, model.step, model.optimizer.iterations, dict(model.history)) == state
    assert model.fit(*problem())["loss"][0] > 0


X, Y = problem()


def changed(value: Any, dtype: Any = np.float32) -> Any:
    bad: Any = X.astype(dtype)
    bad[3, 2] = value
    return bad


INPUTS: dict[str, tuple[Any, Any, str]] = {
    "wrong width": (X[:, :4], ValueError, "got X with 4 features, expected 5"),
    "one dimension": (X[0], ValueError, r"expected \(samples, features\): one sample is X\.reshape\(1, -1\)"),
    "three dimensions": (X[:, :, None], ValueError, r"X\.reshape\(len\(X\), -1\)"),
    "a number": (3.0, ValueError, r"of shape \(\)"),
    "text": (X.astype(str), TypeError, "got text, expected numbers"),
    "a list of text": ([["a"] * 5] * 24, TypeError, "got text, expected numbers"),
    "objects": (X.astype(object), TypeError, "got objects, expected numbers"),
    "None among numbers": (changed(None, object), TypeError, "got objects, expected numbers"),
    "complex": (X.astype(complex), TypeError, "got complex numbers, expected numbers"),
    "dates": (np.zeros(X.shape, "datetime64[D]"), TypeError, "expected numbers"),
    "rows of unequal lengths": ([[1.0] * 5, [1.0] * 4], TypeError, "unequal lengths"),
}
VALUES: dict[str, tuple[Any, Any, str]] = {
    "NaN": (changed(np.nan), ValueError, "got X with NaN or infinity, first at row 3, column 2"),
    "infinity": (changed(-np.inf), ValueError, "got X with NaN or infinity, first at row 3, column 2"),
    "no rows": (X[:0], ValueError, "got X with no samples"),
}


@pytest.mark.parametrize("named", [True, False], ids=["backend named", "backend decided"])
@pytest.mark.parametrize("door", ["predict", *DOORS])
@pytest.mark.parametrize("case", INPUTS)
def test_X(case: str, door: str, named: bool) -> None:
    bad, error, message = INPUTS[case]
    model = classifier("numpy" if named else None)
    if not named:
        model.predict(X)
    check(model, door, bad, Y, None, error, message)


@pytest.mark.parametrize("case", ["wrong width", "one dimension", "three dimensions"])
def test_X_of_a_backend_s_own(backend: Target, case: str) -> None:
    bad, error, message = INPUTS[case]
    for door in ("predict", *DOORS):
        check(classifier(backend.spec), door, backend.asarray(bad), Y, None, error, message)


@pytest.mark.parametrize("case", VALUES)
def test_values_of_X(backend: Target, case: str) -> None:
    bad, error, message = VALUES[case]
    for door in DOORS:
        check(classifier(backend.spec), door, bad, Y[: len(bad)], None, error, message)
        if door != "train_step" or case == "no rows" or backend.module == "numpy":  # it waits for no device
            check(classifier(backend.spec), door, backend.asarray(bad), Y[: len(bad)], None, error, message)


def test_validation_data_is_checked_before_training(backend: Target) -> None:
    for validation, message in (
        ((X[:, :4], Y), "got validation X with 4 features"),
        ((VALUES["NaN"][0], Y), "got validation X with NaN"),
        ((X[:0], Y[:0]), "got validation X with no samples"),
        ((X, Y + 1), "got class labels from 1 to 3"),
        ((X, Y[:5]), "got 5 labels for 24 samples"),
        ((X, Y, np.ones(3)), "got sample_weight of shape"),
        ((X,), r"that is not \(X, y\)"),
        (X, r"that is not \(X, y\)"),
    ):
        model = classifier(backend.spec)
        before = values(model)
        with pytest.raises(ValueError, match=message):
            model.fit(X, Y, validation_data=validation)
        np.testing.assert_array_equal(values(model), before)
    with pytest.raises(ValueError, match="expected one of them"):
        classifier(backend.spec).fit(X, Y, validation_data=(X, Y), validation_split=0.5)
    for share in (0.0, 1.0, -0.5, 2, float("nan"), 1e-9):
        with pytest.raises(ValueError, match="fraction|holding out"):
            classifier(backend.spec).fit(X, Y, validation_split=share)


LABELS: dict[str, tuple[Any, Any, str]] = {
    "too large": (Y + 1, ValueError, r"from 1 to 3, expected 0 to 2: number the classes from 0"),
    "negative": (Y - 1, ValueError, "from -1 to 1, expected 0 to 2"),
    "float": (Y.astype(np.float32), ValueError, r"dtype float32, expected integers from 0: y\.astype\(int\)"),
    "a column": (Y[:, None], ValueError, r"a column, expected class indices \(n,\): y\.reshape\(-1\)"),
    "one-hot of another width": (np.eye(4)[Y], ValueError, r"shape \(24, 4\), expected class indices .* \(n, 3\)"),
    "no shares": (np.eye(3)[Y] * 2, ValueError, "do not sum to 1"),
    "NaN shares": (np.full((24, 3), np.nan), ValueError, "do not sum to 1"),
    "three dimensions": (np.eye(3)[Y][..., None], ValueError, "expected class indices"),
    "a number": (1, ValueError, "expected class indices"),
    "shorter": (Y[:5], ValueError, "got 5 labels for 24 samples"),
    "longer": (np.tile(Y, 2), ValueError, "got 48 labels for 24 samples"),
    "text": (Y.astype(str), TypeError, "got text, expected numbers"),
    "objects": (Y.astype(object), TypeError, "got objects, expected numbers"),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels(backend: Target, case: str) -> None:
    bad, error, message = LABELS[case]
    for door in DOORS:
        check(classifier(backend.spec), door, X, bad, None, error, message)


@pytest.mark.parametrize("case", ["too large", "negative", "float", "a column", "one-hot of another width", "shorter"])
def test_labels_of_a_backend_s_own(backend: Target, case: str) -> None:
    bad, error, message = LABELS[case]
    for door in DOORS:
        if door == "train_step" and case in ("too large", "negative") and backend.module != "numpy":
            loss = classifier(backend.spec).train_step(X, backend.asarray(bad))
            assert np.isnan(backend.to_numpy(loss))  # not looked for on a device, and not silent either
        else:
            check(classifier(backend.spec), door, X, backend.asarray(bad), None, error, message)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full(24, np.nan), "got targets with NaN or infinity"),
        (np.ones((24, 2)), r"got targets of shape \(24, 2\), expected \(n, 1\)"),
        (np.ones(23), "got 23 labels for 24 samples"),
        (np.ones((24, 1, 1)), "got targets of shape"),
    ],
)
def test_targets_of_a_regression(backend: Target, bad: Any, message: str) -> None:
    for door in DOORS:
        model = Sequential([Dense(5, 1)], "mean_squared_error", SGD(0.01), backend=backend.spec)
        before = values(model)
        with pytest.raises(ValueError, match=message):
            call(model, door, X, bad)
        np.testing.assert_array_equal(values(model), before)


def test_labels_of_yes_or_no(backend: Target) -> None:
    model = Sequential([Dense(5, 1), "sigmoid"], "binary_crossentropy", backend=backend.spec)
    for door in DOORS:
        with pytest.raises(ValueError, match="got labels outside 0 to 1"):
            call(model, door, X, Y)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones(23), r"got sample_weight of shape \(23,\), expected \(24,\)"),
        (np.ones((24, 1)), r"got sample_weight of shape \(24, 1\)"),
        (3.0, r"got sample_weight of shape \(\)"),
        (np.linspace(-1, 1, 24), "negative or not finite"),
        (np.full(24, np.nan), "negative or not finite"),
        (np.full(24, np.inf), "negative or not finite"),
        (np.zeros(24), "0 for every sample"),
        (["a"] * 24, "got text, expected numbers"),
    ],
)
def test_weights_of_samples(backend: Target, bad: Any, message: str) -> None:
    for door in DOORS:
        check(classifier(backend.spec), door, X, Y, bad, (ValueError, TypeError), message)


@pytest.mark.parametrize("door", DOORS)
def test_no_labels(backend: Target, door: str) -> None:
    message = "got objects, expected numbers" if door == "train_step" else r"got X without y, expected both, fit\(X"
    for given in (X, backend.asarray(X), X.tolist()):
        check(classifier(backend.spec), door, given, None, None, TypeError, message)


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
@pytest.mark.parametrize("bad", [0, -1, 1.0, 2.5, True, "3"])
def test_counts(name: str, bad: Any) -> None:
    model = classifier("numpy")
    before = values(model)
    with pytest.raises(ValueError, match=f"got {name}={bad!r}, expected a whole number from 1 up"):
        model.fit(X, Y, **{name: bad})
    np.testing.assert_array_equal(values(model), before)
    good: dict[str, Any] = {name: np.int64(3)}
    assert len(model.fit(X, Y, **good)["loss"]) == (3 if name == "epochs" else 1)


def test_arrays_of_two_libraries_or_devices(backend: Target) -> None:
    elsewhere = strict.Device("device2")
    stranger, message = strict.asarray(Y, device=elsewhere), "array_api_strict on .*device2.*convert it first"
    for door in DOORS:
        check(classifier(backend.spec), door, X, stranger, None, nnxp.BackendMismatchError, message)
        check(classifier(backend.spec), door, X, Y, stranger, nnxp.BackendMismatchError, message)
    for door in ("predict", *DOORS):
        model, x = classifier(backend.spec), strict.asarray(X, device=elsewhere)
        check(model, door, x, Y, None, nnxp.BackendMismatchError, message)
