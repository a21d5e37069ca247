"""The estimators on the arrays of every library: where results are, of which dtype, and the same numbers."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn.utils._array_api as sklearn_arrays

import nnxp
from tests.estimators.test_estimators import regression
from tests.helpers.matrix import Target
from tests.helpers.models import problem

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("labels", [2, 3])
def test_a_classifier_follows_x(backend: Target, dtype: str, labels: int) -> None:
    X, y = problem(60, dtype)
    y = y % labels
    given = {"hidden_layer_sizes": (16,), "max_iter": 10, "dropout": 0.1, "early_stopping": True, "random_state": 0}
    w = np.linspace(0, 2, 60)
    expected = nnxp.MLPClassifier(**given).fit(X, y, w)
    model = nnxp.MLPClassifier(**given).fit(*(backend.asarray(a) for a in (X, y, w)))
    assert model.model_.dtype == expected.model_.dtype == dtype
    epsilon = float(np.finfo(dtype).eps)
    x = backend.asarray(X)
    backend.assert_close(model.predict_proba(x), expected.predict_proba(X), atol=1000 * epsilon)
    backend.assert_close(model.predict(x), expected.predict(X))
    backend.assert_close(model.predict_log_proba(x), np.log(expected.predict_proba(X)), rtol=1e4 * epsilon)
    backend.assert_close(model.classes_, np.arange(labels))
    for ours, theirs in zip(model.coefs_, expected.coefs_, strict=True):
        backend.assert_close(ours, theirs, atol=1000 * epsilon)
    assert model.score(x, backend.asarray(y), backend.asarray(w)) == pytest.approx(expected.score(X, y, w))
    assert model.validation_scores_ == pytest.approx(expected.validation_scores_)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_regressor_follows_x(backend: Target, outputs: int) -> None:
    X, y = regression(outputs=outputs)
    given = {"hidden_layer_sizes": (8,), "normalization": "layer", "max_iter": 10, "random_state": 0}
    expected = nnxp.MLPRegressor(**given).fit(X, y)
    model = nnxp.MLPRegressor(**given).fit(backend.asarray(X), backend.asarray(y))
    x = backend.asarray(X)
    backend.assert_close(model.predict(x), expected.predict(X), rtol=1e-10)
    assert model.score(x, backend.asarray(y)) == pytest.approx(expected.score(X, y))


def test_y_comes_from_anywhere(backend: Target) -> None:
    X, y = problem(30)
    words = np.array(["one", "two", "three"])[y]
    x = backend.asarray(X)
    model = nnxp.MLPClassifier((8,), max_iter=3, random_state=0).fit(x, words.tolist(), [1.0] * 30)
    assert isinstance(model.predict(x), np.ndarray) and set(model.predict(x)) <= {"one", "two", "three"}
    assert isinstance(model.score(x, words), float)
    expected = nnxp.MLPClassifier((8,), max_iter=3, random_state=0).fit(X, words)
    backend.assert_close(model.predict_proba(x), expected.predict_proba(X), atol=1e-5)
    assert nnxp.MLPRegressor(hidden_layer_sizes=(8,), max_iter=3).fit(x, y).predict(x).shape == (30,)
    truth = backend.asarray(y == 0)
    flags = nnxp.MLPClassifier((8,), max_iter=3, random_state=0)
    backend.assert_close(flags.fit(x, truth).predict(x), flags.fit(X, y == 0).predict(X))


def test_integers_are_float64_unless_the_dtype_is_named(backend: Target) -> None:
    X = np.arange(40).reshape(20, 2) % 7
    y = X[:, 0] > 3
    x = backend.asarray(X)
    one = nnxp.MLPClassifier((4,), max_iter=2).fit(x, y)
    assert one.model_.dtype == "float64"
    two = nnxp.MLPClassifier((4,), max_iter=2, dtype="float32").fit(x, y)
    assert two.model_.dtype == "float32" == str(two.predict_proba(x).dtype).rpartition(".")[2]


def test_a_named_backend_takes_numpys_and_gives_numpys(backend: Target) -> None:
    X, y = problem(30)
    model = nnxp.MLPClassifier((8,), max_iter=3, random_state=0, backend=backend.spec).fit(X, y)
    assert model.model_.backend.name == backend.spec
    for result in (model.predict(X), model.predict_proba(X), model.classes_, model.coefs_[0]):
        assert isinstance(result, np.ndarray)
    expected = nnxp.MLPClassifier((8,), max_iter=3, random_state=0).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-5)
    backend.assert_close(model.predict_proba(backend.asarray(X)), expected, atol=1e-5)  # what is there already


def test_an_array_of_another_library_is_refused(backend: Target) -> None:
    if backend.module == "numpy":
        pytest.skip("NumPy's is no other library")
    X, y = problem(30)
    x = backend.asarray(X)
    model = nnxp.MLPClassifier((8,), max_iter=3).fit(x, y)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        with pytest.raises(nnxp.BackendMismatchError, match=rf"{method}\(\) must use the same namespace"):
            getattr(model, method)(X)
    with pytest.raises(nnxp.BackendMismatchError, match="got X of numpy"):
        model.partial_fit(X, y)
    with pytest.raises(nnxp.BackendMismatchError, match="expected X on numpy"):
        nnxp.MLPClassifier((8,), max_iter=3).fit(X, y).predict(x)
    with pytest.raises(nnxp.BackendMismatchError, match=r"fit\(\) must use the same"):
        model.fit(x, y, X_val=X, y_val=y)
    model.fit(X, y)  # a fit begins anew, wherever X is
    assert isinstance(model.predict(X), np.ndarray)


def test_a_warm_start_in_another_library(backend: Target) -> None:
    X, y = problem(30, "float64")
    x = backend.asarray(X)
    model = nnxp.MLPClassifier((8,), max_iter=3, warm_start=True, random_state=0).fit(x, y)
    expected = backend.to_numpy(model.predict_proba(x))
    model.set_params(learning_rate_init=1e-300).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("shape", "message"), [((5,), r"expected \(samples, features\)"), ((0, 5), "at least one"), ((4, 3), "3 features")]
)
def test_the_door_checks_x_of_any_library(backend: Target, shape: tuple[int, ...], message: str) -> None:
    if backend.module == "numpy":
        pytest.skip("scikit-learn's own check")
    X, y = problem(30)
    model = nnxp.MLPClassifier((8,), max_iter=2).fit(backend.asarray(X), y)
    with pytest.raises(ValueError, match=message):
        model.predict(backend.asarray(np.ones(shape, dtype=np.float32)))
    bad = np.full((2, 5), np.nan, dtype=np.float32)
    with pytest.raises(ValueError, match="NaN or infinity"):
        model.predict(backend.asarray(bad))


def test_what_only_pytorch_has() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nox -s full has it")
    X, y = problem(30)
    x = torch.from_numpy(X)
    model = nnxp.MLPClassifier((8,), max_iter=2).fit(x, torch.from_numpy(y).bfloat16(), torch.ones(30).bfloat16())
    assert set(model.classes_.tolist()) == {0.0, 1.0, 2.0}
    with pytest.raises(TypeError, match=r"sparse tensor.*X.to_dense\(\)"):
        model.fit(x.to_sparse(), y)


def test_inputs_stay_as_they_are(backend: Target) -> None:
    X, y = regression()
    kept: list[Any] = [backend.asarray(a) for a in (X, y, np.ones(40))]
    nnxp.MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, early_stopping=True).fit(*kept)
    for array, original in zip(kept, (X, y, np.ones(40)), strict=True):
        backend.assert_close(array, original)


@pytest.mark.skipif(not hasattr(sklearn_arrays, "move_estimator_to"), reason="needs scikit-learn 1.9")
def test_scikit_learn_moves_an_estimator(backend: Target) -> None:
    X, y = problem(30, "float64")
    x = backend.asarray(X)
    model = nnxp.MLPClassifier((8,), max_iter=3, random_state=0).fit(x, y)
    expected = backend.to_numpy(model.predict_proba(x))
    model.set_params(activation="tanh", hidden_layer_sizes=(4,))  # of a fit to come
    host = sklearn_arrays.move_estimator_to(model, np, "cpu")
    np.testing.assert_allclose(host.predict_proba(X), expected, rtol=1e-12)
    assert isinstance(host.classes_, np.ndarray)
    host.set_params(activation="relu", hidden_layer_sizes=(8,)).partial_fit(X, y)
    backend.assert_close(model.predict_proba(x), expected)  # the one that was moved is as it was
    assert len(host.loss_curve_) == 4 and len(model.loss_curve_) == 3
