"""Sparse X: what the estimators learn and predict is that of the same X dense, up to the order of the sums."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

import nnxp
from nnxp.doors.sparse import PART, SparseRows
from tests.helpers.matrix import Target

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GENERATOR = np.random.default_rng(0)
DENSE = np.where(GENERATOR.random((60, 30)) < 0.2, GENERATOR.standard_normal((60, 30)), 0.0)
Y = (DENSE[:, 0] > DENSE[:, 1]).astype(int) + (DENSE[:, 2] > 0.1)
FORMATS = [f"{name}_{kind}" for name in ("csr", "csc", "coo", "lil", "dok") for kind in ("array", "matrix")]
CLOSE = {"rtol": 1e-9, "atol": 1e-11}
"""Sums of 30 products in another order, through some 50 steps that do not amplify it by more than 10⁴."""


def of(kind: str, X: Any = DENSE) -> Any:
    return getattr(sparse, kind)(X)


@pytest.fixture(params=[PART, 8 * 60 * 7])
def part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Stretches of all columns, and of a few."""
    monkeypatch.setattr("nnxp.doors.sparse.PART", request.param)
    return int(request.param)


CASES: dict[str, dict[str, Any]] = {
    "plain": {"hidden_layer_sizes": (8,)},
    "none hidden": {"hidden_layer_sizes": ()},
    # not Adam: it makes a step of the rounding that is the gradient of a bias before a normalisation
    "normalised": {"hidden_layer_sizes": (8, 4), "normalization": "batch", "dropout": 0.25, "solver": "sgd"},
    "early": {"early_stopping": True, "validation_fraction": 0.25},
    "in order": {"solver": "sgd", "shuffle": False, "learning_rate": "adaptive"},
    "lbfgs": {"solver": "lbfgs", "activation": "tanh"},
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
@pytest.mark.parametrize("estimator", [nnxp.MLPClassifier, nnxp.MLPRegressor])
def test_a_fit_is_that_of_the_same_numbers_dense(estimator: Any, options: dict[str, Any], part: int) -> None:
    model = estimator(batch_size=16, max_iter=5, random_state=0, **options)
    dense, X = clone(model).fit(DENSE, Y), of("csr_array")
    model.fit(X, Y)
    np.testing.assert_allclose(model.loss_curve_, dense.loss_curve_, **CLOSE)
    np.testing.assert_allclose(model.predict(X), dense.predict(DENSE), **CLOSE)
    assert model.score(X, Y) == pytest.approx(dense.score(DENSE, Y), rel=1e-9)
    assert model.n_features_in_ == 30 and model.coefs_[0].dtype == np.float64
    np.testing.assert_array_equal(X.toarray(), DENSE)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_and_every_method(kind: str) -> None:
    given = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
    model, dense, X = nnxp.MLPClassifier(**given), nnxp.MLPClassifier(**given), of(kind)
    model.partial_fit(X, Y, classes=[0, 1, 2]).partial_fit(of(kind, DENSE[:9]), Y[:9])
    dense.partial_fit(DENSE, Y, classes=[0, 1, 2]).partial_fit(DENSE[:9], Y[:9])
    np.testing.assert_allclose(model.predict_proba(X), dense.predict_proba(DENSE), **CLOSE)
    np.testing.assert_allclose(model.predict_log_proba(X), dense.predict_log_proba(DENSE), **CLOSE)
    w = np.arange(60.0)
    model.set_params(warm_start=True).fit(X, Y, w, X_val=of(kind, DENSE[:20]), y_val=Y[:20])
    dense.set_params(warm_start=True).fit(DENSE, Y, w, X_val=DENSE[:20], y_val=Y[:20])
    np.testing.assert_allclose(model.validation_loss_curve_, dense.validation_loss_curve_, **CLOSE)
    np.testing.assert_array_equal(model.predict(X), dense.predict(DENSE))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_on_any_backend_and_back(backend: Target, dtype: str, part: int) -> None:
    """What is named takes sparse X as it takes NumPy's; results are NumPy's, in X's dtype."""
    X = of("csr_array").astype(dtype)
    given = {"hidden_layer_sizes": (8,), "batch_size": 16, "max_iter": 2, "random_state": 0}
    model = nnxp.MLPClassifier(**given, backend=backend.spec).fit(X, Y)
    dense = nnxp.MLPClassifier(**given).fit(DENSE.astype(dtype), Y)
    assert model.model_.backend.library == nnxp.get_backend(backend.spec).library and model.model_.dtype == dtype
    found = model.predict_proba(X)
    assert isinstance(found, np.ndarray) and found.dtype == dtype
    np.testing.assert_allclose(found, dense.predict_proba(DENSE.astype(dtype)), rtol=1e3 * np.finfo(dtype).eps)


def test_products(part: int) -> None:
    rows = SparseRows(of("csr_array")).on(nnxp.get_backend("numpy"), "float64")
    W, dz = GENERATOR.standard_normal((30, 3)), GENERATOR.standard_normal((60, 3))
    out, dW = np.full((60, 3), np.nan), np.full((30, 3), np.nan)
    assert rows.product(W, out) is out
    rows.gradient(dz, dW)
    np.testing.assert_allclose(out, DENSE @ W, atol=1e-13)
    np.testing.assert_allclose(dW, DENSE.T @ dz, atol=1e-13)
    assert (len([*rows._parts(3)]) == 1) == (part == PART)
    np.testing.assert_array_equal(np.asarray(rows[[3, 1]]), DENSE[[3, 1]])
    assert rows.head().shape[0] == (60 if part == PART else 14)


def test_a_wide_batch_is_never_dense() -> None:
    """Beside parameters, gradients, slots and the copy that a fit goes back to: one dense batch would be 480 MB."""
    n, features = 400, 300_000
    columns = GENERATOR.integers(0, features, n * 50)
    X = sparse.csr_array((GENERATOR.random(n * 50), columns, np.arange(0, n * 50 + 1, 50)), shape=(n, features))
    y = np.arange(n) % 2
    model = nnxp.MLPClassifier((4,), max_iter=1, random_state=0, early_stopping=True)
    clone(model).set_params(early_stopping=False).fit(X[:, :9], y)  # what is imported is not counted
    tracemalloc.start()
    try:
        model.fit(X, y).predict_proba(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    parameters = model.model_.store.values.nbytes
    assert parameters > 8 * 4 * features
    assert peak <= 6 * parameters + 32e6  # of these, one is the best weights'


def test_what_sequential_refuses() -> None:
    layers = [nnxp.Dense(30, 3), "softmax"]
    model = nnxp.Sequential(layers, "categorical_crossentropy", seed=0)
    for call in (lambda X: model.fit(X, Y), model.predict, lambda X: model.evaluate(X, Y)):
        with pytest.raises(TypeError, match=r"got a sparse csr_matrix, expected a dense array: X\.toarray\(\)"):
            call(of("csr_matrix"))


def test_bad_numbers() -> None:
    X = of("csr_array")
    X.data[3] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        nnxp.MLPClassifier((4,)).fit(X, Y)
    X.data[3] = 1e300
    with pytest.raises(ValueError, match=r"got X with numbers up to .*, beyond float32.*float64"):
        nnxp.MLPClassifier((4,), dtype="float32").fit(X, Y)


def test_a_loss_that_is_not_finite_is_explained_without_a_dense_batch(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, dense = SparseRows.__array__, list[int]()
    monkeypatch.setattr(SparseRows, "__array__", lambda x, *given, **how: dense.append(x.shape[0]) or whole(x, *given))
    model = nnxp.MLPRegressor(hidden_layer_sizes=(4,), solver="sgd", learning_rate_init=1e200, random_state=0)
    with pytest.raises(nnxp.NonFiniteLossError, match="the first values that are not finite are"):
        model.fit(of("csr_array"), Y)
    assert dense and max(dense) == (60 if part == PART else 14)


def test_a_checkpoint_may_be_written(backend: Target, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    given = {"max_iter": 2, "callbacks": [nnxp.callbacks.Checkpoint(path)], "random_state": 0}
    model = nnxp.MLPClassifier((4,), backend=backend.spec, **given).fit(of("csr_array"), Y)
    np.testing.assert_allclose(nnxp.load(path).predict(DENSE), model.predict_proba(of("csr_array")), **CLOSE)


def test_what_lies_sparse_on_a_device_is_refused() -> None:
    strange = type("csr_matrix", (), {"__module__": "cupyx.scipy.sparse._csr", "shape": (60, 30)})()
    with pytest.raises(TypeError, match=r"got a sparse csr_matrix, expected a dense array: X\.toarray\(\)"):
        nnxp.MLPClassifier().fit(strange, Y)


def test_words_in_a_pipeline() -> None:
    texts = ["a cat sat", "the dog ran", "a cat ran", "the dog sat", "one cat", "one dog"]
    pipeline = make_pipeline(TfidfVectorizer(), nnxp.MLPClassifier((8,), solver="lbfgs", random_state=0))
    assert pipeline.fit(texts, ["cat", "dog"] * 3).predict(["my cat", "your dog"]).tolist() == ["cat", "dog"]


@pytest.mark.parametrize("estimator", [nnxp.MLPClassifier, nnxp.MLPRegressor])
def test_a_frame_of_sparse_columns_is_sparse_x(estimator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    names = [f"x{i}" for i in range(DENSE.shape[1])]
    frame = pandas.DataFrame.sparse.from_spmatrix(of("csr_matrix"), columns=names)
    model = estimator(hidden_layer_sizes=(8,), batch_size=16, max_iter=5, random_state=0)
    expected = clone(model).fit(of("csr_matrix"), Y)
    monkeypatch.setattr(frame.__class__, "__array__", None)  # it never becomes dense
    model.fit(frame, Y)
    assert model.loss_curve_ == expected.loss_curve_ and list(model.feature_names_in_) == names
    np.testing.assert_array_equal(model.predict(frame), expected.predict(of("csr_matrix")))
