"""The encoder: what each kind of column becomes, missing and unknown, there and back, and as scikit-learn uses it."""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import DataError, ModelFileError
from nnxp.tabular import Encoder, Notes
from nnxp.tabular.encoders.target import ClassTarget, NumberTarget
from nnxp.tabular.encoders.words import Vocabulary
from nnxp.tabular.kinds import cycles
from nnxp.tabular.table import Moments, Numbers, Table, Words
from tests.helpers import tables
from tests.helpers.tables import KINDS

NAN = float("nan")


def words(*texts: str) -> Words:
    different = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    return Words([*different], np.array([different[text] for text in texts], np.int32))


def table(**columns: Any) -> Table:
    """Numbers from lists of numbers, words from lists of texts, moments from arrays of them."""
    made: dict[str, Any] = {}
    for name, cells in columns.items():
        if isinstance(cells, np.ndarray):
            made[name] = Moments(cells.astype("datetime64[us]"))
        else:
            made[name] = words(*cells) if isinstance(cells[0], str) else Numbers(np.array(cells, np.float64))
    n = len(next(iter(made.values())))
    return Table("people.csv", made, range(2, n + 2))


DAYS = np.arange("2020-01-01", "2020-01-21", dtype="datetime64[D]").astype("datetime64[us]")
DAYS[3] = np.datetime64("NaT")
PEOPLE = table(
    age=[*range(20, 38), NAN, 40.0],
    smokes=["yes", "no", "", "yes"] * 5,
    sex=["F", "M"] * 10,
    city=["Rome", "Oslo", "Bonn", "?", "Rome"] * 4,
    born=DAYS,
    same=["x"] * 20,
)


def by_name(encoder: Encoder, t: Table, **options: Any) -> dict[str, list[float]]:
    matrix = encoder.transform(t, **options)
    assert matrix.dtype == np.float32 and matrix.flags.c_contiguous and np.isfinite(matrix).all()
    assert matrix.shape == (len(t), len(encoder.feature_names_out)) and matrix.nbytes == encoder.bytes_needed(len(t))
    return dict(zip(encoder.feature_names_out, matrix.T.tolist(), strict=True))


# --- what columns become ---------------------------------------------------------------------------------


def test_numbers_then_flags_then_words_in_the_table_s_order() -> None:
    assert Encoder(rare=1).fit(PEOPLE).feature_names_out == [
        *("age", "born: days"),
        *("age is missing", "smokes", "smokes is missing", "sex=M", "city is missing"),
        *(f"born: {cycle} ({wave})" for cycle in ("day of week", "day of year") for wave in ("sin", "cos")),
        *("born is missing", "city=Bonn", "city=Oslo", "city=Rome"),
    ]


def test_each_kind() -> None:
    got = by_name(Encoder(rare=1).fit(PEOPLE), PEOPLE)
    age = PEOPLE.columns["age"].values  # type: ignore[union-attr]
    low, median, high = np.nanquantile(age, [0.25, 0.5, 0.75])
    z = np.where(np.isnan(age), 0, (age - median) / (high - low))
    np.testing.assert_allclose(got["age"], z / np.sqrt(1 + (z / 3) ** 2), rtol=0, atol=2.0**-23)
    assert got["age is missing"] == [0.0] * 18 + [1.0, 0.0]
    assert got["smokes"] == [1, -1, 0, 1] * 5 and got["smokes is missing"] == [0, 0, 1, 0] * 5
    assert got["sex=M"] == [-1, 1] * 10
    assert got["city=Rome"] == [1, 0, 0, 0, 1] * 4 and got["city=Oslo"] == [0, 1, 0, 0, 0] * 4
    assert got["city is missing"] == [0, 0, 0, 1, 0] * 4
    angle = 2 * np.pi * ((np.arange(20) + 2) % 7) / 7  # 2020 began with a Wednesday
    angle[3] = NAN
    np.testing.assert_allclose(got["born: day of week (sin)"], np.nan_to_num(np.sin(angle)), rtol=0, atol=2.0**-23)
    assert got["born: days"][3] == 0 and np.flatnonzero(got["born is missing"]).tolist() == [3]
    assert (np.diff(got["born: days"][4:]) > 0).all()


