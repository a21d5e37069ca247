"""Tables as public ones are written: what a first `nnxp train`, with no option but `--target`, must see in them."""

import json
from pathlib import Path

import numpy as np
import pytest

from nnxp import plots
from nnxp.cli import main
from nnxp.tabular import Encoder
from nnxp.tabular.reading import read


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "training", lambda *args, **rest: None)


def r_table(path: Path, rows: list[int], header: str = '""') -> Path:
    """As R's `write.csv` writes flowers that are sorted by their kind: the rows' names first, words in quotes."""
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(len(rows), 3)).tolist()
    kinds = [("rose", "tulip")[row > 100] for row in rows]
    lines = [f'{row},{a:.3f},{b:.3f},{c:.3f},"{kind}"' for row, (a, b, c), kind in zip(rows, cells, kinds, strict=True)]
    path.write_text("\n".join([f'{header},"length","width","height","kind"', *lines, ""]))
    return path


@pytest.mark.parametrize("header", ['""', "rownames"])
def test_the_rows_own_numbers_are_none_of_a_part_of_them(tmp_path: Path, header: str) -> None:
    """The training part is drawn; numbers of sorted rows would say the class."""
    table = read(r_table(tmp_path / "r.csv", [*range(1, 201)], header))
    some = np.random.default_rng(1).permutation(200)[:150]
    assert Encoder(drop=["kind"]).fit(table.take(some)).feature_names_out == ["length", "width", "height"]


@pytest.mark.parametrize("header", ['""', "Unnamed: 0", "...1", "X"])
def test_the_names_of_drawn_rows_are_identifiers(tmp_path: Path, header: str) -> None:
    """R and pandas write the old row's number where rows were chosen before; a name of somebody's own stays."""
    rows = np.sort(np.random.default_rng(2).permutation(np.arange(1, 1000))[:200]).tolist()
    names = Encoder(drop=["kind"]).fit(read(r_table(tmp_path / "r.csv", rows, header))).feature_names_out
    assert names == ["X", "length", "width", "height"][header != "X" :]


def test_train_leaves_the_names_of_rows_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = r_table(tmp_path / "r.csv", [*range(1, 201)])
    assert main(["train", str(path), "--target", "kind", "--epochs", "1", "--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert "counts the rows" in printed and "by itself" not in printed


@pytest.mark.parametrize("target", ["kind", "length"])
def test_the_network_begins_as_the_linear_model(tmp_path: Path, target: str) -> None:
    """What learns nothing has the linear model's scores, but for the rounding of float32."""
    path, run = r_table(tmp_path / "r.csv", [*range(1, 201)]), tmp_path / "run"
    still = ["--epochs", "1", "--learning-rate", "1e-12", "--weight-decay", "0", "--out", str(run), "--quiet"]
    assert main(["train", str(path), "--target", target, *still]) == 0
    model, *_, linear = json.loads((run / "summary.json").read_text())["findings"]["contenders"]
    assert linear["label"] == "a linear model"
    score = "log_loss" if target == "kind" else "rmse"
    assert model["scores"][score]["value"] == pytest.approx(linear["scores"][score]["value"], rel=1e-5)
