"""The command line on people's own tables: each quirk through train, evaluate and predict; options; what is refused."""

import csv
import gzip
import html.parser
import importlib.util
import io
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import nnxp
from nnxp import plots
from nnxp.cli import account, main, opening, tables
from nnxp.tabular.findings import baselines
from nnxp.tabular.reading import read

SHORT = ("--epochs", "2", "--hidden", "8")
MODEL = "run/model.safetensors"
N = 40


class Said(NamedTuple):
    """What a command printed."""

    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in an empty folder, and draws no picture; a linear model, most of the time, is cut short."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(baselines, "STEPS", 10)
    monkeypatch.setattr(plots, "training", lambda history, path, **rest: Path(path).write_text("picture"))
    return tmp_path


@pytest.fixture
def ok(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command that has to work."""

    def run(*words: object) -> Said:
        capsys.readouterr()
        code = main([*map(str, words)])
        said = Said(*capsys.readouterr())
        assert code == 0, said.err
        return said

    return run


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str], here: Path) -> Callable[..., str]:
    """Runs a command that has to end with exit code 2 and one line, and leave every file as it was; gives the line."""

    def run(*words: object) -> str:
        before = files(here)
        capsys.readouterr()
        code = main([*map(str, words)])
        err = capsys.readouterr().err
        assert code == 2
        assert err.startswith("nnxp: error: ") and err.endswith("\n") and err.count("\n") == 1
        assert "mistake in nnxp" not in err
        assert files(here) == before
        return err

    return run


def files(folder: Path) -> dict[str, bytes | None]:
    """Every file's content and every folder."""
    return {str(p): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def text_of(names: Sequence[str], columns: Sequence[Sequence[object]], sign: str = ",") -> str:
    """CSV."""
    text = io.StringIO()
    csv.writer(text, delimiter=sign, lineterminator="\n").writerows([names, *zip(*columns, strict=True)])
    return text.getvalue()


def write(file: str, **columns: Sequence[object]) -> Path:
    """A CSV file of these columns."""
    path = Path(file)
    path.write_text(text_of([*columns], [*columns.values()]), encoding="utf-8")
    return path


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def train(ok: Command, *words: object, out: str = "run") -> Said:
    return ok("train", *words, *SHORT, "--out", out)


def summary(out: str = "run") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(out, "summary.json").read_text(encoding="utf-8"))
    return document


def weights(out: str = "run") -> bytes:
    """The parameters of a run's model."""
    model = nnxp.load(Path(out, "model.safetensors"), backend="numpy")
    return b"".join(getattr(layer, name).tobytes() for layer in dense(model) for name in ("weights", "biases"))


def dense(model: Any) -> list[Any]:
    """Every layer with weights, those within blocks too."""
    found = []
    for layer in model.layers:
        block = [*getattr(layer, "layers", ()), getattr(layer, "shortcut", None)]
        found += [one for one in (layer, *block) if isinstance(one, nnxp.Dense)]
    assert found
    return found


def kinds(out: str = "run") -> dict[str, str]:
    return {column["name"]: column["kind"] for column in summary(out)["columns"]}


def cycle(*values: object, n: int = N) -> list[Any]:
    """The values over and over."""
    return [values[i % len(values)] for i in range(n)]


def sizes(n: int = N, seed: int = 0) -> list[float]:
    """Numbers with two digits after the point."""
    return [float(x) for x in np.random.default_rng(seed).normal(50, 9, n).round(2)]


# --- the quirks, each through train, evaluate and predict ------------------------------------------------


class Quirk(NamedTuple):
    """A person's table, and what is to be found out about it: its target's values where it has classes."""

    file: str
    content: bytes
    target: str
    kinds: dict[str, str]
    said: tuple[str, ...]
    classes: list[str] | None
    rows: int = N


def comma(numbers: Sequence[float]) -> list[str]:
    return [f"{number:.2f}".replace(".", ",") for number in numbers]


def german() -> Quirk:
    names = ["Nummer_id", "Größe", "Gewicht", "Ort", "Raucher", "geboren", "Klasse"]
    days = [f"{1 + 7 * i % 28:02}.{1 + i % 12:02}.{1960 + i % 30}" for i in range(N)]
    columns = [range(7, 7 + N), comma(sizes()), comma(sizes(seed=1)), cycle("Köln", "Rom", "Fès"),
               cycle("ja", "nein"), days, cycle("groß", "groß", "klein")]  # fmt: skip
    kinds = {
        names[0]: "identifier", "Größe": "number", "Gewicht": "number", "Ort": "category", "Raucher": "category",
        "geboren": "date",
    }  # fmt: skip
    said = ("semicolons between the cells, decimal commas, cp1252", "day first", f"{N} rows, 7 columns")
    return Quirk("g.csv", text_of(names, columns, ";").encode("cp1252"), "Klasse", kinds, said, ["groß", "klein"])


def tabs() -> Quirk:
    times = [f"2023-0{1 + i % 9}-1{i % 9} {i % 24:02}:{i % 60:02}" for i in range(N)]
    columns = [times, cycle("yes", "no", "NO"), cycle("t", "f", ""), sizes(), sizes(seed=3)]
    kinds = {"seen": "date", "smokes": "yes/no", "member": "yes/no", "age": "number"}
    text = text_of(["seen", "smokes", "member", "age", "cost"], columns, "\t")
    return Quirk(
        "t.tsv", text.encode(), "cost", kinds, ("tabs between the cells", "dates like '2023-01-10 00:00'"), None
    )


def said_sign() -> Quirk:
    text = "sep=;\r\n" + text_of(["a", "b", "y"], [sizes(), cycle("u", "v", "w"), cycle("1", "2")], ";")
    kinds = {"a": "number", "b": "category"}
    return Quirk("s.csv", text.encode(), "y", kinds, ("semicolons between the cells, decimal points",), ["1", "2"])


def mark() -> Quirk:
    texts = [f'said "{i}",\nand then, on line {i}, more of it' for i in range(N)]
    text = text_of(["a", "note", "y"], [sizes(), texts, cycle("no", "yes")])
    kinds = {"a": "number", "note": "text"}
    return Quirk(
        "m.csv", text.encode("utf-8-sig"), "y", kinds, ("commas between the cells", f"{N} rows"), ["no", "yes"]
    )


def utf16() -> Quirk:
    text = text_of(["α", "ville", "y"], [sizes(), cycle("Orléans", "Łódź", "東京"), cycle("да", "нет")])
    kinds = {"α": "number", "ville": "category"}
    return Quirk("u.csv", text.encode("utf-16"), "y", kinds, ("utf-16",), ["да", "нет"])


def zipped() -> Quirk:
    people = [f"{1000 + 977 * i:,}" for i in range(N)]
    text = text_of(["people", "a", "y"], [people, cycle("1", "0"), [x / 7 for x in sizes()]])
    kinds = {"people": "number", "a": "yes/no"}
    return Quirk("z.csv.gz", gzip.compress(text.encode()), "y", kinds, ("numbers like '1,000'",), None)


def spellings() -> Quirk:
    columns = {
        "share": [f"{i} %" for i in range(N)],
        "price": [f"${i}.5" for i in range(N)],
        "balance": [f"({i})" if i % 2 else str(i) for i in range(N)],
        "change": [f"−{i}" if i % 3 else f"+{i}" for i in range(N)],
        "rain": [f"{i} mm" for i in range(N)],
        "y": cycle("a", "b"),
    }
    said = ("numbers like '0 %', all in %", "all in $", "numbers like '(1)'", "all in mm")
    text = text_of([*columns], [*columns.values()])
    return Quirk("n.csv", text.encode(), "y", {name: "number" for name in columns if name != "y"}, said, ["a", "b"])


MISSING = ("", "NA", "N/A", "n/a", "#N/A", "null", "NULL", "None", "nan", "NaN", "NaT", "?", "-", ".")


def missing() -> Quirk:
    n = 2 * len(MISSING) + N
    gaps = [*MISSING, *MISSING]
    columns = [
        [*gaps, *sizes(N)],
        [*cycle("Rome", "Fez", n=N), *gaps],
        [*gaps, *(f"2020-0{1 + i % 9}-{1 + i % 28:02}" for i in range(N))],
        [*cycle("yes", "no", n=N), *gaps],
        cycle("a", "b", n=n),
    ]
    kinds = {"size": "number", "city": "category", "day": "date", "ok": "yes/no"}
    text = text_of([*kinds, "y"], columns)
    return Quirk("x.csv", text.encode(), "y", kinds, ("1 column of 0 and 1 (missing)",), ["a", "b"], n)


def a_year() -> Quirk:
    days = (np.datetime64("2021-01-01") + np.arange(365)).tolist()
    american = [f"{day.month}/{day.day}/{day.year}" for day in days]
    text = text_of(["day", "a", "y"], [american, sizes(365), [3 + math.sin(i / 58) for i in range(365)]])
    kinds = {"day": "date", "a": "number"}
    said = ("month first", "numbers: days, day of week")
    return Quirk("d.csv", text.encode(), "y", kinds, said, None, 365)


def postcodes() -> Quirk:
    columns = {
        "id": [f"p{i}" for i in range(N)], "postcode": cycle("01067", "04103", "80331"), "country": ["DE"] * N,
        "empty": [""] * N, "a": sizes(), "y": cycle("x", "y"),
    }  # fmt: skip
    kinds = {"id": "identifier", "postcode": "category", "country": "constant", "empty": "constant", "a": "number"}
    text = text_of([*columns], [*columns.values()])
    return Quirk("p.csv", text.encode(), "y", kinds, ("'DE' in every row", "no value in any row"), ["x", "y"])


def one_of_a_class() -> Quirk:
    text = text_of(["a", "y"], [sizes(), ["rare", *cycle("x", "y", n=N - 1)]])
    return Quirk("o.csv", text.encode(), "y", {"a": "number"}, ("words, 3 different ones",), ["rare", "x", "y"])


def imbalanced() -> Quirk:
    n = 126
    text = text_of(["a", "y"], [sizes(n), cycle("yes", *["no"] * 41, n=n)])
    return Quirk("i.csv", text.encode(), "y", {"a": "number"}, ("Classes of few rows: 'yes'",), ["no", "yes"], n)


def decades() -> Quirk:
    income = [f"{10 ** (1 + 5 * i / N):.4g}" for i in range(N)]
    text = text_of(["a", "income"], [[i + 0.5 for i in range(N)], income])
    return Quirk("l.csv", text.encode(), "income", {"a": "number"}, ("regression", "logarithm"), None)


def names() -> Quirk:
    text = text_of(["a", "a", "", "y"], [sizes(), cycle("u", "v", "w"), sizes(seed=2), cycle("k", "l")])
    kinds = {"a": "number", "a (2)": "category", "column 3": "number"}
    return Quirk("h.csv", text.encode(), "y", kinds, (), ["k", "l"])


def bars() -> Quirk:
    text = text_of(["code", "a b", "y"], [cycle("1.0", "2.50", "x"), sizes(), cycle("3", "7", "11")], "|")
    kinds = {"code": "category", "a b": "number"}
    return Quirk("b.txt", text.encode(), "y", kinds, ("whole numbers, 3 different ones",), ["3", "7", "11"])


QUIRKS = {
    make.__name__: make()
    for make in (
        german,
        tabs,
        said_sign,
        mark,
        utf16,
        zipped,
        spellings,
        missing,
        a_year,
        postcodes,
        one_of_a_class,
        imbalanced,
        decades,
        names,
        bars,
    )
}


@pytest.mark.parametrize("quirk", QUIRKS.values(), ids=QUIRKS)
def test_a_table_of_people_through_train_evaluate_and_predict(quirk: Quirk, ok: Command) -> None:
    Path(quirk.file).write_bytes(quirk.content)
    through(ok, quirk)


def through(ok: Command, quirk: Quirk) -> None:
    """Trains, evaluates and predicts; holds what was said against what is to be found out."""
    said = train(ok, quirk.file, "--target", quirk.target)
    assert said.err == ""
    assert kinds() == quirk.kinds
    flat = " ".join(said.out.split())
    for part in (*quirk.said, f"{quirk.rows:,} rows, "):
        assert part in flat
    document = summary()
    assert (document["task"], document["classes"]) == (
        "regression" if quirk.classes is None else "classification", quirk.classes
    )  # fmt: skip
    assert document["features"] < 30
    counts = [document[f"{part}_samples"] for part in ("training", "validation", "test")]
    assert sum(counts) == quirk.rows and min(counts) > 0

    result = json.loads(ok("evaluate", MODEL, quirk.file, "--json").out)
    assert (result["part"], result["samples"]) == ("held out", counts[2])
    score = "rmse" if quirk.classes is None else "accuracy"
    assert result[score] == pytest.approx(document[f"test_{score}"], rel=1e-6)

    said = ok("predict", MODEL, quirk.file)
    assert said.err == ""
    header, *predictions = rows_of(said.out)
    assert len(predictions) == quirk.rows
    if quirk.classes is None:
        assert header == [quirk.target] and all(math.isfinite(float(row[0])) for row in predictions)
    else:
        assert header == ["class", *(f"p({name})" for name in quirk.classes)]
        assert {row[0] for row in predictions} <= {*quirk.classes}


@pytest.mark.skipif(importlib.util.find_spec("openpyxl") is None, reason="needs openpyxl, of the extra tables")
def test_a_workbook_and_the_sheet_that_is_named(ok: Command, fails: Callable[..., str]) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["nothing"])
    sheet = book.create_sheet("people")
    sheet.append(["age", "city", "y"])
    for row in zip(sizes(), cycle("Rome", "Fez", "Kyiv"), cycle("no", "yes"), strict=True):
        sheet.append(row)
    book.save("p.xlsx")
    said = train(ok, "p.xlsx", "--target", "y", "--sheet", "people")
    assert f"{N} rows, 3 columns" in said.out and kinds() == {"age": "number", "city": "category"}
    assert json.loads(ok("evaluate", MODEL, "p.xlsx", "--sheet", "people", "--json").out)["part"] == "held out"
    assert len(rows_of(ok("predict", MODEL, "p.xlsx", "--sheet", "people").out)) == N + 1
    assert "peple" in fails("predict", MODEL, "p.xlsx", "--sheet", "peple")


