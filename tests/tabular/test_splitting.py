"""Which rows are held out: shares, classes, groups and moments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnxp.errors import DataError
from nnxp.tabular import splitting


def whole(parts: splitting.Parts, n: int) -> None:
    train, held_out = parts
    assert len(train) and len(held_out)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n))


@given(st.lists(st.integers(0, 3), min_size=10, max_size=60), st.integers(0, 5))
def test_at_random_a_single_row_is_trained_on(labels: list[int], seed: int) -> None:
    y = np.array(labels)
    parts = splitting.at_random(y, 0.2, seed)
    whole(parts, len(y))
    counts, held_out = np.bincount(y), np.bincount(y[parts[1]], minlength=y.max() + 1)
    assert np.all(held_out[counts == 1] == 0) and np.all(held_out[counts > 0] < counts[counts > 0])
    several = counts * (counts > 1)
    assert held_out.sum() == round(0.2 * several.sum())
    assert np.all(np.abs(held_out - 0.2 * several) <= 1 + 0.5)  # a rounding of the whole, and one of the class


def test_of_classes_with_one_row_each_nothing_can_be_held_out() -> None:
    with pytest.raises(DataError):
        splitting.at_random(np.arange(9), 0.2, 0)


@given(st.lists(st.integers(0, 7), min_size=5, max_size=80), st.integers(0, 5))
def test_groups_stay_together(groups: list[int], seed: int) -> None:
    g = np.array(groups)
    if len(set(groups)) == 1:
        with pytest.raises(DataError, match="rows of one group"):
            splitting.by_group(g, 0.2, seed)
        return
    parts = splitting.by_group(g, 0.2, seed)
    whole(parts, len(g))
    assert not set(g[parts[0]]) & set(g[parts[1]])
    assert abs(len(parts[1]) - 0.2 * len(g)) <= max(np.bincount(g))  # to one group


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan]), min_size=2, max_size=50))
def test_the_last_rows(moments: list[float]) -> None:
    t = np.array(moments)
    known = t[~np.isnan(t)]
    if len(set(known.tolist())) < 2:
        with pytest.raises(DataError, match="one moment"):
            splitting.by_time(t, 0.2)
        return
    train, held_out = splitting.by_time(t, 0.2)
    whole((train, held_out), len(t))
    before = t[train][~np.isnan(t[train])]
    assert before.max() < t[held_out].min()
    # no more than the share, or the one moment that is the last
    assert len(held_out) <= 0.2 * len(known) or len(set(t[held_out].tolist())) == 1


@pytest.mark.parametrize("grouped", [False, True])
def test_folds(grouped: bool) -> None:
    y, groups = np.repeat([0, 1, 2], [60, 30, 10]), np.arange(100) // 7
    found = splitting.folds(y, 5, 3, groups if grouped else None)
    np.testing.assert_array_equal(np.sort(np.concatenate([held_out for _, held_out in found])), np.arange(100))
    for train, held_out in found:
        whole((train, held_out), 100)
        if grouped:
            assert not set(groups[train]) & set(groups[held_out])
        else:
            assert np.bincount(y[held_out]).tolist() == [12, 6, 2]
    assert len(splitting.folds(7, 7, 0)) == 7
    with pytest.raises(DataError, match="got 8 parts of 7 rows, expected .*: take fewer parts, or bring more rows"):
        splitting.folds(7, 8, 0)
    with pytest.raises(DataError, match="got 16 parts of 15 groups"):
        splitting.folds(y, 16, 0, groups)
    again, other = splitting.folds(y, 5, 3), splitting.folds(y, 5, 4)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(again, splitting.folds(y, 5, 3), strict=True))
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(again, other, strict=True))
