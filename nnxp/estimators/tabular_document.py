"""What a model's file says of the table and of the estimator that it was trained by."""

import json
from collections.abc import Mapping
from typing import Any

from nnxp.tabular.encoders.target import Target
from nnxp.tabular.kinds import Decision


def preprocessing_of(estimator: Any, target: Target) -> dict[str, Any]:
    """Of the table as `nnxp train` says it, and beside it "estimator", of a fit that is over."""
    classes = target.classes
    names = getattr(estimator, "feature_names_in_", None)
    known = {name: _plain(value) for name, value in estimator._known().items()}
    return {
        "format": "table",
        "target": target.name,
        "task": "regression" if classes is None else "classification",
        "classes": classes and [*classes],
        "decision": Decision(target.name, "number" if classes is None else "category", "as given", 0).document(),
        "estimator": {
            "parameters": _parameters(estimator),
            "features": estimator.n_features_in_,
            "names": None if names is None else names.tolist(),
            "epochs": estimator.n_iter_,
            "best_epoch": estimator.best_epoch_,
            **{name: value for name, value in known.items() if _is_held(value)},
        },
    }


def _parameters(estimator: Any) -> dict[str, Any]:
    """The parameters that are not as by default, and that JSON holds as they are."""
    defaults = type(estimator)().get_params(deep=False)
    found = {name: _plain(value) for name, value in estimator.get_params(deep=False).items()}
    return {name: value for name, value in found.items() if _is_held(value) and value != _plain(defaults[name])}


def _plain(value: Any) -> Any:
    """A number of Python's for one of NumPy's, and a list for a tuple, a set, an array or an index; within lists and
    dicts too."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value)  # in one order, whatever the process
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _is_held(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False