def test_what_a_file_is_does_not_depend_on_its_ending(ok: Command, fails: Callable[..., str]) -> None:
    Path("export.dat").write_text("a;b\n1,5;x\n2,5;y\n")
    assert "semicolons between the cells, decimal commas" in ok("train", "export.dat").out
    Path("old.xls").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(99))
    assert "old.xls is a file of Excel of before 2007" in fails("train", "old.xls")
    assert "there is no data set, file or folder 'gone.dat'" in fails("train", "gone.dat")


@pytest.mark.skipif(importlib.util.find_spec("polars") is None, reason="needs polars, of the extra tables")
def test_parquet(ok: Command) -> None:
    import polars

    days = np.datetime64("2021-01-01") + np.arange(N)
    frame = {"age": sizes(), "city": cycle("Rome", "Fez", None), "day": days, "ok": cycle(True, None, False)}
    polars.DataFrame(frame | {"y": cycle("no", "yes")}).write_parquet("p.parquet")
    kinds = {"age": "number", "city": "category", "day": "date", "ok": "yes/no"}
    through(ok, Quirk("p.parquet", b"", "y", kinds, (), ["no", "yes"]))


def test_words_and_numbers_that_the_training_did_not_see_are_predicted_and_said_once(ok: Command) -> None:
    write("t.csv", city=cycle("Rome", "Fez", "Kyiv"), age=sizes(), y=cycle("a", "b"))
    train(ok, "t.csv", "--target", "y")
    write("new.csv", age=["many", "31", "", "1e9"], more=[1, 2, 3, 4], city=["Paris", "Rome", "Paris", "Oslo"])
    said = ok("predict", MODEL, "new.csv")
    assert len(rows_of(said.out)) == 5
    assert said.err.splitlines() == [
        "nnxp: city: 3 of 4 rows hold words not seen in training (Paris, Oslo)",
        "nnxp: age: 1 of 4 rows hold what is no number, and count as missing (many)",
        "nnxp: more: passed over, since the training had no such column",
    ]


