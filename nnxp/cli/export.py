"""`nnxp export`: a trained model as a file that predicts without nnxp."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nnxp
from nnxp import data
from nnxp.cli import table_options
from nnxp.cli.opening import reading_options
from nnxp.cli.parser import UsageError
from nnxp.cli.runs import OutputFile
from nnxp.cli.saved import as_spelled, network_of, preprocessing_of
from nnxp.errors import DataError
from nnxp.sequential import Sequential
from nnxp.tabular import Encoder
from nnxp.tabular.onnx import tablefile
from nnxp.tabular.reading import read
from nnxp.tabular.standalone import export_predictor


def run(args: argparse.Namespace) -> None:
    """Writes the file, and says what it was checked with."""
    ending = Path(args.to).suffix.lower()
    if (write := WRITERS.get(ending)) is None:
        raise UsageError(f"got --to {args.to}, expected a file that ends in {' or '.join(WRITERS)}: --to model.onnx")
    out = OutputFile(args.to, args.overwrite, "--to")
    model = network_of(args.model, "numpy", None)
    try:
        print(write(args, model, out.path))
    except ModuleNotFoundError as error:
        raise UsageError(str(error)) from error
    print(f"written to {out.path}, {out.path.stat().st_size:,} bytes")


def _onnx(args: argparse.Namespace, model: Sequential, path: Path) -> str:
    """An ONNX file; what was checked."""
    if (encoder := Encoder.of(model)) is None:
        if wrong := table_options.given(args):
            raise UsageError(f"{wrong[0]} is for a table, and {args.model} was not trained on one as they are read now")
        check = None if args.check is None else data.features(args.check, preprocessing_of(args.model, model))
        said: Any = model  # of an estimator's file the estimator says what is predicted
        if "estimator" in model.preprocessing:
            said = nnxp.load_estimator(args.model, backend="numpy")
        return str(said.export(path, outputs=args.outputs, input_dtype=args.input_dtype, check=check))
    if args.input_dtype is not None:
        raise UsageError(
            "--input-dtype is for a model of numbers; of a table each column is an input, of text, float64 or int64"
        )
    table = None
    if args.check is not None:
        table = read(args.check, **reading_options(args), texts=as_spelled(encoder))
        if not len(table):
            raise DataError(f"--check: {table.source} has no rows, expected some to check the file with")
    return str(tablefile.export(model, path, args.outputs, table))


def _numpy_alone(args: argparse.Namespace, model: Sequential, path: Path) -> str:
    """A file of NumPy alone; what is beside it."""
    given = [name for name in ("outputs", "input_dtype", "check") if getattr(args, name) is not None]
    if wrong := [*(f"--{name.replace('_', '-')}" for name in given), *table_options.given(args)]:
        raise UsageError(f"{wrong[0]} is for an ONNX file, and a predictor of NumPy alone has none: leave it out")
    preprocessing_of(args.model, model)  # raises where a network's outputs are not what its estimator predicts
    beside = OutputFile(f"{path}.safetensors", args.overwrite, "--to").path
    export_predictor(model, path)
    return f"its weights are in {beside}, which it reads"


WRITERS: dict[str, Callable[[argparse.Namespace, Sequential, Path], str]] = {
    ".onnx": _onnx,
    ".py": _numpy_alone,
}
"""What writes a file, by its ending, and says what it was checked with."""
