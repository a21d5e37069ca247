"""Dates and times in the spellings that people and programs use, against what `datetime` and pandas read."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnxp.tabular.kinds import dates
from nnxp.tabular.kinds.dates import DAYS, Manner

JANUARY = "2020-01-02"
WRITTEN = [
    ("2020-01-02", JANUARY),
    ("2020/01/02", JANUARY),
    ("2020.1.2", JANUARY),
    ("2.1.2020", JANUARY),
    ("01/02/2020", JANUARY),
    ("1/2/2020", JANUARY),
    ("1-2-2020", JANUARY),
    ("1/2/20", JANUARY),
    ("1/2/69", "1969-01-02"),
    ("1/2/68", "2068-01-02"),
    ("02-Jan-2020", JANUARY),
    ("02JAN2020", JANUARY),
    ("2 January 2020", JANUARY),
    ("2. January 2020", JANUARY),
    ("2nd Jan. 2020", JANUARY),
    ("Jan 2, 2020", JANUARY),
    ("January 2nd, 2020", JANUARY),
    ("Thu, 02 Jan 2020 03:04:05 GMT", f"{JANUARY}T03:04:05"),
    ("Thursday, January 2, 2020", JANUARY),
    ("2020-01", "2020-01-01"),
    ("Jan 2020", "2020-01-01"),
    ("2020 Jan", "2020-01-01"),
    ("2020-01-02T03:04:05", f"{JANUARY}T03:04:05"),
    ("2020-01-02 03:04", f"{JANUARY}T03:04"),
    ("2020-01-02T03:04:05.678Z", f"{JANUARY}T03:04:05.678"),
    ("2020-01-02T03:04:05,6", f"{JANUARY}T03:04:05.6"),
    ("2020-01-02 03:04:05.123456789", f"{JANUARY}T03:04:05.123456"),
    ("2020-01-02T03:04:05+01:00", f"{JANUARY}T02:04:05"),
    ("2020-01-02 03:04:05 -0530", f"{JANUARY}T08:34:05"),
    ("2020-01-02 00:30+01", "2020-01-01T23:30"),
    ("1/2/2020 3:04 PM", f"{JANUARY}T15:04"),
    ("1/2/2020, 12:04:05 a.m.", f"{JANUARY}T00:04:05"),
    ("1/2/2020 12:04pm", f"{JANUARY}T12:04"),
    ("2020-02-29", "2020-02-29"),
    ("1899-12-31", "1899-12-31"),
]
NO_DATES = [
    *[
        "2021-02-29",
        "2020-13-01",
        "2020-13",
        "1960-64",
        "2020-00-10",
        "2020-01-00",
        "2020-01-32",
        "2020-1/2",
        "13/13/2020",
        "202001",
        "2020",
    ],
    *[
        "20200102",
        "2020-01-02T24:00",
        "2020-01-02 03:60",
        "2020-01-02 3:04:60",
        "1/2/2020 13:04 PM",
        "1/2/2020 0:04 AM",
    ],
    *["1.2.20", "1.2.10", "192.168.1.1", "Janu 2, 2020", "2 Foo 2020", "now", "today", "soon", "", "12:30", "5 PM"],
    *["2020-01-02 and more", "the 2 January 2020", "２０２０-01-02", "31/04/2020"],
]


@pytest.mark.parametrize(("text", "moment"), WRITTEN, ids=[text for text, _ in WRITTEN])
def test_dates(text: str, moment: str) -> None:
    found = dates.read([text, "soon"], DAYS).values
    assert found.dtype == "datetime64[us]" and found[0] == np.datetime64(moment) and np.isnat(found[1])
    assert dates.manner_of([text]) is not None


def test_in_one_column_they_are_read_at_their_places() -> None:
    texts = [text for text, _ in WRITTEN] * 300  # more than are read at once
    found = dates.read(texts, DAYS)
    np.testing.assert_array_equal(found.values, np.array([moment for _, moment in WRITTEN] * 300, "datetime64[us]"))
    assert found.zoned and not dates.read(["2020-01-02 03:04", "2020-01-02"], DAYS).zoned


@pytest.mark.parametrize("text", NO_DATES)
def test_no_dates(text: str) -> None:
    assert np.isnat(dates.read([text], DAYS).values[0])


@pytest.mark.parametrize(
    ("text", "time"), [("12:30", "12:30"), ("0:05:07.5", "00:05:07.5"), ("1:05 PM", "13:05"), ("12:01 am", "00:01")]
)
def test_times_of_day(text: str, time: str) -> None:
    assert dates.manner_of([text]) == Manner(None, clock=True)
    found = dates.read([text, "2020-01-02", "", "?"], Manner(None, clock=True)).values
    assert found[0] == np.datetime64(f"1970-01-01T{time}") and np.isnat(found[1:]).all()


@pytest.mark.parametrize(
    ("texts", "day_first", "january"),
    [
        (["01/02/2020"], None, True),  # nothing says which: the month
        (["01.02.2020"], None, False),  # between dots the day
        (["01/02/2020", "13/02/2020"], True, False),
        (["01/02/2020", "02/13/2020"], False, True),
        (["01.02.2020", "02.13.2020"], False, True),
        (["01/02/2020 10:00", "13/02/20 11:00"], True, False),
    ],
)
def test_day_or_month_first_is_one_rule_for_the_column(texts: list[str], day_first: bool | None, january: bool) -> None:
    manner = dates.manner_of(texts)
    assert manner == Manner(day_first, clock=False)
    found = dates.read(texts, manner).values.astype("datetime64[D]")
    assert found[0] == np.datetime64("2020-01-02" if january else "2020-02-01") and not np.isnat(found).any()
    assert manner.order(texts[0]) == (", month first" if january else ", day first")
    for asked in (False, True):
        assert dates.manner_of(texts, asked) == Manner(asked, clock=False)


def test_where_cells_contradict_each_other_some_are_no_dates() -> None:
    texts = ["13/01/2020", "01/13/2020"]
    manner = dates.manner_of(texts)
    assert manner is not None and np.isnat(dates.read(texts, manner).values).tolist() == [False, True]


def test_what_is_not_written_like_a_date_is_none() -> None:
    assert dates.manner_of(["yes", "2020-01-02"]) is None and DAYS.order("2020-01-02") == ""


moments = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 30))
FORMS: list[tuple[str, bool | None, Callable[[dt.datetime], dt.datetime]]] = [
    ("%Y-%m-%dT%H:%M:%S.%f", None, lambda moment: moment),
    ("%Y/%m/%d %H:%M:%S", None, lambda moment: moment.replace(microsecond=0)),
    ("%d.%m.%Y %H:%M", True, lambda moment: moment.replace(second=0, microsecond=0)),
    ("%m/%d/%Y %I:%M:%S %p", False, lambda moment: moment.replace(microsecond=0)),
    ("%d-%b-%Y", None, lambda moment: dt.datetime.combine(moment.date(), dt.time())),
    ("%A, %B %d, %Y", None, lambda moment: dt.datetime.combine(moment.date(), dt.time())),
    ("%m/%d/%y", False, lambda moment: dt.datetime.strptime(moment.strftime("%m/%d/%y"), "%m/%d/%y")),
]


@pytest.mark.parametrize(("form", "day_first", "kept"), FORMS, ids=[form for form, _, _ in FORMS])
@given(st.lists(moments, min_size=1, max_size=20))
def test_what_datetime_writes_is_read(
    form: str, day_first: bool | None, kept: Callable[[dt.datetime], dt.datetime], drawn: list[dt.datetime]
) -> None:
    texts = [moment.strftime(form.replace("%Y", f"{moment.year:04}")) for moment in drawn]
    found = dates.read(texts, Manner(day_first, clock=False)).values
    assert found.tolist() == [kept(moment) for moment in drawn]


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_zones_are_as_pandas_reads_them(moment: dt.datetime, minutes: int) -> None:
    text = moment.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes))).isoformat()
    (found,) = dates.read([text], DAYS).values
    assert pd.Timestamp(found) == pd.to_datetime(text, utc=True).tz_localize(None)


@given(st.text(alphabet="0123456789-/.: TZJanuryPMam,+", max_size=24))
def test_any_text_is_a_date_or_none(text: str) -> None:
    for manner in (DAYS, Manner(True, clock=False), Manner(None, clock=True)):
        assert dates.read([text], manner).values.shape == (1,)