# --- options -------------------------------------------------------------------------------------------


def people(name: str = "p.csv", n: int = N) -> Path:
    return write(
        name, town=cycle("Rome", "Fez", "Kyiv", n=n), code=cycle(1, 2, 3, 4, n=n), age=sizes(n),
        size=sizes(n, seed=1), y=cycle("no", "no", "yes", n=n),
    )  # fmt: skip


def test_kind_and_drop(ok: Command) -> None:
    people()
    train(ok, "p.csv", "--target", "y", "--kind", "code=category", "--drop", "size", "--drop", "town")
    assert kinds() == {"code": "category", "age": "number"}
    assert summary()["features"] == 4 + 1
    ok("predict", MODEL, write("new.csv", code=[1, 5], age=[40, 50]))


def test_task(ok: Command, fails: Callable[..., str]) -> None:
    people()
    assert "'town'" in fails("train", "p.csv", "--target", "town", "--task", "regression")
    for task in ("regression", "classification"):
        train(ok, "p.csv", "--target", "code", "--task", task, out=task)
        assert summary(task)["task"] == task
    assert "as asked for" in Path("regression/report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("wild", ["1e9", "-5"])
def test_a_row_of_weight_zero_teaches_nothing(wild: str, ok: Command) -> None:
    numbers = {"age": sizes(), "w": [0, *[1, 2] * 19, 1], "y": sizes(seed=2)}
    write("a.csv", **numbers)
    write("b.csv", **numbers | {"y": [wild, *sizes(seed=2)[1:]]})
    write("c.csv", **numbers | {"w": [1] * N})
    write("test.csv", age=sizes(10), w=[1] * 10, y=sizes(10, seed=3))
    for name in "abc":
        words = ("--target", "y", "--weights", "w", "--test", "test.csv", "--validation-split", "0")
        train(ok, f"{name}.csv", *words, out=name)
        assert kinds(name) == {"age": "number"}
    a, b, c = (ok("predict", f"{name}/model.safetensors", "test.csv").out for name in "abc")
    assert a == b
    assert a != c


def test_day_first(ok: Command) -> None:
    days = [f"0{1 + i % 9}/0{1 + i // 9}/2021" for i in range(N)]  # either way
    write("d.csv", day=days, age=sizes(), y=cycle("a", "b"))
    for option, order in (("--day-first", "day first"), ("--no-day-first", "month first")):
        said = train(ok, "d.csv", "--target", "y", option, "--time", "day", out=option[2:])
        assert order in said.out
        document = json.loads(ok("evaluate", f"{option[2:]}/model.safetensors", "d.csv", "--json").out)
        assert document["part"] == "held out"
        months = {day[3:5] if option == "--day-first" else day[:2] for day in held_out(ok, "d.csv", option[2:], "day")}
        assert min(months) >= max(
            (day[3:5] if option == "--day-first" else day[:2])
            for day in {*days} - {*held_out(ok, "d.csv", option[2:], "day")}
        )


def held_out(ok: Command, file: str, out: str, column: str) -> list[str]:
    """A column's cells in the rows that the model of a run was tested on, by the lines that its report names."""
    lines = read(file, texts=[column])
    words: Any = lines.columns[column]
    tested = [row["row"] for row in summary(out)["findings"]["worst"]]
    by_line = dict(zip(lines.lines, words.codes.tolist(), strict=True))
    return [words.texts[by_line[line]] for line in tested]


def test_what_is_said_of_a_file_goes_before_what_is_found_out(ok: Command) -> None:
    text = text_of(["ä", "b", "y"], [comma(sizes()), cycle("é", "ü", "o"), cycle("a", "b")], ";")
    Path("t.csv").write_bytes(text.encode("cp1252"))
    how = ("--separator", ";", "--decimal", ",", "--encoding", "cp1252")
    train(ok, "t.csv", "--target", "y", *how)
    assert kinds() == {"ä": "number", "b": "category"}
    assert json.loads(ok("evaluate", MODEL, "t.csv", *how, "--json").out)["part"] == "held out"
    train(ok, "t.csv", "--target", "y", "--encoding", "latin-1", "--decimal", ".", out="other")
    assert kinds("other")["b"] == "category"
    assert "ä" in kinds("other")


@pytest.mark.parametrize("scaling", ["robust", "standard", "quantile", "none"])
def test_scaling(scaling: str, ok: Command) -> None:
    people()
    train(ok, "p.csv", "--target", "y", "--scaling", scaling, "--quiet")
    encoder = nnxp.tabular.Encoder.of(nnxp.load(MODEL))
    assert encoder is not None and encoder.scaling == scaling


def test_the_transform_of_the_target(ok: Command) -> None:
    write("t.csv", age=sizes(), y=[10 ** (i / 8) for i in range(N)])
    for transform, logarithm in (("log", True), ("none", False)):
        said = train(ok, "t.csv", "--target", "y", "--target-transform", transform, out=transform)
        assert ("logarithm" in said.out) is logarithm
        assert ("loss and rmse of each epoch, below, are in these units" in said.out) is logarithm
    assert min(float(row[0]) for row in rows_of(ok("predict", "log/model.safetensors", "t.csv").out)[1:]) > 0


def test_a_file_to_test_on(ok: Command, fails: Callable[..., str]) -> None:
    people()
    people("test.csv", n=12)
    train(ok, "p.csv", "--target", "y", "--test", "test.csv")
    document = summary()
    assert document["test_samples"] == 12
    assert document["training_samples"] + document["validation_samples"] == N
    for name in ("train.csv", "p.csv"):
        other = json.loads(ok("evaluate", MODEL, people(name), "--json").out)
        assert (other["part"], other["trained_on"]) == ("all", N)
    write("no_target.csv", town=["Rome"], code=[1], age=[3], size=[4], w=[1])
    assert "--target: no_target.csv has no column 'y'" in fails(
        "train", "p.csv", "--target", "y", "--test", "no_target.csv"
    )
    write("no_age.csv", town=["Rome"], code=[1], size=[4], y=["no"])
    assert "'age'" in fails("train", "p.csv", "--target", "y", "--test", "no_age.csv")
    assert "--weights: no_age.csv has no column 'age'" in fails(
        "train", "p.csv", "--target", "y", "--weights", "age", "--test", "no_age.csv"
    )


def test_groups_stay_together(ok: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    write("g.csv", clinic=cycle(*"abcdefghij"), age=sizes(), y=cycle("no", "no", "yes"))
    parts = spied(monkeypatch)
    train(ok, "g.csv", "--target", "y", "--split-by", "clinic")
    train_rows, followed, tested = ({*range(N)} & {*rows} for rows in parts())
    clinics = [{i % 10 for i in rows} for rows in (train_rows, followed, tested)]
    assert not clinics[0] & clinics[1] and not clinics[0] & clinics[2] and not clinics[1] & clinics[2]
    assert all(clinics) and kinds() == {"age": "number"}
    assert json.loads(ok("evaluate", MODEL, "g.csv", "--json").out)["part"] == "held out"


def test_the_last_rows_by_time_are_tested_on(ok: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    order = np.random.default_rng(5).permutation(N).tolist()
    write("t.csv", year=[1980 + i for i in order], age=sizes(), y=cycle("no", "no", "yes"))
    parts = spied(monkeypatch)
    train(ok, "t.csv", "--target", "y", "--time", "year")
    first, followed, tested = ([order[i] for i in rows] for rows in parts())
    assert max(first) < min(followed) and max(followed) < min(tested) and len(tested) == N // 5
    assert json.loads(ok("evaluate", MODEL, "t.csv", "--json").out)["part"] == "held out"


def spied(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[int]]]:
    """Gives, once something was trained, the rows of the file trained on, followed and tested on, from 0."""
    seen: list[tables.Prepared] = []
    before = tables.prepared

    def prepared(*args: Any) -> tables.Prepared:
        seen.append(before(*args))
        return seen[-1]

    monkeypatch.setattr(tables, "prepared", prepared)

    def parts() -> list[list[int]]:
        found = seen[-1]
        trained = [int(line) - 2 for line in found.training.table.lines]
        n = len(trained) - found.followed
        return [trained[:n], trained[n:], [int(line) - 2 for line in found.test.table.lines]]

    return parts


def test_rows_draws_some(ok: Command) -> None:
    people(n=90)
    said = train(ok, "p.csv", "--target", "y", "--rows", "50")
    document = summary()
    assert sum(document[f"{part}_samples"] for part in ("training", "validation", "test")) == 50
    assert "50 rows of them are drawn" in said.out
    result = json.loads(ok("evaluate", MODEL, "p.csv", "--json").out)
    assert (result["part"], result["samples"]) == ("held out", document["test_samples"])
    assert result["accuracy"] == document["test_accuracy"]
    people(n=10)
    train(ok, "p.csv", "--target", "y", "--rows", "50", out="few")
    assert sum(summary("few")[f"{part}_samples"] for part in ("training", "validation", "test")) == 10


def test_no_rows_leaves_rows_out(ok: Command) -> None:
    people()
    train(ok, "p.csv", "--target", "y")
    said = train(ok, "p.csv", "--target", "y", "--no-rows", out="without")
    assert summary()["findings"]["worst"] and not summary("without")["findings"].get("worst")
    most = "most wrong"
    assert most in Path("run/report.html").read_text() and most not in Path("without/report.html").read_text()
    assert most not in said.out


def test_without_a_part_to_follow(ok: Command) -> None:
    people()
    train(ok, "p.csv", "--target", "y", "--validation-split", "0")
    document = summary()
    assert (document["validation_samples"], document["training_samples"]) == (0, N - document["test_samples"])
    assert "best_epoch" not in document


def test_without_a_target_the_kinds_are_printed_and_nothing_is_written(ok: Command, here: Path) -> None:
    people()
    before = files(here)
    said = ok("train", "p.csv", "--kind", "code=category", "--drop", "size")
    for part in ("town", "code", "as asked for", "age", "--target NAME"):
        assert part in said.out
    assert files(here) == before


class Piped(io.TextIOWrapper):
    """Standard input of these bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


def test_standard_input(ok: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    content = people().read_bytes()
    monkeypatch.setattr(sys, "stdin", Piped(content))
    train(ok, "-", "--target", "y")
    train(ok, "p.csv", "--target", "y", out="file")
    assert summary()["data"] == "input"
    assert weights() == weights("file")
    monkeypatch.setattr(sys, "stdin", Piped(content))
    assert ok("predict", MODEL, "-").out == ok("predict", MODEL, "p.csv").out


def test_what_stands_beside_a_prediction_is_as_it_was_in_the_file(ok: Command) -> None:
    write("t.csv", code=cycle("1.0", "2.50", "x"), age=cycle("1", "2.0", "NA", "4e0"), y=cycle("a", "b"))
    train(ok, "t.csv", "--target", "y")
    cells = {
        "name": ["O'Neil, A", 'say "hi"', "two\nlines", "007", ""],
        "code": ["1.0", "2.50", "x", "1", "NA"],
        "age": ["1.50", "+3", "1e5", "?", "-0"],
    }
    write("new.csv", **cells)
    plain = rows_of(ok("predict", MODEL, "new.csv").out)
    for words, kept in ((("--keep", "name,age"), ["name", "age"]), (("--with-input",), [*cells])):
        header, *rows = rows_of(ok("predict", MODEL, "new.csv", *words).out)
        assert header == ["class", "p(a)", "p(b)", *kept]
        assert [row[:3] for row in rows] == plain[1:]
        assert [row[3:] for row in rows] == [list(row) for row in zip(*(cells[name] for name in kept), strict=True)]


def test_columns_of_a_file_to_predict(ok: Command, fails: Callable[..., str]) -> None:
    people()
    train(ok, "p.csv", "--target", "y")
    whole = rows_of(ok("predict", MODEL, "p.csv").out)
    columns = {"size": sizes(seed=1), "u": [1] * N, "age": sizes(), "v": [2] * N, "code": cycle(1, 2, 3, 4)}
    write("new.csv", **columns, town=cycle("Rome", "Fez", "Kyiv"))
    said = ok("predict", MODEL, "new.csv")
    assert rows_of(said.out) == whole  # without the target, in another order
    assert said.err == "nnxp: u, v: passed over, since the training had no such column\n"
    write("less.csv", **{name: cells for name, cells in columns.items() if name != "age"}, town=cycle("Rome"))
    line = fails("predict", MODEL, "less.csv", "--out", "out.csv")
    assert "less.csv lacks the column 'age', which the training had" in line
    assert "'aged'" in fails("predict", MODEL, "p.csv", "--keep", "aged")


def test_a_row_without_a_target_is_predicted_and_not_trained_or_tested_on(ok: Command) -> None:
    write("t.csv", age=sizes(), y=["", "NA", *cycle("a", "b", n=N - 2)])
    said = train(ok, "t.csv", "--target", "y")
    assert "2 rows without 'y' are left out" in said.out
    assert sum(summary()[f"{part}_samples"] for part in ("training", "validation", "test")) == N - 2
    assert json.loads(ok("evaluate", MODEL, "t.csv", "--json").out)["part"] == "held out"
    assert len(rows_of(ok("predict", MODEL, "t.csv").out)) == N + 1


# --- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words", "named"),
    [
        (b"age,y\n1,a\n2,b\n", ("--target", "yy"), "'yy'"),
        (b"age,y\n1,a\n2,b\n", ("--target", "y", "--drop", "aged"), "'aged'"),
        (b"age,y\n1,a\n2,b\n", ("--target", "y", "--kind", "aged=number"), "'aged'"),
        (b"age,y\n" + b"1,a\n2,b\n" * 9, ("--target", "y", "--kind", "age=numbr"), "'numbr'"),
        (b"age,y\n1,a\n2,b\n", ("--target", "y"), "2 rows, each of another class"),
        (b"age,y\n1,a\n2,b\n", ("--target", "y", "--weights", "w"), "'w'"),
        (b"age,y\n1,a\n2,b\n", ("--target", "y", "--split-by", "w"), "'w'"),
        (b"age,y\n1,a\n2,b\n", ("--target", "y", "--time", "w"), "'w'"),
        (b"age,w,y\n" + b"1,-1,a\n2,1,b\n" * 9, ("--target", "y", "--weights", "w"), "weight"),
        (b"age,w,y\n" + b"1,0,1.5\n2,0,2.5\n" * 9, ("--target", "y", "--weights", "w"), "weight"),
        (b"age,w,y\n" + b"1,u,a\n2,v,b\n" * 9, ("--target", "y", "--time", "w"), "expected dates or numbers"),
        (b"age,w,y\n" + b"1,u,a\n2,u,b\n" * 9, ("--target", "y", "--split-by", "w"), "one group"),
        (b"", ("--target", "y"), "empty"),
        (b"\n\n", ("--target", "y"), "t.csv"),
        (b"age,y\n", ("--target", "y"), "row"),
        (b"age,y\n1,a\n2,b,c\n3,a\n", ("--target", "y"), "row 3"),
        (b"age,y\n1,a\n2\n3,a\n", ("--target", "y"), "row 3"),
        (bytes(range(256)) * 20, ("--target", "y"), "t.csv"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(200), ("--target", "y"), "t.csv"),
        (b"id,y\n" + b"".join(b"q%d,%s\n" % (i, b"ab"[i % 2 :][:1]) for i in range(30)), ("--target", "y"), "column"),
        (b"y\na\nb\n", ("--target", "y"), "only the target column"),
        (b"age,y\n" + b"1,a\n2,a\n" * 9, ("--target", "y"), "in every row"),
        (b"age,y\n" + b"1,NA\n2,\n" * 9, ("--target", "y"), "no value"),
        (b"age,y\n1,a\n", ("--target", "y"), "row"),
        (b"age,y\n1,a\n2,b\n", ("--target", "y", "--sheet", "one"), "sheet"),
        (b"age,y\n1,a\n2,b\n", ("--target", "y", "--encoding", "utf-9"), "utf-9"),
        (b"age,y\n1,a\n2,b\n", ("--target", "y", "--separator", "xx"), "xx"),
    ],
)
def test_bad_input_is_one_line(content: bytes, words: tuple[str, ...], named: str, fails: Callable[..., str]) -> None:
    Path("t.csv").write_bytes(content)
    assert named in fails("train", "t.csv", *words, *SHORT)


@pytest.mark.parametrize("content", [b"", b"town,code,age,size\n", b"town,code\nRome,1\n", bytes(range(256)) * 20])
def test_bad_input_to_predict_and_evaluate(content: bytes, ok: Command, fails: Callable[..., str]) -> None:
    people()
    train(ok, "p.csv", "--target", "y", "--quiet")
    Path("new.csv").write_bytes(content)
    assert "new.csv" in fails("predict", MODEL, "new.csv", "--out", "out.csv")
    assert "new.csv" in fails("evaluate", MODEL, "new.csv")


def test_a_class_that_the_training_did_not_have_is_no_test(ok: Command, fails: Callable[..., str]) -> None:
    people()
    train(ok, "p.csv", "--target", "y", "--quiet")
    write("new.csv", town=["Rome"], code=[1], age=[3], size=[4], y=["maybe"])
    assert "'maybe'" in fails("evaluate", MODEL, "new.csv")


def test_a_matrix_larger_than_memory(ok: Command, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    people(n=200)
    monkeypatch.setattr(tables, "_free", lambda: 200 * 6 * 4 / 2.0)  # 6 columns of 4 bytes, and half of it is free
    line = fails("train", "p.csv", "--target", "y", *SHORT)
    assert "200 rows of 6 encoded columns" in line and "--rows 50" in line
    train(ok, "p.csv", "--target", "y", "--rows", "50")


def test_very_many_columns(ok: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each shuffle encodes every column: of very many columns, only those that predict best alone are shuffled."""
    write("w.csv", **{f"c{i}": sizes(seed=i) for i in range(60)}, z=cycle(1, 5, n=N), y=cycle("a", "b"))
    monkeypatch.setattr(account, "ENCODED", 61 * 5)
    monkeypatch.setattr(opening, "MANY", 62)
    assert "so many columns take" in train(ok, "w.csv", "--target", "y").out
    importance = summary()["findings"]["importance"]
    assert len(importance["columns"]) == 5
    assert len(summary()["columns"]) == 61


# --- what is written -----------------------------------------------------------------------------------


KEYS = {
    "data", "task", "features", "classes", "training_samples", "validation_samples", "test_samples", "architecture",
    "parameters", "loss", "class_weight", "optimizer", "backend", "precision", "dtype", "seed", "epochs", "batch_size",
    "wall_seconds", "samples_per_second", "versions", "best_epoch", "stopped_early", "asked", "members", "diagnosis",
}  # fmt: skip
"""Those of a run on other data."""


def test_what_a_run_leaves(ok: Command) -> None:
    people()
    train(ok, "p.csv", "--target", "y")
    own = {"columns", "findings", "preset"}
    assert {*summary()} == KEYS | own | {"test_accuracy", "test_correct", "test_accuracy_of_members"}
    train(ok, "p.csv", "--target", "age", out="numbers")
    assert {*summary("numbers")} == KEYS | own | {"test_rmse", "test_r2", "test_rmse_of_members"}
    for out in ("run", "numbers"):
        page = Balanced()
        page.feed(Path(out, "report.html").read_text(encoding="utf-8"))
        page.close()
        assert page.open == [] and {"html", "table", "svg"} <= page.seen and "script" not in page.seen


class Balanced(html.parser.HTMLParser):
    """Which elements a page has, and which of them are open; an end without a beginning is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "br", "link", "img", "hr", "col", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_same_seed_is_the_same_run(ok: Command) -> None:
    people()
    written = []
    for seed in (0, 0, 1):
        said = train(ok, "p.csv", "--target", "y", "--seed", seed, "--overwrite")
        written.append((weights(), Path("run/report.html").read_bytes()))  # the model's file has the seconds taken
        assert said.err == ""
    assert written[0] == written[1]
    assert written[0][0] != written[2][0] and written[0][1] != written[2][1]


# --- evaluate ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [(), ("--split-by", "town"), ("--split-by", "code"), ("--time", "age"), ("--kind", "code=category"),
     ("--weights", "size"), ("--drop", "town", "--seed", "3"), ("--validation-split", "0")],
)  # fmt: skip
def test_the_part_that_was_held_out_is_found_again(words: tuple[str, ...], ok: Command) -> None:
    path = people()
    train(ok, path, "--target", "y", *words, "--quiet")
    said = ok("evaluate", MODEL, path).out
    count = summary()["test_samples"]
    assert f"p.csv: the {count} samples that the model's own training set aside" in said
    assert json.loads(ok("evaluate", MODEL, path, "--json").out)["accuracy"] == summary()["test_accuracy"]
    lines = path.read_text(encoding="utf-8").splitlines()
    Path("some.csv").write_text("\n".join([*lines[:-1], "Oslo,9,99.5,1.25,no"]) + "\n", encoding="utf-8")
    other = json.loads(ok("evaluate", MODEL, "some.csv", "--json").out)
    assert (other["part"], other["samples"]) == ("all", N)
    assert 0 < other["trained_on"] < N


def test_the_help_says_what_a_decimal_sign_is(ok: Command) -> None:
    out = " ".join(ok("train", "--help").out.split())
    assert "--decimal SIGN the decimal sign, a point or a comma" in out and "{.,,}" not in out
