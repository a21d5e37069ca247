"""The options of what leaves the house, and their help texts. Imports nothing that is slow."""

import argparse

from nnxp.cli import table_options, values

EXPORT = """\
Write a trained model as an ONNX file, which other programs run without nnxp, and check it: it is written only if
it gives what nnxp predict does. Of a table the columns go in, by name, as texts, numbers and dates. Needs onnx, and
checks with onnxruntime where that is installed: pip install "nnxp[onnx]". Where the name ends in .py, it is a Python
file that needs NumPy alone, with the weights beside it.
"""


def exporting(command: argparse.ArgumentParser) -> None:
    """What is written where, and what it is checked with."""
    command.add_argument("model", metavar="MODEL", help="a model.safetensors")
    command.add_argument("--to", metavar="FILE", required=True, help="the file to write, model.onnx or predictor.py")
    command.add_argument(
        "--outputs",
        type=values.names,
        metavar="NAME,...",
        help="of classes probabilities, label (the default) and logits; of numbers prediction; of several members std",
    )
    command.add_argument(
        "--input-dtype", metavar="NAME", help="of a model of numbers: what X is of, uint8 for pixels as they are stored"
    )
    command.add_argument(
        "--check", metavar="FILE", help="rows to check the file with, as nnxp predict takes them (default: made up)"
    )
    table_options.reading(command)
    command.add_argument("--overwrite", action="store_true", help="replace the file that is there already")
