"""Targets: classes as they are spelled, numbers on a scale that can be learned, and back."""

import json
from typing import Any

import numpy as np
import pytest

from nnxp import DataError
from nnxp.tabular.encoders.target import ClassTarget, NumberTarget, NumberTargets, target_from
from nnxp.tabular.table import Numbers, Words

RNG = np.random.default_rng(0)
NORMAL = RNG.standard_normal(2000)


def words(*texts: str) -> Words:
    different = list(dict.fromkeys(texts))
    return Words(different, np.array([different.index(text) for text in texts], np.int32))


def test_classes_are_spelled_as_they_are_and_in_order() -> None:
    assert ClassTarget.of("y", words("b", "B", "10", "é", "9")).classes == ("10", "9", "B", "b", "é")
    assert ClassTarget.of("y", words("10", "9", "-1", "1.5")).classes == ("-1", "1.5", "9", "10")
    assert ClassTarget.of("y", words("b", "", "a", "N/A", "b")).classes == ("a", "b")
    target = ClassTarget.of("y", Numbers(np.array([2.0, 1.0, np.nan, 10.0])))
    assert target.classes == ("1", "2", "10")
    assert target.encode(words("10", "2", "", "3", "2.0")).tolist() == [2, 1, -1, -1, 1]
    assert (
        target.encode(Numbers(np.array([10.0, np.nan]))).tolist() == [2, -1]
        and target.encode(words()).dtype == np.int64
    )


def test_a_number_is_standardised_and_comes_back() -> None:
    y = 1e9 + 5 * NORMAL
    target = NumberTarget.of("y", y)
    z = target.encode(y)
    assert target.transform == "standard" and abs(z.mean()) < 1e9 / 5 * 2.0**-52 and abs(z.std() - 1) < 1e-9
    np.testing.assert_allclose(target.inverse(np.float32(z)), y, rtol=0, atol=5 * 5 * 2.0**-23)


@pytest.mark.parametrize("unit", [1e300, 1e-300])
def test_units_at_the_ends_of_float64(unit: float) -> None:
    for transform in ("standard", "log"):
        y = np.exp(NORMAL) * unit
        target = NumberTarget.of("y", y, transform)
        z = target.encode(y)
        assert abs(z.std() - 1) < 1e-9
        np.testing.assert_allclose(target.inverse(z), y, rtol=1e-12 if transform == "standard" else 1e-9, atol=0)


LOGARITHMS = {
    "six decades": (10.0 ** RNG.uniform(-3, 3, 2000), True),
    "lognormal": (np.exp(1.0 * NORMAL), True),
    "lognormal, wide": (np.exp(2.0 * NORMAL), True),
    "half a decade": (np.exp(0.5 * NORMAL), False),  # a ratio of 5
    "with a 0": (np.where(np.arange(2000) == 7, 0.0, np.exp(2.0 * NORMAL)), False),
    "negative": (-np.exp(2.0 * NORMAL), False),
    "near 0 for some": (np.maximum(0.01, 2 + NORMAL) ** 3, False),  # its logarithm is as lopsided
    "uniform": (RNG.uniform(1e-6, 1, 2000), False),  # 0.05 to 0.95: a ratio of 19
    "constant": (np.ones(20), False),
}


@pytest.mark.parametrize("kind", LOGARITHMS)
def test_which_targets_are_learned_as_logarithms(kind: str) -> None:
    y, log = LOGARITHMS[kind]
    target = NumberTarget.of("price", y)
    assert target.transform == ("log" if log else "standard")
    assert ("logarithm" in target.sentence) == log and target.sentence.startswith("price")
    np.testing.assert_allclose(target.inverse(target.encode(y)), y, rtol=1e-12, atol=1e-12 * np.abs(y).max())
    for other in ("standard", "none"):
        assert NumberTarget.of("price", y, other).transform == other


def test_the_logarithm_is_the_natural_one_and_of_what_is_below_the_training_s_least() -> None:
    target = NumberTarget.of("y", np.array([1.0, np.e**2]), "log")
    np.testing.assert_allclose((target.mean, target.deviation), (1, 1), rtol=1e-15)
    np.testing.assert_allclose(target.encode(np.array([np.e, 0.0, -5.0])), [0, -1, -1], atol=1e-15)
    assert np.isfinite(target.inverse(np.array([1e6]))).all() and target.inverse(np.array([-1e6])) == 0


def test_its_numbers_are_written_as_all_others_are() -> None:
    target = NumberTarget("cash", "standard", -4870.25, 13125.5, -9000.0)
    assert target.sentence.startswith("cash: is learned, less −4,870 and in units of 13,126 (")