@pytest.mark.parametrize("scaling", ["robust", "standard", "quantile", "none"])
def test_only_numbers_are_scaled(scaling: str) -> None:
    got = by_name(Encoder(scaling=scaling, rare=1).fit(PEOPLE), PEOPLE)
    other = by_name(Encoder(rare=1).fit(PEOPLE), PEOPLE)
    different = {name for name in got if got[name] != other[name]}
    assert different == ({"age", "born: days"} if scaling != "robust" else set())


def test_what_becomes_of_each_column_is_said() -> None:
    said = {one.name: one.becomes for one in Encoder(rare=1).fit(PEOPLE).decisions}
    flag = ", 1 column of 0 and 1 (missing)"
    assert said == {
        "age": "1 number" + flag,
        "smokes": "1 column of -1 and 1" + flag,
        "sex": "1 column of -1 and 1",
        "city": "3 columns of 0 and 1" + flag,
        "born": "5 numbers: days, day of week, day of year" + flag,
        "same": "left out",
    }
    codes = {one.name: one.becomes for one in Encoder(rare=1, categories="codes").fit(PEOPLE).decisions}
    assert codes["city"] == "1 column of codes, 0 to 3" and codes["sex"] == "1 column of codes, 0 to 2"


def test_rare_words_are_gathered() -> None:
    t = table(city=["a"] * 6 + ["b"] * 5 + ["c"] * 4 + ["d"] * 3 + ["", "a"], x=[*map(float, range(20))])
    encoder = Encoder(rare=5).fit(t)
    got = by_name(encoder, t)
    assert [name for name in got if "=" in name] == ["city=a", "city=b", "city=other"]
    assert got["city=other"] == [0] * 11 + [1] * 7 + [0, 0]
    assert encoder.decisions[0].becomes.startswith('3 columns of 0 and 1, 2 rare words in one ("other")')
    notes = Notes()
    assert by_name(encoder, table(city=["d", "e"], x=[1.0, 2.0]), notes=notes)["city=other"] == [1, 0]
    assert [*notes] == ["city: 1 of 2 rows hold words not seen in training (e)"]
    alone = Encoder(rare=4).fit(t)  # of one rare word nothing is gained
    assert [name for name in alone.feature_names_out if "=" in name] == ["city=a", "city=b", "city=c", "city=d"]


def test_one_column_is_said_as_one() -> None:
    rows = [{"x": i, "w": "a" if i % 2 else None} for i in range(10)]
    assert Encoder().fit(rows).decisions[1].becomes == "1 column of 0 and 1, 1 column of 0 and 1 (missing)"


def test_of_many_words_the_most_frequent_have_columns() -> None:
    """100 of them, as the docstring says; among equally frequent ones the first in order."""
    counts = {f"w{k:03}": 7 if k >= 95 else 6 for k in range(105)}
    t = table(city=[word for word, n in counts.items() for _ in range(n)], x=[*map(float, range(640))])
    names = [name for name in Encoder().fit(t).feature_names_out if "=" in name]
    assert names == [f"city=w{k:03}" for k in [*range(90), *range(95, 105)]] + ["city=other"]
    assert Encoder(categories="codes").fit(t).codes == {"city": 106}


