"""The diagnosis of a training, for its summary, from which its report and the terminal have it."""

from typing import Any

from nnxp.cli.tables import Prepared
from nnxp.data import Dataset
from nnxp.sequential import Sequential
from nnxp.teaching.diagnosis import diagnose

Found = list[dict[str, Any]]


def diagnosed(model: Sequential, dataset: Dataset, table: Prepared | None, has_split: bool) -> tuple[Found, str]:
    """The findings as `summary.json` has them; or the line that says why there are none, which is no reason to lose a
    trained model. `has_split`: whether the rows that were followed are some of the data set's own."""
    try:
        given = {"X": dataset.X, "y": dataset.y, "validation_data": (dataset.X_test, dataset.y_test)}
        if table is not None:
            given = table.given()
            del given["sample_weight"]
        elif has_split:
            del given["validation_data"]
        return [finding.document() for finding in diagnose(model, **given)], ""
    except Exception as error:
        return [], f"no diagnosis: making it failed ({type(error).__name__}: {error})"