def test_none_is_the_target_itself() -> None:
    target = NumberTarget.of("y", np.array([1.0, 5.0]), "none")
    assert (
        target.encode(np.array([3.0])) == 3 and target.inverse(np.array([3.0])) == 3 and "as it is" in target.sentence
    )


@pytest.mark.parametrize("transform", ["standard", "log", "none"])
def test_predictions_are_held_within_a_margin(transform: str) -> None:
    """The range, wider by a share of it on either side, in the target's own units."""
    y = np.array([1.0, 2.0, 5.0])
    for margin, low, high in ((0.0, 1.0, 5.0), (0.5, -1.0, 7.0)):
        target = NumberTarget.of("y", y, transform, margin)
        assert target.within == (low, high)
        np.testing.assert_allclose(target.inverse(target.encode(y)), y)
        found = target.inverse(np.array([-1e9, 1e9]))
        assert found[1] == high and found[0] == (max(low, 0.0) if transform == "log" else low)
        assert "which are held within" in target.sentence or transform == "none"
    assert NumberTarget.of("y", y, transform).within is None
    assert "within" not in NumberTarget.of("y", y, transform).document()


def test_a_range_beyond_all_numbers_is_held_all_the_same() -> None:
    target = NumberTarget.of("y", np.array([-1.5e308, 0.0, 1.5e308]), "none", 0.5)
    assert target.within == (-np.finfo(np.float64).max, np.finfo(np.float64).max)
    assert json.loads(json.dumps(target.document())) == target.document()


def test_several_targets() -> None:
    Y = np.stack([np.array([1.0, 2.0, 3.0]), np.exp(np.array([0.0, 3.0, 6.0]))], axis=1)
    one, two = NumberTarget.of("a", Y[:, 0], "standard", 0.5), NumberTarget.of("b", Y[:, 1], "log")
    target = NumberTargets("y", (one, two))
    np.testing.assert_array_equal(target.encode(Y), np.stack([one.encode(Y[:, 0]), two.encode(Y[:, 1])], axis=1))
    np.testing.assert_allclose(target.inverse(target.encode(Y)), Y)
    assert target_from(json.loads(json.dumps(target.document()))) == target and target.classes is None
    assert one.sentence in target.sentence and two.sentence in target.sentence


def test_what_cannot_be() -> None:
    with pytest.raises(DataError, match="got -1 in the target 'y', expected numbers above 0 for its logarithm"):
        NumberTarget.of("y", np.array([1.0, -1.0]), "log")
    with pytest.raises(ValueError, match="got target_transform='sqrt', expected one of auto, standard, log, none"):
        NumberTarget.of("y", np.ones(3), "sqrt")


@pytest.mark.parametrize(
    "target",
    [ClassTarget("y", ("a", "ü")), NumberTarget.of("y", np.exp(2 * NORMAL)), NumberTarget.of("y", NORMAL, margin=0.5)],
    ids=str,
)
def test_json_holds_it(target: Any) -> None:
    assert target_from(json.loads(json.dumps(target.document()))) == target


DOCUMENTS: dict[str, dict[str, Any]] = {
    "no task": {"name": "y", "classes": ["a"]},
    "no classes": {"task": "classification", "name": "y"},
    "a class that is a number": {"task": "classification", "name": "y", "classes": [1]},
    "one class twice": {"task": "classification", "name": "y", "classes": ["a", "a"]},
    "a transform that is none": NumberTarget("y", "sqrt", 0.0, 1.0, 0.0).document(),  # type: ignore[arg-type]
    "a deviation of 0": NumberTarget("y", "standard", 0.0, 0.0, 0.0).document(),
    "a mean that is a text": NumberTarget("y", "standard", "0", 1.0, 0.0).document(),  # type: ignore[arg-type]
    "a name that is none": {"task": "classification", "name": None, "classes": ["a"]},
    "a range of one number": NumberTarget("y", "standard", 0.0, 1.0, 0.0).document() | {"within": [1.0]},
    "a range of texts": NumberTarget("y", "standard", 0.0, 1.0, 0.0).document() | {"within": ["0", "1"]},
    "no targets": {"task": "regression", "name": "y", "targets": []},
    "targets of classes": {
        "task": "regression",
        "name": "y",
        "targets": [{"task": "classification", "name": "y", "classes": ["a"]}],
    },
    "targets and more": {"task": "regression", "name": "y", "targets": [], "least": 0.0},
    "too much": {"task": "classification", "name": "y", "classes": ["a"], "more": 1},
}


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_document_of_none_is_refused(what: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        target_from(DOCUMENTS[what])