def test_only_the_words_of_the_rows_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows of a table of many words cost what a few rows cost."""
    t = table(city=[f"w{k:03}" for k in range(150) for _ in range(2)], x=[*map(float, range(300))])
    encoder = Encoder(rare=1).fit(t)
    looked: list[str] = []
    codes = Vocabulary.codes
    monkeypatch.setattr(Vocabulary, "codes", lambda self, texts: looked.extend(texts) or codes(self, texts))
    encoder.transform(t.take(slice(4, 7)))
    assert looked == ["w002", "w003"]


def test_codes() -> None:
    encoder = Encoder(categories="codes", rare=1).fit(PEOPLE)
    names = encoder.feature_names_out
    assert "city is missing" not in names and not any("=" in name for name in names)
    notes = Notes()
    other = table(
        age=[1.0] * 5,
        smokes=["no"] * 5,
        sex=["M", "F", "", "X", "M"],
        city=["Rome", "Oslo", "Bonn", "", "Pa"],
        born=DAYS[:5],
    )
    got = by_name(encoder, other, notes=notes)
    assert got["city"] == [3, 2, 1, 0, 0] and got["sex"] == [2, 1, 0, 0, 2]
    assert encoder.codes == {"sex": 3, "city": 4} and len(notes) == 2


def test_words_come_in_the_order_of_numbers_where_they_are_numbers() -> None:
    encoder = Encoder(kinds={"floor": "category"}).fit(table(floor=[10.0, 9.0, -1.0] * 9))
    assert encoder.feature_names_out == ["floor=-1", "floor=9", "floor=10"]
    spelled = by_name(encoder, table(floor=["9", "9.0", "10", "x"]))  # as another reader may have it
    assert spelled["floor=9"] == [1, 1, 0, 0] and spelled["floor=10"] == [0, 0, 1, 0]
    versions = Encoder(kinds={"v": "category"}).fit(table(v=["1.1", "1.10", "x"] * 9))
    assert by_name(versions, table(v=["1.10", "1.1", "1.100"])) == {
        "v=1.1": [0, 1, 1],
        "v=1.10": [1, 0, 0],
        "v=x": [0, 0, 0],
    }


def test_what_was_not_missing_in_training_may_be_missing_later() -> None:
    encoder = Encoder(rare=1).fit(table(x=[1.0, 2.0, 5.0, 9.0], w=["a", "b", "c", "a"]))
    assert encoder.feature_names_out == ["x", "w=a", "w=b", "w=c"]
    assert encoder.transform(table(x=[NAN], w=["N/A"])).tolist() == [[0, 0, 0, 0]]


def test_the_test_part_teaches_nothing() -> None:
    rows = np.arange(20)
    one = Encoder(rare=1).fit(PEOPLE.take(rows[:12]))
    other = Encoder(rare=1).fit(PEOPLE.take(rows[:12]))
    other.transform(PEOPLE)
    assert pickle.dumps(one.state()) == pickle.dumps(other.state())


# --- prediction ------------------------------------------------------------------------------------------


def test_columns_are_found_by_name_and_extra_ones_passed_over_and_said_once() -> None:
    encoder = Encoder(rare=1).fit(PEOPLE)
    turned = Table("new.csv", {"id": PEOPLE.columns["age"], **dict([*PEOPLE.columns.items()][::-1])}, PEOPLE.lines)
    notes = Notes()
    np.testing.assert_array_equal(encoder.transform(turned, notes=notes), encoder.transform(PEOPLE))
    assert [*notes] == ["id: passed over, since the training had no such column"]
    encoder.target = ClassTarget("id", ("a",))
    encoder.transform(turned, notes=notes)
    assert len(notes) == 1
    dropping = Encoder(drop=["age"]).fit(PEOPLE)
    dropping.transform(PEOPLE, notes=notes)  # a dropped one is no news
    assert len(notes) == 1 and "age" not in dropping.feature_names_out


def test_cells_that_do_not_fit_are_counted_and_named() -> None:
    encoder = Encoder(rare=1).fit(PEOPLE)
    texts = ["Paris", "Lima", "Rome", "Kyiv", "Lagos", "Paris"]
    born = ["2020-01-05", "soon", "", "2020-01-06", "soon", "-"]
    smokes = ["yes", "perhaps", "no", "", "no", "no"]
    strange = table(age=["30", "old", "", "?", "31", "32"], smokes=smokes, sex=["F"] * 6, city=texts, born=born)
    notes = Notes()
    got = by_name(encoder, strange, notes=notes)
    assert [*notes] == [
        "age: 1 of 6 rows hold what is no number, and count as missing (old)",
        "smokes: 1 of 6 rows hold neither of the two words, and count as missing (perhaps)",
        "city: 5 of 6 rows hold words not seen in training (Paris, Lima, Kyiv and 1 more)",
        "born: 2 of 6 rows hold what is no date, and count as missing (soon)",
    ]
    assert got["age is missing"] == [0, 1, 1, 1, 0, 0] and got["city=Rome"] == [0, 0, 1, 0, 0, 0]
    assert [sum(got[f"city={word}"]) for word in ("Bonn", "Oslo")] == [0, 0] and sum(got["city is missing"]) == 0
    assert got["smokes"] == [1, 0, -1, 0, -1, -1] and got["born is missing"] == [0, 1, 1, 0, 1, 1]


def test_of_two_words_a_third_is_between_them() -> None:
    encoder = Encoder().fit(table(sex=["F", "M"] * 10))
    assert encoder.transform(table(sex=["M", "X", "", "F"])).tolist() == [[1], [0], [0], [-1]]


def test_a_lacking_column_is_named_with_what_was_perhaps_meant() -> None:
    encoder = Encoder().fit(PEOPLE)
    columns = {
        ("City" if name == "city" else name): column for name, column in PEOPLE.columns.items() if name != "same"
    }
    with pytest.raises(DataError, match=r"new\.csv lacks the column 'city', .*did you mean 'City'\?; expected age, "):
        encoder.transform(Table("new.csv", columns, PEOPLE.lines))
    with pytest.raises(DataError, match="lacks the columns smokes, sex, city, born,"):
        encoder.transform(table(age=[1.0]))


def test_no_rows() -> None:
    encoder = Encoder(rare=1).fit(PEOPLE)
    assert encoder.transform(PEOPLE.take(slice(0, 0))).shape == (0, len(encoder.feature_names_out))
    with pytest.raises(DataError, match=r"people\.csv has no rows"):
        Encoder().fit(PEOPLE.take(slice(0, 0)))


def test_what_cannot_be() -> None:
    with pytest.raises(DataError, match=r"no column to learn from \(a \(constant\)\)"):
        Encoder().fit(table(a=["x"] * 9))
    with pytest.raises(ValueError, match="learned nothing, expected encoder.fit"):
        Encoder().transform(PEOPLE)
    for options, message in (
        ({"scaling": "minmax"}, "got scaling='minmax', expected one of robust, standard, quantile, none"),
        ({"categories": "target"}, "got categories='target', expected one of onehot, codes"),
        ({"rare": 0}, "got rare=0, expected a whole number from 1 up"),
    ):
        with pytest.raises(ValueError, match=message):
            Encoder(**options).fit(PEOPLE)


def test_a_wide_table() -> None:
    numbers = {f"x{i}": [i + 2.0, 1.0, NAN] for i in range(500)}
    wide = table(**numbers, **{f"w{i}": ["a", "b", "a"] for i in range(500)})
    encoder = Encoder(rare=1).fit(wide)
    got = by_name(encoder, wide)
    assert len(got) == 1500 and encoder.feature_names_out[499] == "x499"
    assert all(got[f"w{i}=b"] == [-1, 1, -1] and got[f"x{i}"][0] > 0 for i in range(500))


# --- there and back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["robust", "standard", "quantile", "none"])
@pytest.mark.parametrize("categories", ["onehot", "codes"])
def test_through_a_model_s_file_bit_by_bit(scaling: str, categories: str, tmp_path: Path) -> None:
    encoder = Encoder(scaling=scaling, categories=categories, rare=1, drop=["same"], kinds={"sex": "category"})
    encoder.fit(PEOPLE)
    encoder.target = NumberTarget.of("income", np.geomspace(1, 1e6, 30))
    expected = encoder.transform(PEOPLE)
    model = nnxp.Sequential([nnxp.Dense(expected.shape[1], 1)], "mean_squared_error", seed=0)
    assert Encoder.of(model) is None
    model.encoder = encoder.state()
    model.save(tmp_path / "m.safetensors")
    loaded = Encoder.of(nnxp.load(tmp_path / "m.safetensors"))
    assert loaded is not None and loaded.transform(PEOPLE).tobytes() == expected.tobytes()
    assert (loaded.decisions, loaded.target, loaded.codes) == (encoder.decisions, encoder.target, encoder.codes)
    assert loaded.feature_names_out == encoder.feature_names_out and loaded.get_params() == encoder.get_params()
    assert json.dumps(loaded.state()[0]) == json.dumps(encoder.state()[0])
    assert pickle.loads(pickle.dumps(encoder)).transform(PEOPLE).tobytes() == expected.tobytes()


def test_what_is_no_encoder_s_state_is_refused() -> None:
    """Every value of the document, and every array, exchanged for what does not belong there: refused, or an encoder
    that says in words what it is."""
    config, tensors = Encoder(scaling="quantile", rare=1).fit(PEOPLE).state()
    text = json.dumps(config)
    refused = 0

    def places(value: Any) -> Any:
        for key in [*value] if isinstance(value, dict) else range(len(value)):
            yield value, key
            if isinstance(value[key], dict | list):
                yield from places(value[key])

    count = len([*places(config)])
    for number in range(count):
        for other in (None, -1, 1e300, "x", [], {}, [None], {"a": 1}):
            wrong = json.loads(text)
            parent, key = [*places(wrong)][number]
            parent[key] = other
            try:
                encoder = Encoder.from_state(wrong, tensors)
            except ModelFileError:
                refused += 1
            else:
                assert all(isinstance(name, str) for name in encoder.feature_names_out)
    assert refused > 2 * count
    for name in tensors:
        for a in (np.zeros(0), tensors[name] * np.nan, tensors[name][:1], tensors[name].astype(np.float32)):
            with pytest.raises(ModelFileError, match="its encoder is none of version 1"):
                Encoder.from_state(json.loads(text), tensors | {name: a})
    with pytest.raises(ModelFileError, match="its encoder has version 2, expected 1: update nnxp"):
        Encoder.from_state(config | {"version": 2}, tensors)


# --- as scikit-learn uses it -----------------------------------------------------------------------------


def test_without_scikit_learn() -> None:
    encoder = Encoder(rare=3)
    assert encoder.set_params(rare=1, scaling="none") is encoder and encoder.get_params()["rare"] == 1
    assert repr(encoder) == "Encoder(scaling='none', rare=1)"
    with pytest.raises(
        ValueError, match="got the parameter 'scale', expected one of kinds, .*; did you mean 'scaling'"
    ):
        encoder.set_params(scale=1)
    assert (encoder.fit_transform(PEOPLE) == encoder.transform(PEOPLE)).all()
    names = encoder.get_feature_names_out()
    assert names.dtype == object and names.tolist() == encoder.feature_names_out
    assert encoder.fit(PEOPLE, [1]) is encoder


def test_it_loads_no_scikit_learn() -> None:
    import subprocess

    code = "import sys, nnxp.tabular; sys.exit(any(name in sys.modules for name in ('sklearn', 'pandas', 'polars')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_in_a_pipeline() -> None:
    sklearn = pytest.importorskip("sklearn", reason="needs scikit-learn")
    pandas = pytest.importorskip("pandas", reason="a frame")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.utils.validation import check_is_fitted

    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"x": rng.standard_normal(120), "w": rng.choice([*"abc"], 120)})
    y = (frame["x"] + (frame["w"] == "b") > 0.3).to_numpy()
    encoder = Encoder(kinds={"w": "category"})
    twin = sklearn.base.clone(encoder)
    assert twin is not encoder and twin.get_params() == encoder.get_params()
    with pytest.raises(sklearn.exceptions.NotFittedError):
        check_is_fitted(encoder)
    pipeline = make_pipeline(encoder, LogisticRegression())
    assert cross_val_score(pipeline, frame, y, cv=3).min() > 0.9
    search = GridSearchCV(pipeline, {"encoder__scaling": ["robust", "quantile"]}, cv=2).fit(frame, y)
    assert search.predict(frame[["w", "x"]]).shape == (120,)
    check_is_fitted(pipeline.fit(frame, y))
    assert pipeline[:-1].get_feature_names_out().tolist() == ["x", "w=a", "w=b", "w=c"]
    assert encoder.__sklearn_tags__().input_tags.allow_nan


@pytest.mark.parametrize("form", ["pandas", "polars"])
def test_what_comes_out_may_be_a_frame(form: str) -> None:
    library = pytest.importorskip(form, reason="the frame that is asked for")
    encoder = Encoder(rare=1)
    assert encoder.set_output(transform=form) is encoder
    made = [
        encoder.fit_transform(PEOPLE),
        encoder.transform(PEOPLE.take(slice(0, 2))),
        encoder.set_output().transform(PEOPLE),
    ]
    assert all(isinstance(frame, library.DataFrame) for frame in made)
    assert [len(frame) for frame in made] == [len(PEOPLE), 2, len(PEOPLE)]
    for frame in made:
        assert list(frame.columns) == encoder.feature_names_out
        assert all("float32" in str(dtype).lower() for dtype in frame.dtypes)
    array = encoder.set_output(transform="default").transform(PEOPLE)
    assert isinstance(array, np.ndarray) and (np.asarray(made[0]) == array).all()


def test_a_frame_of_pandas_keeps_its_index_and_scikit_learn_its_choice() -> None:
    sklearn = pytest.importorskip("sklearn", reason="needs scikit-learn")
    pandas = pytest.importorskip("pandas", reason="a frame")
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline

    frame = pandas.DataFrame({"x": [1.0, 2.5, 4.0], "z": [3.0, 1.0, 2.0]}, index=[7, 3, 5])
    encoder = Encoder().set_output(transform="pandas")
    twin = sklearn.base.clone(encoder)
    for made in (encoder.fit_transform(frame), encoder.transform(frame), twin.fit_transform(frame)):
        assert made.index.tolist() == [7, 3, 5]
    pipeline = make_pipeline(make_column_transformer((Encoder(), ["z"]), remainder="drop")).set_output(
        transform="pandas"
    )
    made = pipeline.fit_transform(frame)
    assert list(made.columns) == ["encoder__z"] and made.index.tolist() == [7, 3, 5]


def test_another_output_than_there_is() -> None:
    with pytest.raises(ValueError, match="got transform='arrow', expected one of default, pandas, polars"):
        Encoder().set_output(transform="arrow")


# --- what published networks ask for ------------------------------------------------------------------------


def mixed(n: int = 60) -> list[dict[str, object]]:
    """Numbers, yes and no, two words, three words and twelve words, some cells missing."""
    rng = np.random.default_rng(3)
    towns = [f"town {k:02}" for k in range(12)]
    return [
        {
            "size": float(rng.normal()) if i % 7 else None,
            "new": ("yes", "no")[int(rng.random() < 0.3)],
            "side": ("left", "right")[int(rng.random() < 0.4)],
            "color": ("blue", "green", "red")[int(rng.integers(3))],
            "town": towns[i % 12],
        }
        for i in range(n)
    ]


def scaled_by_hand(x: Any) -> Any:
    """RealMLP's scaling of a column (arXiv 2407.04491), from its equations."""
    lower, median, upper = np.quantile(x, [0.25, 0.5, 0.75])
    f = 1 / (upper - lower) if upper > lower else 2 / (x.max() - x.min()) if x.max() > x.min() else 0.0
    z = (x - median) * f
    return z / np.sqrt(1 + (z / 3) ** 2)


