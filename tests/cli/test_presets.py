"""`nnxp train --preset`: which network a table gets, which options fit it, and that it needs no scikit-learn."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import plots
from nnxp.cli import main
from nnxp.cli.recipes import recipe_for
from nnxp.network.recipe import SEVERAL
from nnxp.tabular import Encoder
from nnxp.tabular.findings import baselines
from nnxp.tabular.networks.presets import PRESETS, get_preset

ROOT = Path(__file__).parents[2]
TOWNS = [f"town {k:02}" for k in range(12)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in a folder with a table; no picture is drawn; a linear model is cut short."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(baselines, "STEPS", 10)
    monkeypatch.setattr(plots, "training", lambda history, path, **rest: Path(path).write_text("picture"))
    rng = np.random.default_rng(0)
    lines = ["age,town,side,price,answer"]
    for _ in range(240):
        age, town = int(rng.integers(18, 80)), int(rng.integers(12))
        price = 50 + 2 * age + 10 * (town * 5 % 12)  # not in the order of the towns' names
        lines.append(f"{age},{TOWNS[town]},{('left', 'right')[town % 2]},{price},{'yes' if age > 45 else 'no'}")
    Path("t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def run(*words: object) -> dict[str, Any]:
    """The summary of a training."""
    code = main(["train", "t.csv", "--quiet", "--overwrite", "--out", "run", *map(str, words)])
    assert code in (0, None)
    found: dict[str, Any] = json.loads(Path("run/summary.json").read_text(encoding="utf-8"))
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["train", *words, "--quiet", "--out", "run"]) == 2
    return capsys.readouterr().err


# --- which network -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["answer", "price"])
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains_tests_and_predicts(name: str, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    summary = run("--target", target, "--preset", name, "--epochs", 3)
    preset = get_preset(name, target == "answer", 240)
    assert summary["preset"] == preset.name and summary["epochs"] == 3
    assert summary["validation_samples"] == round(192 * preset.held_out) and summary["test_samples"] == 48
    model = nnxp.load("run/model.safetensors")
    encoder = Encoder.of(model)
    assert encoder is not None
    codes = {"town": 13} if name == "realmlp" else {}
    assert encoder.codes == codes and summary["features"] == len(encoder.feature_names_out)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert ("Embedding" in kinds) is ("PeriodicEmbedding" in kinds) is (name == "realmlp")
    assert ("Scaling" in kinds) is name.startswith("realmlp")
    capsys.readouterr()
    for command in (["evaluate"], ["predict"]):
        assert main([*command, "run/model.safetensors", "t.csv"]) in (0, None)
        assert capsys.readouterr().out


def test_the_default_preset_is_the_one_that_is_named_so(here: Path) -> None:
    unnamed = run("--target", "answer", "--epochs", 2)
    named = run("--target", "answer", "--epochs", 2, "--preset", "default")
    assert unnamed["findings"] == named["findings"] and unnamed["architecture"] == named["architecture"]
    assert recipe_for("t.csv") == get_preset("default", False, 240).recipe  # what --help says


@pytest.mark.parametrize(
    ("options", "members"),
    [
        ((), SEVERAL.members),
        (("--members", 1), 1),
        (("--optimizer", "lbfgs"), 1),
        (("--clip-norm", 1), 1),
        (("--reproducible",), 1),
        (("--preset", "binned"), 1),
    ],
)
def test_a_table_gets_several_networks_unless_something_else_is_asked_for(
    options: tuple[Any, ...], members: int, here: Path
) -> None:
    """L-BFGS and a norm look at all parameters of one network together; that parts of batches repeat is so of one."""
    summary = run("--target", "answer", "--epochs", 1, *options)
    assert summary["members"] == members == nnxp.load("run/model.safetensors").members


@pytest.mark.parametrize(("target", "dropout"), [("answer", "0.5"), ("price", "0.1")])
def test_the_terminal_says_the_recipe(target: str, dropout: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--epochs", "2", "--hidden", "8,6", "--out", "run", "--early-stopping", "2")
    assert main(["train", "t.csv", "--target", target, *options]) in (0, None)
    said = capsys.readouterr().out
    assert f"16 bins a number, relu, dropout {dropout}, beside a linear model; " in said
    assert "adamw, learning rate 0.002, weight decay 0.05, cosine; " in said and ", batches of 32, seed " in said


def test_the_linear_model_that_it_is_measured_by_sees_the_words_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the network has them as codes, whose order means nothing."""

    def linear(preset: str) -> float:
        summary = run("--target", "price", "--preset", preset, "--epochs", 1)
        (found,) = (one for one in summary["findings"]["contenders"] if one["name"] == "linear")
        value: float = found["scores"]["rmse"]["value"]
        return value

    monkeypatch.setattr(baselines, "STEPS", 1000)
    assert linear("realmlp") == pytest.approx(linear("mlp"), rel=0.05)


