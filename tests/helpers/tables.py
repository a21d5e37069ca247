"""Tables with every kind of column: cells such as a training has, and such as none has."""

from typing import Any

import numpy as np

from nnxp.tabular import Encoder
from nnxp.tabular.table import Moments, Numbers, Table, Words

TOWNS = ("Fez", "Rome", "Oslo", "1", "2.5")


def words(cells: Any) -> Words:
    texts, codes = np.unique(np.array(cells, dtype=str), return_inverse=True)
    return Words(texts.tolist(), codes.astype(np.int32))


def table(n: int = 300, seed: int = 0) -> Table:
    """Every kind of column, some cells missing; numbers many rows share; names that operators have too."""
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 10, n)
    age[::9] = np.nan
    when = rng.integers(-4 * 10**15, 4 * 10**15, n).astype("datetime64[us]")
    when[::11] = np.datetime64("NaT")
    columns = {
        "town": words(rng.choice([*TOWNS, "", "NA"], n)),
        "age": Numbers(age),
        "steps": Numbers(np.round(rng.normal(size=n) * 2)),
        "same": Numbers(np.full(n, 1e-20)),
        "huge": Numbers(rng.normal(size=n) * 1e200),
        "when": Moments(when),
        "smokes": words(rng.choice(["yes", "no", ""], n)),
        "side": words(rng.choice(["l", "r"], n)),
        "c0": words(rng.choice(["p", "q", "r"], n)),
        "Concat_30": Numbers(rng.random(n)),
    }
    return Table("some", columns, range(1, n + 1))


KINDS = {"same": "number", "steps": "number", "town": "category", "c0": "category"}


def hostile() -> Table:
    """Cells that no training has, in another order of columns, with one that is passed over."""
    days = ["2000-02-29T23:59:59.999999", "1900-12-31", "-20000-03-01", "NaT", "9999-12-31", "290000-01-01"]
    columns = {
        "Concat_30": Numbers(np.arange(6.0)),
        "c0": words(["p", "q", "r", "P", "", "nat"]),
        "side": words(["l", "r", "", "z", "NA", "None"]),
        "smokes": words(["yes", "no", "", "maybe", "1", "0"]),
        "other": Numbers(np.arange(6.0)),
        "when": Moments(np.array(days, dtype="datetime64[us]")),
        "huge": Numbers(np.array([1e308, -1e308, 0, 1, 2, np.nan])),
        "same": Numbers(np.array([1e300, 1, -1e300, np.nan, 1e-20, 0])),
        "steps": Numbers(np.array([1, -1e300, np.nan, 2, 3, 1e308])),
        "age": Numbers(np.array([1e300, -1e300, np.nan, 0, 5e-324, 1.7e308])),
        "town": words(["Fez", "nAn", "<NA>", "Lima", "1.0", "2.50"]),
    }
    return Table("hostile", columns, range(1, 7))


def of_before(encoder: Encoder) -> Encoder:
    """The encoder as a file has it that says nothing of how the cycles of its dates are computed."""
    config, tensors = encoder.state()
    columns = [dict(entry) for entry in config["columns"]]
    for entry in columns:
        if "parts" in entry:
            entry["parts"] = {name: value for name, value in entry["parts"].items() if name != "exact"}
    return Encoder.from_state(config | {"columns": columns}, tensors)
