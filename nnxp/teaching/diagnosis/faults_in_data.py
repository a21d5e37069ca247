"""Faults of the rows and their labels: a check each."""

import numpy as np

from nnxp.printing import counted
from nnxp.teaching.diagnosis.evidence import Columns, Evidence
from nnxp.teaching.diagnosis.told import Told

LARGE, SMALL = 10.0, 0.1
"""Initial weights are made for inputs of size 1 (He et al. 2015, section 2.2), and the longest stable step of gradient
descent goes with 1/size² (LeCun et al. 1998, "Efficient BackProp", section 5.1): at 10 it is a hundredth."""
SAME = 0.99
"""A column that alone says so much of the label is called the label: the R² at which a table's report warns too."""
NOTHING, RARE = 0.02, 1e-3
"""Labels of which so small a share follows from X are called unrelated, unless a column correlates with them as chance
makes it once in a thousand."""
FEWEST = 50
"""Of fewer rows nothing is said that rests on what follows from them."""
TWINS, SURE = 0.02, 3
"""So many more twins than chance gives are not worth a word, nor are so many standard errors of their share."""
IMBALANCE = 10.0
"""The largest class over the smallest, from which on a network may well ignore the smaller."""
FOUND = 0.5
"""A class of which so many rows are found is not ignored."""


def one_label(e: Evidence) -> Told | None:
    """Nothing can be learned from labels that are all the same."""
    if not e.data.is_constant:
        return None
    rows = counted(e.data.rows, "row")
    return Told(
        1, f"all labels of {rows} are the same", "Look for where y is made: a wrong column, or a filter on the class"
    )


def float_resolution(e: Evidence) -> Told | None:
    """Timestamps and the like, whose differences the dtype rounds away."""
    if not e.data.offsets:
        return None
    column, ratio, left, values = max(e.data.offsets, key=lambda found: found[1])
    what = "the target" if column is None else e.column(column, e.data.width)
    return Told(
        ratio,
        f"{what} has a mean {ratio:,.0f} times its deviation: of {values:,} different values, {e.model.dtype} keeps "
        f"{left:,}",
        "Subtract its mean, in float64, before the network sees it; or take dtype='float64'",
    )


def leak(e: Evidence) -> Told | None:
    """A feature that is the label."""
    column, share = e.data.leak
    if e.data.is_constant or e.data.rows < FEWEST or share < SAME:
        return None
    return Told(
        share,
        f"{e.column(column, e.data.width)} alone predicts the label, {share:.1%} of it",
        "Leave the column out, unless it will be known where the model is used",
    )


def twins(e: Evidence) -> Told | None:
    """Validation rows that are trained on."""
    share, chance = e.data.twins, e.data.twins_by_chance
    if share is None or e.validation is None:
        return None
    error = (chance * (1 - chance) / e.validation.rows) ** 0.5
    if share < chance + max(TWINS, SURE * error):
        return None
    return Told(
        share,
        f"{share:.0%} of the validation rows are rows of X too, label included"
        + (f", where {chance:.0%} would be chance" if chance else ""),
        "Drop duplicates before the rows are divided: the validation loss says nothing of new rows",
    )


def unrelated(e: Evidence) -> Told | None:
    """Labels shuffled against X."""
    share = e.data.reachable
    if e.data.is_constant or e.data.rows < FEWEST or share >= NOTHING or e.data.chance < RARE:
        return None
    if e.validation is not None and e.trained and e.validation.skill >= NOTHING:
        return None
    return Told(
        share,
        f"nearest neighbours and a smooth fit of other rows explain {max(0, share):.1%} of the labels: as if they were "
        "shuffled",
        "Check that X and y were sorted, filtered and shuffled together; else X says nothing of y",
    )


def unscaled_target(e: Evidence) -> Told | None:
    """Values far from what a new network gives, which is about 1."""
    found = e.data.targets
    if found is None or e.data.is_constant:
        return None
    worst = int(np.argmax(found.size))
    size, deviation = float(found.size[worst]), float(found.deviation.max())
    if size <= LARGE and deviation >= SMALL**2:
        return None
    return Told(
        size if size > LARGE else deviation,
        f"the target has mean {found.mean[worst]:.4g} and deviation {found.deviation[worst]:.4g}, where a new network "
        "gives values around 1",
        "Standardise it, (y - y.mean()) / y.std(), and undo that in predictions; or end the network with "
        "Rescaling(scale=deviation, offset=mean) and take StandardisedLoss",
    )


def unscaled_inputs(e: Evidence) -> Told | None:
    """Columns of what enters the first dense layer that are far larger, or all far smaller, than 1."""
    found = e.network.entering
    if found is None or not (wrong := _far_from_one(found)):
        return None
    column, size = wrong
    return Told(
        size,
        f"{e.column(column, len(found.size))} of what enters the first dense layer has mean {found.mean[column]:.4g} "
        f"and deviation {found.deviation[column]:.4g}, where the initial weights are made for values around 1",
        "Standardise the columns by the training rows, (X - mean) / deviation, or begin the network with a Rescaling "
        "or a BatchNorm",
    )


def _far_from_one(columns: Columns) -> tuple[int, float] | None:
    """The column that is too large, or the largest of those that are all too small, and its size."""
    worst = int(np.argmax(columns.size))
    size = float(columns.size[worst])
    return (worst, size) if size > LARGE or 0 < size < SMALL else None


def ignored_imbalance(e: Evidence) -> Told | None:
    """A class with few rows beside another with many, and nothing done about it."""
    counts = e.data.counts
    if counts is None or (counts > 0).sum() < 2 or getattr(e.model.loss, "class_weight", None) is not None:
        return None
    smallest = int(np.argmin(np.where(counts > 0, counts, counts.max() + 1)))
    ratio = counts.max() / counts[smallest]
    if ratio < IMBALANCE:
        return None
    recall = float("nan") if e.network.recalls is None else float(e.network.recalls[smallest])
    share = counts[smallest] / counts.sum()
    text = f"{e.class_name(smallest)} has {share:.1%} of the rows, the largest {ratio:.0f} times as many"
    if e.trained and recall >= FOUND:
        e.remarks.append(f"{text}; {recall:.0%} of its rows are found all the same.")
        return None
    found = f", and {recall:.0%} of its rows are found" if e.trained and recall == recall else ""
    return Told(
        ratio,
        text + found,
        "Give the loss class_weight=, the reciprocals of the shares say, and judge by each class's recall, not by "
        "accuracy",
    )
