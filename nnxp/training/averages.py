"""Means of losses and scores, from sums."""

from typing import Any

import numpy as np

from nnxp.losses import Loss


def averages(loss: Loss, total: Any, score: Any, weight: Any, count: Any) -> dict[str, Any]:
    """{"loss": ..., "accuracy" or "rmse": ...} from weighted sums, and the sums of the weights of either; of sums of
    several members, the means of theirs, and "member_loss", a list."""
    losses, means = [a / n if np.all(n) else np.full_like(a, np.nan) for a, n in ((total, weight), (score, count))]
    record = {"loss": float(np.mean(losses)), loss.metric: float(np.mean(means if loss.classifies else means**0.5))}
    return record if np.ndim(losses) == 0 else record | {"member_loss": losses.tolist()}
