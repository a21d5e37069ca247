"""The protocol for tables (benchmarks/tabular), small, on a made-up table: its splits, scores, contenders, ranks."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.tabular import report, runner, tables
from benchmarks.tabular.contenders import CONTENDERS, Categories, Plain
from benchmarks.tabular.tables import CLASSES, NUMBERS, Table

PEERS = {name: CONTENDERS[name] for name in ("linear", "boosting", "sklearn MLP", "nnxp binned", "nnxp mlp")}


def made_up(task: str) -> tables.Data:
    """Numbers with gaps, words with gaps, a word for nearly every row, dates; the target is in the first number."""
    rng, n = np.random.default_rng(0), 400
    frame = pd.DataFrame({"rownames": range(n), "x": rng.normal(size=n), "gaps": rng.normal(size=n)})
    frame.loc[::7, "gaps"] = np.nan
    frame["town"] = rng.choice(["Rome", "Oslo", None], n)
    frame["name"] = [f"name {k % 300}" for k in range(n)]
    frame["day"] = [f"2020-{1 + k % 12:02}-03T10:00:00Z" for k in range(n)]
    frame["yes"] = rng.random(n) > 0.5
    frame["y"] = np.where(frame["x"] > 0.3, "more", "less") if task == CLASSES else 3 * frame["x"] + 1
    return tables.prepared(frame, Table("made/up", "y", task, tables.CHOOSING))


@pytest.mark.parametrize("task", [CLASSES, NUMBERS])
@pytest.mark.parametrize("name", PEERS)
def test_a_contender_learns_a_made_up_table(name: str, task: str) -> None:
    data = made_up(task)
    assert "rownames" not in data.X and "y" not in data.X
    row = runner.result(tables.split(data, 1), 1, name, PEERS[name])
    assert "reason" not in row, row["reason"]
    assert row["rows"] == 320 and row["seconds"] > 0
    assert row["scores"]["gain"] > 0.5


def test_what_peers_are_given() -> None:
    X = made_up(CLASSES).X
    plain, coded = Plain().fit(X).transform(X), Categories().fit(X).transform(X.assign(town="Lima", name="name 7"))
    day = ["day: days", "day: month", "day: day_of_week", "day: day_of_year"]
    assert [*plain] == ["x", "gaps", "town", "name", *day, "yes"]
    assert plain.loc[0, day].tolist() == [18264 + 10 / 24, 1, 4, 3]  # a Friday
    assert {*plain["town"]} == {"Rome", "Oslo", "(missing)"} and {*plain["yes"]} == {"True", "False"}
    assert coded["town"].dtype == "category" and coded["town"].isna().all()
    assert {*coded["name"]} == {sorted(f"name {k}" for k in range(300)).index("name 7")}


def test_a_constant_gains_nothing() -> None:
    y, trained = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert tables.scores(CLASSES, y, np.full((4, 2), 0.5), trained) == {
        "log_loss": np.log(2),
        "accuracy": 0.75,
        "gain": 0,
    }
    numbers = tables.scores(NUMBERS, np.array([1.0, 3.0]), np.full(2, 2.0), np.array([0.0, 4.0]))
    assert numbers == {"r2": 0, "rmse": 1, "gain": 0}


def test_what_is_done_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, table = tmp_path / "results.jsonl", Table("made/up", "y", NUMBERS, tables.CHOOSING)
    monkeypatch.setattr(tables, "load", lambda table, rows: made_up(NUMBERS))
    runner.run([table], 1, {"linear": PEERS["linear"]}, path)
    runner.run([table], 2, {"linear": PEERS["linear"], "nobody": lambda task, seed: None}, path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    done = [(line["split"], line["contender"]) for line in lines if "contender" in line]
    assert done == [(0, "linear"), (0, "nobody"), (1, "linear"), (1, "nobody")]
    assert [line["machine"]["cores"] for line in lines if "machine" in line] == [lines[0]["machine"]["cores"]] * 2
    assert "has no attribute 'fit'" in lines[-1]["reason"]


def test_ranks_are_those_of_mean_scores_and_who_failed_is_last() -> None:
    table = tables.TABLES[9]
    assert table.part == tables.CHOOSING and table.task == CLASSES
    losses = {"a": [0.3, 0.5], "b": [0.1, 0.6], "c": [0.4, None]}
    rows = [
        {"table": table.title, "part": table.part, "split": split, "contender": name, "seconds": 1.0, "wall": 1.0}
        | ({"reason": "it fell"} if loss is None else {"scores": {"log_loss": loss, "gain": 1 - loss}})
        for name, pair in losses.items()
        for split, loss in enumerate(pair)
    ]
    found = report.Results(rows, tables.CHOOSING, ["a", "b", "c", "d"], 2)
    assert found.contenders == ["a", "b", "c"] and found.tables == [table]
    assert found.ranks().tolist() == [[2, 1, 3]]
    assert [line[:3] for line in report.overall(found)[1:]] == [
        ["b", "1.00", "0.650"],
        ["a", "2.00", "0.600"],
        ["c", "3.00", "0.000"],
    ]
    assert report.by_table(found)[1] == [table.title, "log loss", "0.400, 1.00 s", "**0.350**, 1.00 s", "–, 1.00 s"]


def test_the_tables_are_divided_as_the_protocol_says() -> None:
    first, others = tables.TABLES[:8], tables.TABLES[8:-1]
    assert {table.part for table in first} == {tables.REPORTING}
    for task in (CLASSES, NUMBERS):
        some = sorted((table for table in others if table.task == task), key=lambda table: table.name.casefold())
        parts = [tables.REPORTING if place % 3 == 0 else tables.CHOOSING for place in range(9)]
        assert [table.part for table in some] == parts
