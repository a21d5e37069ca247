"""What scikit-learn asks of a transformer, without scikit-learn."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nnxp.doors.describing import parameters_of
from nnxp.errors import hint
from nnxp.tabular.encoders.scaling import Matrix

FORMS = ("default", "pandas", "polars")
"""What a transformer may give: an array, or a frame of one of these."""


class Transformer:
    """A base class for what `clone`, `Pipeline` and `cross_val_score` take: parameters are attributes."""

    @property
    def feature_names_out(self) -> list[str]:
        """The names of the columns that come out."""
        raise NotImplementedError

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """`feature_names_out` as scikit-learn asks for it."""
        return np.array(self.feature_names_out, dtype=object)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        return {parameter.name: getattr(self, parameter.name) for parameter, _ in parameters_of(type(self))}

    def set_params(self, **parameters: Any) -> Self:
        """Sets parameters by name, for the next `fit`."""
        known = self.get_params()
        for name, value in parameters.items():
            if name not in known:
                raise ValueError(f"got the parameter {name!r}, expected one of {', '.join(known)}{hint(name, known)}")
            setattr(self, name, value)
        return self

    def set_output(self, *, transform: str | None = None) -> Self:
        """What `transform` gives from now on: "default", an array; "pandas" or "polars", a frame whose columns are
        `feature_names_out`, of pandas with the index of the frame that came in; None, what it gave before."""
        if transform is not None:
            if transform not in FORMS:
                raise ValueError(f"got transform={transform!r}, expected one of {', '.join(FORMS)}")
            self._sklearn_output_config = {"transform": transform}  # by this name scikit-learn's `clone` keeps it
        return self

    def _framed(self, matrix: Matrix, X: Any) -> Matrix:
        """The matrix of X as `set_output` has it."""
        form = getattr(self, "_sklearn_output_config", {}).get("transform")
        if form == "pandas":
            import pandas

            index = X.index if isinstance(X, pandas.DataFrame) else None
            matrix = pandas.DataFrame(matrix, index, self.feature_names_out)
        elif form == "polars":
            import polars

            matrix = polars.DataFrame(matrix, self.feature_names_out)
        return matrix

    def __sklearn_is_fitted__(self) -> bool:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags  # it is scikit-learn that asks

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(allow_nan=True, categorical=True, string=True),
        )
