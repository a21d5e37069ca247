"""Which rows of a table are trained on, and which are held out."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnxp import data, random
from nnxp.errors import DataError
from nnxp.printing import counted
from nnxp.tabular.table import Indices, Table

Parts: TypeAlias = tuple[Indices, Indices]


def drawn(table: Table, rows: int | None, seed: int) -> Table:
    """So many of a table's rows, drawn, in their order; all of them where there are no more."""
    if rows is None or rows >= len(table):
        return table
    return table.take(np.sort(random.permutation(random.key(seed, "split", 4), len(table))[:rows]))


def at_random(labels: NDArray[Any] | int, share: float, seed: int, every: bool = False) -> Parts:
    """A share of the rows, drawn.

    Parameters
    ----------
    labels
        Class indices (n,), of whose classes each is held out by its share, but for one with a single row, which is
        trained on; or a number of rows.
    share
        What is held out.
    seed
        The same gives the same rows.
    every
        Whether a row of a class of which the share is none is held out beside them, so that no class of two rows or
        more is without one.

    Raises
    ------
    DataError
        One part would be empty.

    Examples
    --------
    >>> import numpy as np
    >>> train, held_out = at_random(np.array([0] * 10 + [1] * 5 + [2]), 0.2, seed=0)
    >>> len(train), len(held_out), int(train[-1])
    (13, 3, 15)
    """
    if isinstance(labels, int):
        return data.split(labels, share, seed)
    several = np.flatnonzero(np.bincount(labels)[labels] > 1)
    if not len(several):
        raise DataError(f"got {len(labels)} rows, each of another class, expected two of one at least: bring more rows")
    held_out = several[data.split(labels[several], share, seed)[1]]
    if every:
        order = several[random.permutation(random.key(seed, "split", 5), len(several))]
        classes, first = np.unique(labels[order], return_index=True)
        held_out = np.union1d(held_out, order[first[~np.isin(classes, labels[held_out])]])
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out


def by_group(groups: NDArray[Any], share: float, seed: int) -> Parts:
    """A share of the rows, rows of one group on one side: groups are drawn until the share is reached.

    Parameters
    ----------
    groups
        (n,) the number of each row's group.
    share, seed
        As for `at_random`.

    Raises
    ------
    DataError
        There is one group only.

    Examples
    --------
    >>> import numpy as np
    >>> groups = np.repeat(np.arange(5), 4)
    >>> train, held_out = by_group(groups, 0.2, seed=0)
    >>> len(held_out), len(set(groups[held_out])), set(groups[held_out]) & set(groups[train])
    (4, 1, set())
    """
    numbers, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(numbers) < 2:
        raise DataError("got rows of one group, expected several: nothing could be held out without it")
    order = random.permutation(random.key(seed, "split", 2), len(numbers))
    sizes = np.cumsum(counts[order])
    count = int(np.clip(np.argmin(np.abs(sizes - share * len(groups))) + 1, 1, len(numbers) - 1))
    is_held_out = np.isin(index, order[:count])
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def by_time(moments: NDArray[np.float64], share: float) -> Parts:
    """The last rows; those of one moment are on one side.

    Parameters
    ----------
    moments
        (n,) increasing with time; NaN, where it is not known, is trained on.
    share
        What is held out, at most: rows of the moment at which it begins are trained on.

    Raises
    ------
    DataError
        Nothing is known, or all is of one moment.

    Examples
    --------
    >>> import numpy as np
    >>> by_time(np.array([3.0, 1.0, 2.0, 2.0, np.nan]), 0.25)[1].tolist()
    [0]
    """
    known = moments[~np.isnan(moments)]
    if len(known) == 0 or known.min() == known.max():
        raise DataError("got one moment, expected several to tell the last rows by")
    last = np.quantile(known, 1 - share, method="inverted_cdf")
    is_held_out = moments > (last if last < known.max() else known[known < known.max()].max())
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def folds(labels: NDArray[Any] | int, count: int, seed: int, groups: NDArray[Any] | None = None) -> list[Parts]:
    """Every row held out once, in `count` parts of about one size.

    Parameters
    ----------
    labels
        As for `at_random`: each class is spread over the parts.
    count
        How many parts.
    seed
        The same gives the same parts.
    groups
        (n,) numbers; rows of one group are in one part, whatever their class.

    Raises
    ------
    DataError
        There are fewer rows, or groups, than parts.

    Examples
    --------
    >>> import numpy as np
    >>> [len(held_out) for _, held_out in folds(np.array([0, 1] * 5), 5, seed=0)]
    [2, 2, 2, 2, 2]
    """
    n = labels if isinstance(labels, int) else len(labels)
    if groups is None:
        order = random.permutation(random.key(seed, "split", 3), n)
        if not isinstance(labels, int):
            order = order[np.argsort(labels[order], kind="stable")]
        part = np.empty(n, dtype=np.int64)
        part[order] = np.arange(n) % count
    else:
        _, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
        order = random.permutation(random.key(seed, "split", 3), len(counts))
        parts, sizes = np.empty(len(counts), dtype=np.int64), np.zeros(count, dtype=np.int64)
        for group in order[np.argsort(-counts[order], kind="stable")]:  # the largest first, each where there is least
            parts[group] = np.argmin(sizes)
            sizes[parts[group]] += counts[group]
        part = parts[index]
    if len(np.unique(part)) < count:
        there, what = (n, "row") if groups is None else (len(counts), "group")
        raise DataError(
            f"got {count} parts of {counted(there, what)}, expected one or more in each: take fewer parts, or bring "
            f"more {what}s"
        )
    return [(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(count)]
