"""What scikit-learn asks of a transformer, without scikit-learn."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nnxp.doors.describing import parameters_of
from nnxp.errors import hint


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
