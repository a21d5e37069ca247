"""The options of `nnxp explain`, and their help texts. Imports nothing that is slow."""

import argparse

from nnxp.cli import table_options, values

EXPLAIN = """\
One training step with every number: formula, numbers put in, value, for each layer, the loss, the gradients with their
central differences beside them, and the optimizer's update. Of a trained model, the step that it would do next on some
rows of a file; the model's file stays as it is. Without MODEL and FILE, the example of two inputs, two hidden and two
output neurons that many explanations of backpropagation work through.
"""


def add(command: argparse.ArgumentParser) -> None:
    """The model, its rows, and where the page goes."""
    command.add_argument(
        "model", metavar="MODEL", nargs="?", help="a model.safetensors: one network, of at most 5,000 parameters"
    )
    command.add_argument(
        "data", metavar="FILE", nargs="?", help=f"{table_options.TABLE}, an .npz file, digits, spiral or moons"
    )
    command.add_argument(
        "--rows",
        dest="stretch",
        type=values.stretch,
        metavar="FROM:TO",
        help="the file's rows, from 0 on, without TO (default: 0:2)",
    )
    command.add_argument(
        "--format",
        choices=("text", "markdown", "html"),
        help="html is one page that needs no network, step by step by buttons or the arrow keys (default: as the name "
        "of --out ends, .html or .md, else text)",
    )
    command.add_argument("--out", metavar="FILE", help="the file to write (default: standard output)")
    command.add_argument("--overwrite", action="store_true", help="replace the file that is there already")
    table_options.reading(command)
