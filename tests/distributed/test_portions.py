"""A training of several processes is that of one."""

import pytest

from nnxp.distributed import Alone
from tests.distributed.cases import CASES, TOLERANCE, compare, outcome
from tests.helpers.crew import together


@pytest.mark.parametrize("name", CASES)
def test_a_training_of_several_is_that_of_one(name: str) -> None:
    case = CASES[name]
    for dtype in case.dtypes:
        expected = outcome(case, dtype, None)
        assert len(expected["losses"]) >= 5 if name == "minimised" else len(expected["losses"]) >= 100
        found = together({"float32": 2, "float64": 3}[dtype], lambda comm, dtype=dtype: outcome(case, dtype, comm))
        assert all((one["weights"] == found[0]["weights"]).all() for one in found)
        assert all(compare(one, found[0], 0.0) == "" for one in found)
        assert compare(found[0], expected, TOLERANCE[dtype]) == "", dtype


def test_one_process_with_a_communicator_has_the_bits_of_one_without() -> None:
    for name in ("dropout", "no weights in a part"):
        alone, plain = (outcome(CASES[name], "float32", comm) for comm in (Alone(), None))
        assert compare(alone, plain, 0.0) == "" and (alone["weights"] == plain["weights"]).all()