def test_every_column_may_be_scaled_but_codes() -> None:
    rows = mixed()
    plain, encoder = Encoder(rare=1, categories=8).fit(rows), Encoder(rare=1, categories=8, scaling_of="all").fit(rows)
    assert encoder.feature_names_out == plain.feature_names_out
    before, after, codes = plain.transform(rows), encoder.transform(rows), encoder.feature_names_out.index("town")
    others = [j for j in range(before.shape[1]) if j not in (0, codes)]
    np.testing.assert_array_equal(after[:, [0, codes]], before[:, [0, codes]])
    by_hand = np.stack([scaled_by_hand(before[:, j].astype(np.float64)) for j in others], axis=1)
    np.testing.assert_allclose(after[:, others], by_hand, rtol=2 * np.finfo(np.float32).eps)
    np.testing.assert_array_equal(encoder.transform(rows[5:6])[0], after[5])  # learned, not of these rows


def test_words_of_more_than_so_many_values_are_codes() -> None:
    rows = mixed()
    encoder = Encoder(rare=1, categories=8).fit(rows)
    assert encoder.codes == {"town": 13} and encoder.numbers == 1
    assert encoder.feature_names_out[-3:] == ["color=blue", "color=green", "color=red"]
    town = encoder.transform(rows)[:, encoder.feature_names_out.index("town")]
    np.testing.assert_array_equal(town, np.arange(60) % 12 + 1)
    assert encoder.transform([{**rows[0], "town": "Rome"}, {**rows[0], "town": None}])[
        :, encoder.feature_names_out.index("town")
    ].tolist() == [0, 0]


