"""Numbers of many cells at once are those of `float`, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnxp.data.spelling import canonical, is_missing, plain
from nnxp.tabular.reading.growing import Growing
from nnxp.tabular.reading.parsing import parse
from nnxp.tabular.table import Numbers, Words

SPELLED = st.from_regex(r"-?(0|[1-9][0-9]{0,16})(\.[0-9]{0,16})?", fullmatch=True)


@given(st.lists(SPELLED | st.just(""), min_size=1, max_size=20))
def test_the_numbers_are_those_of_float(cells: list[str]) -> None:
    found = parse(cells)
    most = max(sum(sign.isdigit() for sign in cell) for cell in cells)
    assert (found is None) == (most > 15)
    if found is not None:
        expected = np.array([float(cell) if cell else np.nan for cell in cells])
        assert found.tobytes() == expected.tobytes()


@given(st.lists(SPELLED | st.text("0123456789.-+eE_ \nnan", max_size=6), min_size=1, max_size=4))
def test_what_is_no_plain_number_is_refused(cells: list[str]) -> None:
    if parse(cells) is not None:
        assert all(cell == "" or plain(cell) is not None for cell in cells)


@given(st.lists(SPELLED | st.sampled_from(["", " 1", "NA", "x", "1.0", "1"]), min_size=1, max_size=12), st.data())
def test_a_column_is_what_its_cells_are_wherever_blocks_end(cells: list[str], data: st.DataObject) -> None:
    """By the rule, cell by cell: numbers where all are, or missing, and one is; else texts, numbers in one spelling."""
    column, rest = Growing(), cells
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        column.add(rest[:size])
        rest = rest[size:]
    found, stripped = column.column(), [cell.strip() for cell in cells]
    values = [plain(text) for text in stripped]
    is_numbers = all(value is not None or is_missing(text) for value, text in zip(values, stripped, strict=True))
    if is_numbers and any(value is not None for value in values):
        assert isinstance(found, Numbers)
        expected = np.array([np.nan if value is None else value for value in values])
        assert found.values.tobytes() == expected.tobytes()
    else:
        assert isinstance(found, Words)
        texts = [found.texts[code] for code in found.codes]
        for text, value, spelled in zip(texts, values, stripped, strict=True):
            assert text == (spelled if value is None else canonical(value))
        assert found.texts == list(dict.fromkeys(texts))


@pytest.mark.parametrize("cells", [["1e5"], ["-"], ["1.2.3"], ["1-2"], ["--1"], ["1\n2"], ["00"], ["."], ["\u0665"]])
def test_other_spellings_are_not_parsed_at_once(cells: list[str]) -> None:
    assert parse(["1", *cells]) is None
