"""The units of a regression's target."""

import numpy as np

from nnxp.data.dataset import Array as HostArray
from nnxp.errors import DataError


def target_scale(y: HostArray) -> tuple[list[float], list[float]]:
    """Standard deviation σ and mean μ of each output over the training rows, in float64.

    Raises
    ------
    DataError
        An output is the same in every row.
    """
    columns = y.reshape(len(y), -1).astype(np.float64)
    sigma, mu = columns.std(axis=0), columns.mean(axis=0)
    constant = (columns.max(axis=0) == columns.min(axis=0)) | (sigma < np.finfo(np.float32).tiny)
    if constant.any():
        value = columns[0, int(constant.argmax())]
        raise DataError(f"the target is {value:g} in every training row: there is nothing to learn")
    return sigma.tolist(), mu.tolist()