@pytest.mark.parametrize("options", [{"scaling_of": "all"}, {"categories": 2}, {"scaling_of": "all", "categories": 8}])
def test_such_an_encoder_comes_back_from_its_state(options: dict[str, Any]) -> None:
    encoder = Encoder(**options).fit(mixed())
    config, tensors = encoder.state()
    twin = Encoder.from_state(json.loads(json.dumps(config)), tensors)
    np.testing.assert_array_equal(twin.transform(mixed(9)), encoder.transform(mixed(9)))
    assert twin.codes == encoder.codes and "scaling_of" not in Encoder().fit(mixed()).state()[0]
    tensors["median"] = tensors["median"][:-1]
    with pytest.raises(ModelFileError, match="shapes"):
        Encoder.from_state(config, tensors)


def test_the_options_say_what_they_take() -> None:
    with pytest.raises(ValueError, match="got scaling_of='some', expected one of numbers, all"):
        Encoder(scaling_of="some").fit(mixed())
    with pytest.raises(ValueError, match="got categories='words', expected one of onehot, codes, or how many words"):
        Encoder(categories="words").fit(mixed())
    with pytest.raises(ValueError, match="categories"):
        Encoder(categories=0).fit(mixed())


def test_a_matrix_of_float64_is_not_rounded_before() -> None:
    """A float64 model sees what the encoder computed; states of float32 are as they were before there was a choice."""
    rows = mixed()
    single, double = Encoder().fit(rows), Encoder(dtype="float64").fit(rows)
    x = double.transform(rows)
    assert x.dtype == np.float64 and x.nbytes == double.bytes_needed(len(rows))
    np.testing.assert_array_equal(x.astype(np.float32), single.transform(rows))
    sizes = np.array([np.nan if row["size"] is None else row["size"] for row in rows])
    known = np.where(np.isnan(sizes), np.nanmedian(sizes), sizes)
    lower, median, upper = np.nanquantile(sizes, [0.25, 0.5, 0.75])
    z = (known - median) / (upper - lower)
    np.testing.assert_allclose(x[:, 0], z / np.sqrt(1 + (z / 3) ** 2), rtol=0, atol=8 * np.finfo(np.float64).eps)
    assert "dtype" not in single.state()[0] and double.state()[0]["dtype"] == "float64"
    np.testing.assert_array_equal(Encoder.from_state(*double.state()).transform(rows), x)
    with pytest.raises(ValueError, match="got dtype='float16', expected one of float32, float64"):
        Encoder(dtype="float16").fit(rows)