def test_a_preset_whose_schedules_run_out_keeps_its_last_best_epoch() -> None:
    summary = run("--target", "answer", "--preset", "realmlp-s", "--epochs", 6)
    history = nnxp.load("run/model.safetensors").history["val_loss"]
    assert summary["epochs"] == 6 and summary["stopped_early"] is False
    assert summary["best_epoch"] == 6 - history[::-1].index(min(history))
    assert nnxp.load("run/model.safetensors").step == 6  # 154 rows: one whole batch of them all


def test_tabm_says_its_members_and_may_stop_early(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--hidden", "8,6", "--epochs", "3", "--early-stopping", "1", "--out", "run")
    assert main(["train", "t.csv", "--target", "answer", "--preset", "tabm", *options]) in (0, None)
    said = capsys.readouterr().out
    assert "32 members, each " in said and "-8-6-2, shared weights, relu, dropout 0.1; " in said
    assert "adamw, learning rate 0.002, weight decay 0.0003, gradients clipped to a norm of 1; " in said
    model = nnxp.load("run/model.safetensors")
    assert model.members == 32 and [layer.n_out for layer in model.layers if hasattr(layer, "n_out")] == [8, 6, 2]


# --- options -----------------------------------------------------------------------------------------------


def test_options_replace_what_the_preset_says() -> None:
    options = ("--hidden", "8,6", "--dropout", "0.25", "--learning-rate", "0.01", "--weight-decay", "0.5")
    summary = run("--target", "answer", "--preset", "realmlp", "--epochs", 2, "--batch-size", 32, *options)
    model = nnxp.load("run/model.safetensors")
    widths = [layer.n_out for layer in model.layers if isinstance(layer, nnxp.Dense)]
    assert widths == [8, 6, 2] and [layer.rate for layer in model.layers if hasattr(layer, "rate")] == [0.25, 0.25]
    optimizer = summary["optimizer"]
    assert (optimizer["class"], optimizer["learning_rate"], optimizer["weight_decay"]) == ("AdamW", 0.01, 0.5)
    assert model.step == 2 * (154 // 32)


@pytest.mark.parametrize("option", ["--optimizer=sgd", "--activation=relu", "--schedule=cosine", "--decay=0.1"])
def test_what_a_preset_has_no_setting_for_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "t.csv", "--target", "answer", "--preset", "realmlp-s", option)
    name = option.partition("=")[0]
    assert f"{name} is no setting of --preset realmlp-s, expected --learning-rate, " in said
    assert said.endswith("--batch-size, --epochs, --members, or --preset mlp\n")


def test_what_does_not_fit_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "t.csv", "--target", "answer", "--preset", "realmlp", "--early-stopping", "3")
    assert "--early-stopping ends a training, and the schedules of --preset realmlp have to run out" in said
    said = refused(capsys, "t.csv", "--target", "answer", "--preset", "realmpl")
    assert (
        "got preset='realmpl', expected one of mlp, binned, ensemble, realmlp-s, realmlp, tabm, default; did you mean "
        in said
    )
    assert said.endswith("did you mean 'realmlp'?\n")
    assert "--preset is for a table, and digits is none: expected a table: .csv" in refused(
        capsys, "digits", "--preset", "mlp"
    )


# --- without scikit-learn ----------------------------------------------------------------------------------


def test_no_preset_needs_scikit_learn(here: Path) -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from nnxp.cli import main\n"
        "for name in ('mlp', 'realmlp-s', 'realmlp'):\n"
        "    words = ['train', 't.csv', '--target', 'answer', '--preset', name, '--epochs', '1', '--quiet']\n"
        "    assert main([*words, '--out', name]) in (0, None)\n"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    subprocess.run([sys.executable, "-c", code], check=True, env=env, cwd=here)
