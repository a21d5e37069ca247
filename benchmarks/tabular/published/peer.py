"""pytabkit's networks as contenders."""

import importlib
import warnings
from typing import Any, Self

import pandas as pd
from sklearn.pipeline import make_pipeline

from benchmarks.tabular.contenders import Plain
from benchmarks.tabular.tables import CLASSES

NAMES = {"realmlp-s": "RealMLP_TD_S", "realmlp": "RealMLP_TD"}
"""nnxp's presets, and pytabkit's estimators of the same recipe."""
ENSEMBLE = "TabM_D"


class Filled(Plain):
    """As `Plain`, and a missing number is the training's median, which pytabkit leaves to its users."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        numbers = Plain.transform(super().fit(X), X).select_dtypes("number")
        self.medians_ = numbers.median().fillna(0)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return super().transform(X).fillna(self.medians_.to_dict())


def estimator(name: str, task: str, seed: int, **options: Any) -> Any:
    """pytabkit's estimator, by its name or nnxp's preset's, on one thread, by its defaults but for the options."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytabkit = importlib.import_module("pytabkit")
    kind = getattr(pytabkit, f"{NAMES.get(name, name)}_{'Classifier' if task == CLASSES else 'Regressor'}")
    return make_pipeline(Filled(), kind(device="cpu", n_threads=1, random_state=seed, **options))