@pytest.mark.parametrize("scaling", ["robust", "standard", "quantile", "none"])
def test_what_is_scaled_is_rounded_last(scaling: str) -> None:
    """Cycles of dates too, where every column is scaled. A file of before has them rounded first, and the library's
    sine: so it is still computed."""
    options: dict[str, Any] = {"kinds": KINDS, "scaling": scaling, "scaling_of": "all"}
    rows, later = tables.table(), tables.table(seed=1)
    single, double = Encoder(**options).fit(rows), Encoder(dtype="float64", **options).fit(rows)
    np.testing.assert_array_equal(single.transform(later), double.transform(later).astype(np.float32))
    old, config = tables.of_before(single), single.state()[0]
    assert not old._learned[5].parts.exact and single._learned[5].parts.exact  # type: ignore[attr-defined]
    before, j = old.transform(later), single.feature_names_out.index("when: day of week (sin)")
    differs = (before != single.transform(later)).any(axis=0)
    assert all("(sin)" in name or "(cos)" in name for name in np.array(single.feature_names_out)[differs])
    over = cycles.CYCLES["day of week"](later.columns["when"].values)  # type: ignore[union-attr]
    wave = np.where(np.isnan(over), 0, np.sin(2 * np.pi * over)).astype(np.float32).astype(np.float64)
    i = single.numbers + single._others.index(j)
    if scaling == "standard":
        unit, center, factor = (single._scaler.tensors[name][i] for name in ("unit", "center", "factor"))
        np.testing.assert_array_equal(before[:, j], ((wave / unit - center) * factor).astype(np.float32))
    assert config["columns"][5]["parts"]["exact"] is True and old.state()[0]["columns"][5]["parts"]["exact"] is False
