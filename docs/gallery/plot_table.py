"""
A table with missing cells, and its report
==========================================

A CSV file as people have them: numbers, words and dates, and cells that are empty or say ``NA``. One command finds out
what the columns are, trains, compares with baselines, and writes a report.
"""

import csv
import datetime
import html
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import nnxp

# %%
# The file is made here, so that what decides is known: who has called more than twice leaves, and so do the youngest
# and the oldest, unless they pay little.

draws = np.random.default_rng(0)


def person():
    age, calls, fee = draws.integers(18, 80), draws.poisson(1.5), draws.choice([9.9, 19.9, 29.9])
    leaves = 6.0 * (calls > 2) + 6.0 * (abs(age - 49) > 18 and fee > 15) + draws.logistic() > 3
    return {
        "age": "" if draws.random() < 0.1 else age,
        "town": "?" if draws.random() < 0.08 else draws.choice(["Fez", "Oslo", "Rome"]),
        "joined": datetime.date(2020, 1, 1) + datetime.timedelta(int(draws.integers(0, 1800))),
        "fee": "NA" if draws.random() < 0.15 else fee,
        "calls": calls,
        "left": "yes" if leaves else "no",
    }


rows = [person() for _ in range(1000)]

# %%
# ``nnxp train people.csv --target left`` reads, trains and reports. What it prints begins with what it found out, and
# says how good the model is beside a linear one:

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "people.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    command = [sys.executable, "-m", "nnxp", "train", path.name, "--target", "left", "--epochs", "30", "--out", "run"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=True)
    report = (Path(folder) / "run" / "report.html").read_text(encoding="utf-8")
    model = nnxp.load_estimator(Path(folder) / "run" / "model.safetensors")

lines = done.stdout.splitlines()
for line in lines[: lines.index("", 1)]:
    print(line.rstrip())
print(*(line for line in lines if line.startswith("accuracy")))

# %%
# The report is one page without a script, to be sent by mail or printed:


class Frame:
    """A page within this one."""

    def _repr_html_(self):
        frame = 'title="The report of the training" style="width: 100%; height: 36rem; border: 1px solid gray"'
        return f'<iframe {frame} srcdoc="{html.escape(report, quote=True)}"></iframe>'


Frame()

# %%
# The model file holds all that is needed to read new rows. A word it has never seen, and cells that are missing, are no
# stop:

new = [
    {"age": 25, "town": "Oslo", "joined": "2024-05-01", "fee": 29.9, "calls": 4},
    {"age": None, "town": "Lima", "joined": "2023-01-15", "fee": 9.9, "calls": 0},
]
for row, (_, p) in zip(new, model.predict_proba(new), strict=True):
    print(f"{p:.0%} likely to leave: {row}")

# %%
# What does the model look at? Each column's cells are shuffled in turn, among rows that it was not trained on, and the
# accuracy becomes so much worse. Town and the day of joining decide nothing, and are found to be of little use.

later = [person() for _ in range(500)]
truth = [row.pop("left") for row in later]
found = nnxp.tabular.permutation_importance(model, later, truth)
names = sorted(found.mean, key=found.mean.get)
figure, axes = plt.subplots(figsize=(4.8, 3.0), layout="constrained")
axes.barh(names, [found.mean[name] for name in names], xerr=[2 * found.error[name] for name in names], capsize=3)
axes.set(xlabel="accuracy lost where the column is shuffled")
plt.show()
