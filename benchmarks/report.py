"""A page of what was measured: `python -m benchmarks.report` writes benchmarks/report/index.html and its plots."""

import argparse
import html
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from benchmarks import compare, measurements
from benchmarks.gpu import results, text
from benchmarks.problems import STEPS
from benchmarks.table import Measurements, Row, ratio

KINDS = {
    "step": "Training step",
    "epoch": "Epoch of fit",
    "prediction": "Prediction",
    "layer": "Layers",
    "kernel": "Kernels",
    "memory": "Peak memory",
    "start": "Start",
    "growth": "Growth",
}
BACKENDS = {"fast": "nnxp, fast", "numpy": "nnxp, NumPy only", "torch": "nnxp on PyTorch"}
GPU = "cupy"
GPU_COMMAND = "nox -s bench -- cupy13"
GPU_STEPS = "python -m benchmarks.gpu --out benchmarks/report"
COLORS = {"fast": "#1b6ca8", "numpy": "#e07b39", "torch": "#7a7a7a", "floor": "black"}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } caption { text-align: left; font-weight: 600; padding: .3em 0 }
th, td { padding: .2em .7em; border-bottom: 1px solid #ddd; text-align: right; font-variant-numeric: tabular-nums }
td { white-space: nowrap }
th:first-child, td:first-child { text-align: left } th { border-bottom: 2px solid #888; vertical-align: bottom }
small { color: #666 } img { max-width: 100% } code { background: #f3f3f3; padding: 0 .2em }
"""


def table(rows: Iterable[Iterable[str]], caption: str = "") -> str:
    """An HTML table of cells that are HTML already; the first row is the header."""
    header, *body = rows
    lines = [f"<table><caption>{caption}</caption>", f"<tr>{''.join(f'<th>{cell}</th>' for cell in header)}</tr>"]
    lines += [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in body]
    return "\n".join([*lines, "</table>"])


def duration(seconds: float) -> str:
    """Seconds, in the unit that suits them."""
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def cell(row: Row | None) -> str:
    """A ratio, and beside it what it is made of."""
    if row is None:
        return ""
    if "action" in row:
        floor, action = row["floor"], row["action"]
        detail = (
            f"median {duration(action['median'])}, min {duration(action['min'])}, spread {action['spread']:.0%} of "
            f"{action['rounds']} rounds; floor ({row['floor_is']}): median {duration(floor['median'])}, "
            f"min {duration(floor['min'])}, spread {floor['spread']:.0%}; ratio of minima {row['ratio_of_minima']:.2f}"
        )
        shown = f"{ratio(row)} <small>{duration(action['median'])}</small>"
        return f'<span title="{html.escape(row.get("reason", "") + " " + detail)}">{shown}</span>'
    if "peak" in row:
        return f"{ratio(row)} <small>{row['peak'] / 1e6:.1f} MB of {row['floor'] / 1e6:.1f}</small>"
    return "<br>".join(f"{html.escape(name)} {duration(seconds)}" for name, seconds in row["parts"].items())


def section(found: Measurements, kind: str) -> str:
    """One kind of case: a row each, a column for each backend and thread setting, and the GPU's."""
    rows = [row for file in found.files.values() if file for row in file["cases"] if row["kind"] == kind]
    keys = list(dict.fromkeys((row["case"], row["dtype"]) for row in rows if row["backend"] != GPU))
    labels = [label for label in BACKENDS if any(row["backend"] == label for row in rows)]
    columns = [(setting, label) for setting in measurements.SETTINGS for label in labels]
    header = [
        "",
        *(f"{measurements.SETTINGS[setting]}<br>{BACKENDS[label]}" for setting, label in columns),
        "GPU (CuPy)",
    ]
    lines = [header]
    for case, dtype in keys:
        wanted = {"kind": kind, "case": case, "dtype": dtype}
        cells = [cell(found.case(setting, backend=label, **wanted)) for setting, label in columns]
        gpu = next((r for s in measurements.SETTINGS if (r := found.case(s, backend=GPU, **wanted))), None)
        timed = [cell(gpu), *(results.cell(run, case, dtype) or "" for run in found.gpu if kind == "step")]
        shown = "<br>".join(filter(None, timed))
        lines.append([f"{html.escape(case)} {dtype}", *cells, shown or "not measured"])
    return f"<h2>{KINDS[kind]}</h2>{table(lines)}" if keys else ""


def peers_section(found: Measurements) -> str:
    """Every job of the comparison, both thread settings; the GPU has no peers measured."""
    parts = []
    header = ["", "median", "min", "spread", "of floor", "of fastest peer", "cores", "first", "last"]
    for setting, words in measurements.SETTINGS.items():
        for job in (found.peers[setting] or {}).get("jobs", []):
            rows: list[list[str]] = [header]
            for name, entry in job["contenders"].items():
                if "median" in entry:
                    cells = [compare.cell(entry, column) for column in compare.COLUMNS]
                else:
                    cells = [f"<small>{html.escape(entry['reason'])}</small>", *[""] * (len(header) - 2)]
                version = next(iter(list(entry.get("versions", {}).values())[1:]), "")
                rows.append([f"{compare.TITLES[name]} <small>{version}</small>", *cells])
            parts.append(table(rows, f"{job['title']}, {words}, {job['count']} a round"))
    return "\n".join(parts)


def gpu_section(run: results.Document) -> str:
    """A run of `python -m benchmarks.gpu`, its tables and what is missing in them."""
    parts = [f"<h2>On a GPU: {html.escape(results.gpu(run))}</h2><p>{html.escape(results.where(run))}</p>"]
    for caption, rows in text.tables(run):
        if len(rows) > 1:
            parts.append(table(([html.escape(cell) for cell in row] for row in rows), html.escape(caption)))
    parts += [f"<small>{html.escape(f'{what}: {why}')}</small><br>" for what, why in text.missing(run)]
    return "".join(parts)


def plot_steps(found: Measurements, folder: Path) -> str:
    """Ratios to the floor, a group of bars for each size."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 3.6), sharey=True, layout="constrained")
    for axis, (setting, words) in zip(axes, measurements.SETTINGS.items(), strict=True):
        for i, label in enumerate(BACKENDS):
            for j, case in enumerate(STEPS):
                row = found.case(setting, kind="step", case=case.name, dtype="float32", backend=label)
                if row and "ratio" in row and not row.get("void"):
                    bar = axis.bar(j + 0.26 * (i - 1), row["ratio"], 0.24, color=COLORS[label])
                    axis.bar_label(bar, fmt="%.2f", fontsize=8)
            axis.bar(0, 0, color=COLORS[label], label=BACKENDS[label])
        axis.axhline(1, color=COLORS["floor"], linewidth=1)
        axis.set_xticks(range(len(STEPS)), [case.name.replace(", ", "\n") for case in STEPS], fontsize=8)
        axis.set_title(f"{words}, float32")
    axes[0].set_ylabel("step / its matrix products")
    axes[0].legend(frameon=False)
    return _saved(figure, folder, "steps")


def plot_growth(found: Measurements, folder: Path) -> str:
    """Step time against width, depth and batch, beside the floor's."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 6.5), layout="constrained")
    for line, (setting, words) in zip(axes, measurements.SETTINGS.items(), strict=True):
        rows = [row for row in (found.files[setting] or {}).get("cases", []) if row["kind"] == "growth"]
        for axis, name in zip(line, ("width", "depth", "batch"), strict=True):
            for label in ("numpy", "fast"):
                chosen = [row for row in rows if (row["axis"], row["backend"]) == (name, label) and "action" in row]
                if not chosen:
                    continue
                x = [row["value"] for row in chosen]
                axis.plot(x, [row["action"]["median"] for row in chosen], "o-", ms=4, color=COLORS[label], label=label)
                if label == "fast" or not any(row["backend"] == "fast" for row in rows):
                    floors = [row["floor"]["median"] for row in chosen]
                    axis.plot(x, floors, "--", color=COLORS["floor"], label="floor")
                for row in chosen:
                    if row.get("void"):
                        axis.annotate("void", (row["value"], row["action"]["median"]), fontsize=7)
                axis.set(xscale="log", yscale="log")
            if not axis.lines:
                axis.text(0.5, 0.5, "not measured", ha="center", transform=axis.transAxes)
            axis.set(xlabel=name, title=f"{name}, {words}")
            axis.set_xticks(sorted({row["value"] for row in rows if row["axis"] == name}))
            axis.xaxis.set_major_formatter("{x:.0f}")
            axis.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        line[0].set_ylabel("seconds a step")
    if axes[0][0].lines:
        axes[0][0].legend(frameon=False)
    return _saved(figure, folder, "growth")


def plot_peers(found: Measurements, folder: Path) -> str:
    """Medians over the floor's, a panel for each job."""
    titles = list(dict.fromkeys(job["title"] for file in found.peers.values() if file for job in file["jobs"]))
    if not titles:
        return ""
    names = [name for name in compare.TITLES if name != compare.FLOOR]
    figure, axes = plt.subplots(
        1, len(titles), figsize=(2.6 * len(titles) + 1.6, 4), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, title in zip(axes[0], titles, strict=True):
        for offset, (setting, words) in zip((-0.2, 0.2), measurements.SETTINGS.items(), strict=True):
            rows = found.contenders(setting, title)
            figures = {name: row["ratio"] for name, row in rows.items() if "ratio" in row and not row.get("void")}
            drawn = [(i, figures[name]) for i, name in enumerate(names) if name in figures]
            places = [i + offset for i, _ in drawn]
            color = "#1b6ca8" if offset < 0 else "#9cc4e4"
            bars = axis.barh(places, [value for _, value in drawn], 0.38, color=color, label=words)
            axis.bar_label(bars, fmt="%.2f", fontsize=6)
        axis.set_xscale("log")
        axis.axvline(1, color="black", linewidth=1)
        axis.set_title(title.replace(", ", "\n"), fontsize=8)
    axes[0][0].set_yticks(range(len(names)), [compare.TITLES[name] for name in names])
    axes[0][0].invert_yaxis()
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper left", fontsize=8, frameon=False)
    figure.supxlabel("time / the matrix products alone in NumPy (log)", fontsize=9)
    return _saved(figure, folder, "peers")


def _saved(figure: Any, folder: Path, name: str) -> str:
    figure.savefig(folder / f"{name}.svg")
    figure.savefig(folder / f"{name}.png", dpi=110)
    plt.close(figure)
    return f'<p><img src="{name}.svg" alt="{name}"></p>'


def page(found: Measurements, folder: Path) -> str:
    """The whole page; its plots are written beside it."""
    machine = found.machine()
    asked = {
        words: (found.files[s] or {}).get("machine", {}).get("threads") for s, words in measurements.SETTINGS.items()
    }
    threads = [["", "asked", "reported"]]
    threads += [[words, t["asked"], ", ".join(f"{k}: {v}" for k, v in t["reported"].items())] for words, t in
                asked.items() if t]  # fmt: skip
    blas = html.escape(", ".join(machine["blas"]))
    body = [
        "<h1>nnxp: what was measured</h1>",
        f"<p>{html.escape(found.where())}</p>",
        table(threads, f"Threads; {blas}"),
        "<p>A figure is the median time of a case divided by that of its floor, the matrix products alone of the same "
        "case, measured in turn; beside it the time itself, and on pointing at it the rest. Kernels and activations "
        "have no products: their floor is one pass over memory that reads and writes as many numbers. <b>void</b>: the "
        f"floor's median exceeded {measurements.STEADY} times its minimum, or it got less than "
        f"{measurements.GRANTED} of a processor: the machine was too busy.</p>",
        "<p>GPU: <b>not measured</b> where the column says so. On a machine with an NVIDIA GPU "
        f"<code>{GPU_COMMAND}</code> fills it (<code>cupy12</code> for CUDA 12), and <code>{GPU_STEPS}</code> the "
        "steps, with plain CuPy, PyTorch and JAX beside them.</p>",
        plot_steps(found, folder),
        *(section(found, kind) for kind in KINDS if kind != "growth"),
        f"<h2>{KINDS['growth']}</h2>",
        plot_growth(found, folder),
        section(found, "growth").replace(f"<h2>{KINDS['growth']}</h2>", ""),
        "<h2>Beside other libraries</h2>",
        "<p>float32, equal arrays, initial weights, order of work and threads, Adam with the same settings; each in "
        "its own process, rounds in turn. First and last: the loss of the first step and of the last, which have to "
        "agree; for predictions, the first probability. Cores: processor time over wall time.</p>",
        plot_peers(found, folder),
        peers_section(found),
        *(gpu_section(run) for run in found.gpu),
    ]
    head = f'<meta charset="utf-8"><title>nnxp benchmarks</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", action="store_true", help="of what is under version control, not of the last run")
    found = Measurements(measurements.KEPT if parser.parse_args().kept else measurements.MEASURED)
    measurements.MEASURED.mkdir(exist_ok=True)
    target = measurements.MEASURED / "index.html"
    target.write_text(page(found, measurements.MEASURED), encoding="utf-8")
    print(target)


if __name__ == "__main__":
    main()
