"""Who is compared: a contender makes an estimator, of a task and a seed, that is fitted on a frame and predicts one.

All are scikit-learn's kind: `fit(frame, y)`, then `predict_proba(frame)` of classes, `predict(frame)` of numbers.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import nnxp
from benchmarks.tabular.tables import CLASSES, is_number
from nnxp.tabular.encoders.columns import ONE_HOT
from nnxp.tabular.encoders.encoder import RARE

Contender = Callable[[str, int], Any]

DATE = r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?Z?)?"
MISSING = "(missing)"
MOST_CATEGORIES = 255
"""Of a column, in HistGradientBoosting."""
HIDDEN = (256, 256)
NUMBERS, WORDS = make_column_selector(dtype_include="number"), make_column_selector(dtype_exclude="number")


class Plain(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Numbers in float64, a missing word as a word, and dates as four numbers: days, month, weekday, day of the year.

    Attributes
    ----------
    dates_ : list of str
        The columns of words that were all dates in the training.
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        words = {name: X[name].dropna() for name in X if not is_number(X[name])}
        self.dates_ = [name for name, texts in words.items() if len(texts) and texts.str.fullmatch(DATE).all()]
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        columns: dict[str, Any] = {}
        for name in X:
            column = X[name]
            if is_number(column):
                columns[name] = column.astype(np.float64)
            elif name in self.dates_:
                date = pd.to_datetime(column, format="ISO8601", utc=True)
                columns[f"{name}: days"] = (date - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
                for part in ("month", "day_of_week", "day_of_year"):
                    columns[f"{name}: {part}"] = getattr(date.dt, part).astype(np.float64)
            else:
                columns[name] = column.fillna(MISSING)
        return pd.DataFrame(columns)


def encoded(model: Any) -> Any:
    """A model on numbers by the median, with an indicator, standardised, and words one-hot."""
    words = OneHotEncoder(
        sparse_output=False, handle_unknown="infrequent_if_exist", max_categories=ONE_HOT + 1, min_frequency=RARE
    )
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return make_pipeline(Plain(), ColumnTransformer([("numbers", numbers, NUMBERS), ("words", words, WORDS)]), model)


def sklearn_mlp(task: str, seed: int) -> Any:
    """scikit-learn's MLP with early stopping."""
    if task == CLASSES:
        return encoded(MLPClassifier(hidden_layer_sizes=HIDDEN, early_stopping=True, random_state=seed))
    network = MLPRegressor(hidden_layer_sizes=HIDDEN, early_stopping=True, random_state=seed)
    return TransformedTargetRegressor(encoded(network), transformer=StandardScaler())


def linear(task: str, seed: int) -> Any:
    """Logistic or ridge regression."""
    return encoded(LogisticRegression(max_iter=1000) if task == CLASSES else Ridge())


class Categories(Plain):
    """As `Plain`, words as pandas' categories, which HistGradientBoosting knows; of too many, their places."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        words = Plain.transform(super().fit(X), X).select_dtypes(exclude="number")
        self.words_ = {name: pd.CategoricalDtype(sorted(words[name].unique())) for name in words}
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        plain = super().transform(X)
        for name, kind in self.words_.items():
            codes = kind.categories.get_indexer(plain[name])  # -1 for a word that the training had not: missing
            few = len(kind.categories) <= MOST_CATEGORIES
            plain[name] = pd.Categorical.from_codes(codes, dtype=kind) if few else np.where(codes < 0, np.nan, codes)
        return plain


def boosting(task: str, seed: int) -> Any:
    """HistGradientBoosting on categories."""
    kind = HistGradientBoostingClassifier if task == CLASSES else HistGradientBoostingRegressor
    return make_pipeline(Categories(), kind(random_state=seed))


def preset(name: str, task: str, seed: int, members: int | None = None) -> Any:
    """A preset of nnxp, perhaps of several members."""
    kind = nnxp.TabularClassifier if task == CLASSES else nnxp.TabularRegressor
    return kind(preset=name, random_state=seed, members=members)


CONTENDERS: dict[str, Contender] = {
    **{f"nnxp {name}": partial(preset, name) for name in ("ensemble", "binned", "realmlp-s", "realmlp", "mlp", "tabm")},
    "nnxp binned x 4": partial(preset, "binned", members=4),
    "sklearn MLP": sklearn_mlp,
    "boosting": boosting,
    "linear": linear,
}
