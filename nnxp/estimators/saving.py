"""What a model's file says of the estimator that is saved in it: `preprocessing.estimator`, and beside it how rows of a
file become rows of X."""

from collections.abc import Sequence
from typing import Any

from nnxp.estimators.written import written
from nnxp.losses import StandardisedLoss
from nnxp.sequential import Sequential

OF_THE_PACKAGE = __name__.rpartition(".")[0]


def rows_of(model: Sequential, features: int, names: Sequence[str] | None) -> dict[str, Any]:
    """Of columns of numbers, as `nnxp.data.features` takes it: found by their names, or in an array X.

    Nothing where `nnxp predict` could not say what the estimator predicts: of several labels a row, of one class, and
    of rates, whose logarithms the network gives.
    """
    if model.classes is None and not isinstance(model.loss, StandardisedLoss):
        return {}
    target, task = "y", "regression" if model.classes is None else "classification"
    while names is not None and target in names:
        target += "_"
    answer = {"target": target, "task": task, "classes": model.classes}
    if names is None:
        return {"format": "array", "shape": [features], "dtype": "float64", **answer}
    return {"format": "columns", "columns": [{"name": name} for name in names], **answer}


def document_of(estimator: Any) -> dict[str, Any]:
    """Its parameters that are not as by default, the columns of X, and what it knows of its fit.

    Raises
    ------
    TypeError
        A parameter is nothing that JSON can hold, or the class is not one of ours.
    """
    if not type(estimator).__module__.startswith(OF_THE_PACKAGE):
        raise TypeError(
            f"got a {type(estimator).__name__}, a class of your own, expected one of nnxp's estimators: a file holds "
            "no classes; its network is saved by estimator.model_.save(path)"
        )
    names = getattr(estimator, "feature_names_in_", None)
    known = estimator._known()
    return {
        "parameters": _parameters(estimator, {"backend", *({"class_weight"} & {*known})}),
        "features": estimator.n_features_in_,
        "names": None if names is None else names.tolist(),
        **{name: written(value) for name, value in known.items()},
    }


def _parameters(estimator: Any, left_out: set[str]) -> dict[str, Any]:
    """Those that are not as by default. The backend is left out, since who loads the file says where it computes, and
    so are weights of classes that are said by the labels' own texts."""
    defaults, found = type(estimator)().get_params(deep=False), {}
    for name, value in estimator.get_params(deep=False).items():
        if name in left_out:
            continue
        try:
            if (text := written(value)) != written(defaults[name]):
                found[name] = text
        except (TypeError, RecursionError):
            raise TypeError(
                f"got {name}={value!r:.80}, which a file without pickles cannot hold, expected numbers, texts, and "
                f"lists of them: estimator.set_params({name}={defaults[name]!r}).save(path)"
            ) from None
    return found
