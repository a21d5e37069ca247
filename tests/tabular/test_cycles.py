"""What moments become: days, and places in the day, the week and the year."""

import datetime as dt
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnxp.tabular.kinds.cycles import CYCLES, Parts, cosine, parts_of, sine


def moments(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


def test_only_what_varies_is_a_cycle() -> None:
    assert parts_of(moments("2020-01-06", "2020-01-13", "2020-01-20")).cycles == ("day of year",)  # Mondays
    assert parts_of(moments("2019-01-01", "2021-01-01", "NaT")).cycles == ("day of week",)  # Tuesday and Friday
    assert parts_of(moments("1970-01-01T03:00", "1970-01-01T04:00")).cycles == ("time of day",)
    assert parts_of(moments("2020-01-06", "NaT")).cycles == () == parts_of(moments("NaT")).cycles
    assert parts_of(moments()).cycles == ()


@given(st.lists(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)), min_size=1, max_size=20))
def test_the_numbers_are_those_of_the_calendar(drawn: list[dt.datetime]) -> None:
    values = np.array(drawn, dtype="datetime64[us]")
    first = min(drawn)
    parts = Parts(parts_of(values).origin, tuple(CYCLES))
    found = parts.columns(values)
    for row, moment in zip(found, drawn, strict=True):
        midnight = dt.datetime.combine(moment.date(), dt.time())
        year = 366 if (moment.year % 4 == 0 and moment.year % 100) or moment.year % 400 == 0 else 365
        over = [
            (moment - midnight) / dt.timedelta(days=1),
            moment.weekday() / 7,
            (moment.timetuple().tm_yday - 1) / year,
        ]
        waves = [wave(2 * math.pi * part) for part in over for wave in (math.sin, math.cos)]
        # A few roundings of numbers below 7; of the days one division of whole numbers below 2^53.
        assert row == pytest.approx([(moment - first) / dt.timedelta(days=1), *waves], abs=8 * 2**-52, rel=2**-52)


def test_sine_and_cosine_are_those_of_the_library_and_the_same_bits_everywhere() -> None:
    """By math, whose errors are below 2⁻⁵²; at the quarters of a turn, and in plain Python, where nothing is rounded
    twice: traced, it is what an ONNX file computes."""
    turns = np.concatenate([np.random.default_rng(0).random(50_000), np.arange(0, 366) / 366, np.arange(7) / 7])
    turns = np.concatenate([turns, np.arange(0, 8) / 8, np.nextafter([0.25, 0.5, 0.75, 1.0], 0)])
    for own, theirs in ((sine, math.sin), (cosine, math.cos)):
        found = own(turns)
        assert np.abs(found - [theirs(2 * math.pi * turn) for turn in turns.tolist()]).max() <= 4 * 2**-52
        assert found.tolist() == [own(turn) for turn in turns.tolist()]


def test_the_end_of_a_cycle_is_beside_its_beginning() -> None:
    found = Parts(0, ("time of day",)).columns(moments("2020-01-01T23:59:59", "2020-01-02", "2020-01-02T12"))[:, 1:]
    second = 2 * math.pi / 86400  # the chord of a second, which is shorter than its arc
    assert np.linalg.norm(found[0] - found[1]) <= second and np.linalg.norm(found[1] - found[2]) == pytest.approx(2)


def test_missing_moments_are_missing_numbers_and_names_go_with_columns() -> None:
    values = moments("2020-01-01T12", "NaT", "2021-06-03")
    parts = parts_of(values)
    found = parts.columns(values)
    assert found.dtype == np.float64 and found.shape == (3, len(parts.names("when"))) == (3, 7)
    assert np.isnan(found[1]).all() and np.isfinite(found[[0, 2]]).all() and found[0, 0] == 0
    assert parts.names("when")[:2] == ["when: days", "when: time of day (sin)"]


def test_they_come_back_from_json() -> None:
    parts = parts_of(moments("2020-01-01T12", "2021-06-02"))
    assert Parts.of(json.loads(json.dumps(parts.document()))) == parts
