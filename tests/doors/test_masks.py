"""`numpy.ma`: what is masked is refused, wherever a mask would be dropped; where nothing is masked it is taken."""

from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Dense, Sequential

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = 2 * X[:, 0]


def masked(x: Any, at: Any = 3) -> Any:
    mask = np.zeros(np.shape(x), bool)
    mask[at] = True
    return np.ma.masked_array(x, mask)


class Gives:
    """A data set's column, which NumPy reads by `__array__`."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.array


def regression() -> Sequential:
    return Sequential([Dense(3, 1)], "mean_squared_error", seed=0)


CASES = {
    "X": (masked(X), Y, None),
    "X in a list": ([masked(row, 1) if i == 2 else row for i, row in enumerate(X)], Y, None),
    "X of a data set": (Gives(masked(X)), Y, None),
    "y": (X, masked(Y), None),
    "weights": (X, Y, masked(np.ones(12))),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_masked_is_refused(name: str) -> None:
    x, y, w = CASES[name]
    for call in (
        lambda: regression().fit(x, y, sample_weight=w),
        lambda: regression().train_step(x, y, w),
        lambda: regression().evaluate(x, y, sample_weight=w),
    ):
        with pytest.raises(ValueError, match=r"got masked .*expected a number in every place.*\.filled"):
            call()


@pytest.mark.parametrize("name", ["X", "y", "weights"])
def test_the_estimators_refuse_it(name: str) -> None:
    pytest.importorskip("sklearn", reason="estimators need scikit-learn")
    x, y, w = CASES[name]
    with pytest.raises(ValueError, match="got masked"):
        nnxp.MLPRegressor(max_iter=1).fit(x, y, sample_weight=w)


def test_where_nothing_is_masked_it_is_taken() -> None:
    model, twin = regression(), regression()
    history = model.fit(np.ma.masked_array(X), np.ma.masked_array(Y))
    assert history["loss"] == twin.fit(X, Y)["loss"]
    np.testing.assert_array_equal(model.predict(np.ma.masked_array(X)), twin.predict(X))
    assert type(model.predict(np.ma.masked_array(X))) is np.ndarray


def test_sparse_arrays_are_told_how_to_become_dense() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy's sparse arrays")
    with pytest.raises(TypeError, match=r"got a sparse csr_array, expected a dense array: X\.toarray\(\)"):
        regression().fit(sparse.csr_array(X), Y)
