"""Estimators after scikit-learn's conventions, on `nnxp.Sequential`: `MLPClassifier` and `MLPRegressor` of numbers,
`TabularClassifier` and `TabularRegressor` of tables.

They need the extra `sklearn`, and are imported when they are first asked for.
"""

try:
    from nnxp.estimators.classifier import MLPClassifier
    from nnxp.estimators.loading import load_estimator
    from nnxp.estimators.regressor import MLPRegressor
    from nnxp.estimators.tabular_classifier import TabularClassifier
    from nnxp.estimators.tabular_regressor import TabularRegressor
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "sklearn":
        raise
    raise ModuleNotFoundError('estimators need scikit-learn: pip install "nnxp[sklearn]"', name="sklearn") from None

__all__ = ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor", "load_estimator"]
