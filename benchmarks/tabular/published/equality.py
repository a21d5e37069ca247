"""Fifty steps from the same weights on the same batches: pytabkit's own modules beside the equations.

python -m benchmarks.tabular.published.equality

pytabkit trains as it does, on one of its own data loaders' batches after the other, in float32; its weights before the
first step, the batches and the losses are recorded. `transcription` takes the same steps from them, in float32 and in
float64. Printed are the largest differences of a loss, and of the parameters after the last step, relative to their
largest.

At a rate of 0.04 rounding grows: where float64 leaves pytabkit's losses earlier than float32, by a step that is printed
too, what is between them is rounding.
"""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.tabular.published import peer, transcription
from benchmarks.tabular.published.transcription import Batch, Parameters, Recipe
from benchmarks.tabular.tables import CLASSES, NUMBERS

STEPS, ROWS = 50, 1600
TOLERANCE = 1e-4


class Enough(Exception):
    """Ends pytabkit's training."""


@dataclass
class Recorded:
    """What pytabkit did."""

    before: dict[str, torch.Tensor] = field(default_factory=dict)
    batches: list[dict[str, torch.Tensor]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    after: dict[str, torch.Tensor] = field(default_factory=dict)
    total: int = 0


def made_up(task: str) -> tuple[pd.DataFrame, Any]:
    """Numbers, words of two, three and twelve values, some missing, and a target that hangs on all of them."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(ROWS, 6)), columns=[*"abcdef"])
    frame["two"], frame["three"] = rng.choice(["x", "y"], ROWS), rng.choice(["x", "y", "z"], ROWS)
    frame["many"] = [f"word {k}" for k in rng.integers(0, 12, ROWS)]
    z = np.sin(2 * frame["a"]) + frame["b"] * (frame["two"] == "x") + 0.1 * frame["many"].str[5:].astype(float)
    return frame, np.digitize(z, [0, 1]) if task == CLASSES else (5 * z + 20).to_numpy()


def recorded(preset: str, task: str) -> tuple[Recorded, Any]:
    """pytabkit's first steps, and the targets of the rows that it trains on."""
    from pytabkit.models.training.lightning_modules import TabNNModule

    found, own = Recorded(), TabNNModule.training_step

    def copies(module: Any) -> dict[str, torch.Tensor]:
        return {str(p.context.scope).lstrip("/"): p.detach()[0].clone() for p in module.model.parameters()}

    def step(module: Any, batch: dict[str, torch.Tensor], number: int) -> Any:
        if not found.before:
            found.before, found.total = copies(module), module.progress.max_epochs * len(module.train_dl)
        if len(found.losses) == STEPS:
            found.after = copies(module)
            raise Enough
        found.batches.append({name: values[0].clone() for name, values in batch.items()})
        torch.manual_seed(len(found.losses))
        result = own(module, batch, number)
        found.losses.append(float(result))
        return result

    frame, y = made_up(task)
    held_out = np.arange(ROWS) % 5 == 0
    TabNNModule.training_step = step
    try:
        model = peer.estimator(preset, task, 0)
        model.fit(frame, y, **{f"{model.steps[-1][0]}__val_idxs": np.flatnonzero(held_out)})
    except Enough:
        pass
    finally:
        TabNNModule.training_step = own
    return found, y[~held_out]


def named(scopes: dict[str, torch.Tensor]) -> Parameters:
    """pytabkit's parameters by the names of `transcription`."""
    renamed = {"plr/weight_1": "periodic.w", "plr/bias_1": "periodic.b", "plr/weight_2": "periodic.A"}
    renamed |= {"plr/bias_2": "periodic.c", "tfms/emb": "words.0", "net/first_layer/layer-0/scale": "scale"}
    kinds = {"weight": "weights", "bias": "biases", "act": "alpha"}
    found = {}
    for scope, values in scopes.items():
        if scope not in renamed:
            _, _, layer, kind = scope.split("/")
            renamed[scope] = f"{layer.removeprefix('layer-')}.{kinds[kind]}"
        name = renamed[scope]
        found[name] = values[:, 0] if name in ("periodic.w", "periodic.b", "periodic.c") else values
    return found


def given(recipe: Recipe, theirs: Recorded, number: int, trained: Any, dtype: torch.dtype) -> Batch:
    """A batch of pytabkit's as `transcription` takes it. TD scales its columns in each step, TD-S once and before."""
    batch = theirs.batches[number]
    columns = {name: batch[name].to(dtype) for name in ("x_cont", "x_one_hot") if name in batch}
    if recipe.embeds:
        epoch = theirs.batches[: len(trained) // len(batch["y"])]  # whole batches, all rows
        for name, values in columns.items():
            rows = torch.cat([one[name] for one in epoch]).to(dtype)
            assert len(rows) == len(trained)
            columns[name] = transcription.scaled(values, rows)
    y = batch["y"]
    if recipe.classes is None:
        y = ((y.double() - trained.mean()) / trained.std()).to(dtype)
    else:
        y = y[:, 0] if y.shape[1] == 1 else y.argmax(dim=1)
    return Batch(columns["x_cont"], columns.get("x_one_hot"), batch.get("x_cat"), y)


def differences(preset: str, task: str, dtype: torch.dtype) -> tuple[float, float, int | None]:
    """Of the losses, and of the parameters after the last step: the largest, relative; and the first step whose loss is
    further away than the tolerance."""
    theirs, trained = recorded(preset, task)
    recipe = Recipe(preset == "realmlp", None if task == NUMBERS else 3)
    P = {name: values.to(dtype) for name, values in named(theirs.before).items()}
    batches = [given(recipe, theirs, number, trained, dtype) for number in range(STEPS)]
    losses = transcription.train(recipe, P, batches, theirs.total)
    of_each = [abs(a - b) / b for a, b in zip(losses, theirs.losses, strict=True)]
    of_losses, left = max(of_each), next((k for k, one in enumerate(of_each) if one > TOLERANCE), None)
    after = named(theirs.after)
    of_parameters = max(
        float((P[name].detach() - values).abs().max() / values.abs().max()) for name, values in after.items()
    )
    return of_losses, of_parameters, left


def main() -> None:
    warnings.simplefilter("ignore")
    names = ("losses", "parameters", f"first step beyond {TOLERANCE:.0e}")
    table = Table("preset", "task", "computed in", *names, title=f"{STEPS} steps, to pytabkit's")
    for preset in peer.NAMES:
        for task in (CLASSES, NUMBERS):
            for dtype in (torch.float32, torch.float64):
                *found, left = differences(preset, task, dtype)
                row = *(f"{figure:.1e}" for figure in found), "–" if left is None else str(left)
                table.add_row(preset, task, str(dtype), *row)
    Console().print(table)


if __name__ == "__main__":
    main()
