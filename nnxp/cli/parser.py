"""The words and options of the command line, and their help texts. Imports nothing that is slow."""

import argparse
import re
from typing import Any, NoReturn

from nnxp import __version__
from nnxp.cli import explain_options, outward, run_options, serve_options, table_options, values
from nnxp.cli.recipes import RECIPES
from nnxp.errors import hint

DATA = (
    f"digits, spiral, moons, fashion-mnist, mnist, {table_options.TABLE}, an .npz file, or a folder of IDX files "
    "(as MNIST's)"
)

EXAMPLES = """\
examples:
  nnxp train digits
  nnxp train fashion-mnist --hidden 512,512 --epochs 20 --backend auto --out runs/fashion
  nnxp train measurements.csv --target species
  nnxp evaluate runs/fashion/model.safetensors fashion-mnist
  nnxp predict runs/measurements/model.safetensors new.csv --out predictions.csv
  nnxp export runs/measurements/model.safetensors --to model.onnx
  nnxp serve runs/measurements/model.safetensors --port 8000
  nnxp explain --format html --out step.html
  nnxp doctor
"""
TRAIN = """\
Train a network and write a run folder: the model (model.safetensors), the course of the training
(history.csv, curves.png), its result (summary.json) and by what its rows are known again
(training_rows.npy). Data without a test part of their own are divided: one fifth of the rows, drawn with the
seed and with equal shares of every class, is set aside and only tested on.
"""
EVALUATE = """\
Test a trained model: on the test part of the data, on the rows that its own training set aside if the data
are the same, else on all rows. The output says which, and how many of them equal a row that the model was trained
on: where some do, the others are scored by themselves too.
"""
PREDICT = """\
Predict for every row of a file: the class and the probability of each class, or the value, as CSV. Columns
of a CSV file are found by name; the target's column need not be there.
"""
DOCTOR = """\
What this machine can run, proved by running it: for every array library and each of its devices the versions, a
gradient check, 20 training steps held against NumPy's in float32 and float64, what a step allocates and whether it
waits for the device as far as that can be counted, a short timing, and on a GPU the batch size from which it is
faster than NumPy. Takes about 20 seconds, more where kernels are compiled for the first time.
Of the processes of a launcher (mpirun -n 2 nnxp doctor): where each runs, how long a sum over all of them takes, and
from which size of network on they are faster than one.
Exit code 0: every installed backend passed, and so did those that --backend names; 1: one did not.
"""


class UsageError(ValueError):
    """Options that are not understood, or do not fit together."""


class Parser(argparse.ArgumentParser):
    """argparse's, with errors of one line."""

    def error(self, message: str) -> NoReturn:
        """Raises instead of printing the usage and leaving."""
        raise UsageError(f"{message} (see {self.prog} --help)")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's; of a command, what it does not know raises here, where its options are known."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            options = re.findall(r"--[a-z][a-z-]*", self.format_usage())
            name = unknown[0].partition("=")[0]
            if name.startswith("-"):
                self.error(f"got {name}, which is no option{hint(name, options, form='{}')}")
            example = f", --target {unknown[0]} say" if "--target" in options else ""
            self.error(f"got {unknown[0]!r}, a word too many: expected an option before it{example}")
        return known, unknown


def parser() -> Parser:
    """The parser of `nnxp` and its commands."""
    main = Parser(
        prog="nnxp",
        description="Neural networks on NumPy, CuPy or PyTorch arrays. `nnxp COMMAND --help` explains each.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    main.add_argument("--version", action="version", version=f"nnxp {__version__}")
    commands = main.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, summary, text, add in (
        ("train", "train a network on a data set", TRAIN, _train),
        ("evaluate", "test a trained model", EVALUATE, _evaluate),
        ("predict", "let a trained model predict", PREDICT, _predict),
        ("export", "write a trained model for other programs", outward.EXPORT, outward.exporting),
        ("serve", "let a trained model answer over HTTP", serve_options.TEXT, _serve),
        ("explain", "one training step with every number", explain_options.EXPLAIN, explain_options.add),
        ("doctor", "what this machine can run, proved by running it", DOCTOR, _doctor),
    ):
        command = commands.add_parser(
            name,
            help=summary,
            description=text,
            epilog=_recipes() if name == "train" else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        add(command)
        command.add_argument("--debug", action="store_true", help="show Python's traceback of an error")
    return main


def _train(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", metavar="DATA", help=DATA)
    data = command.add_argument_group("the data")
    data.add_argument("--data-dir", metavar="DIR", help="the folder of the files of fashion-mnist or mnist")
    data.add_argument(
        "--target",
        metavar="NAME",
        help="what to predict: a column of the table, or an array of the npz file (y)",
    )
    table_options.reading(command)
    table_options.understanding(command)
    data.add_argument(
        "--validation-split",
        type=values.share,
        metavar="SHARE",
        help="hold out this share of the training rows and follow it in the curves; without it, the curves "
        "follow the test part, which never chooses anything",
    )
    network = command.add_argument_group("the network (see the settings below for what is not given)")
    network.add_argument(
        "--preset",
        metavar="NAME",
        help="of a table: ensemble (the default), binned, mlp, realmlp-s, realmlp or tabm (docs/tables.md)",
    )
    network.add_argument(
        "--hidden",
        type=values.hidden,
        metavar="N,N,...",
        help="units of each hidden layer, 512,512 for instance, or none",
    )
    network.add_argument("--activation", metavar="NAME", help="after each hidden layer: relu, silu, gelu, tanh, ...")
    network.add_argument(
        "--normalization",
        choices=("batch", "layer", "none"),
        help="normalise each hidden layer's outputs before its activation, over the batch or over the layer",
    )
    network.add_argument(
        "--dropout",
        type=values.share,
        metavar="RATE",
        help="share of each hidden layer's outputs dropped while training",
    )
    network.add_argument(
        "--input-dropout", type=values.share, metavar="RATE", help="share of the inputs dropped while training"
    )
    network.add_argument(
        "--members",
        type=values.members,
        metavar="K",
        help="train K such networks side by side, from initial weights of their own, and predict the mean of what they "
        "give (default: 1; of a table, what the preset says)",
    )
    network.add_argument(
        "--loss",
        metavar="NAME",
        help="classes: categorical_crossentropy; numbers: mean_squared_error (default), mean_absolute_error "
        "or huber, of the error in standard deviations of the target",
    )
    network.add_argument(
        "--class-weight",
        type=values.class_weight,
        metavar="W,W,...",
        help="what a sample of each class counts in the loss, in the order of the classes, or balanced: all classes "
        "count the same, however few their samples",
    )
    network.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="precision (default: %(default)s)"
    )
    training = command.add_argument_group("the training")
    training.add_argument("--optimizer", metavar="NAME", help="sgd, adagrad, rmsprop, adam, adamw or lion")
    training.add_argument("--learning-rate", type=float, metavar="RATE", help="the size of a step")
    training.add_argument(
        "--decay", type=float, metavar="RATE", help="the learning rate is divided by 1 + RATE * steps"
    )
    training.add_argument(
        "--schedule",
        metavar="NAME[:NUMBER]",
        help="how the learning rate changes, with a number of its own: cosine (its length), flat_cosine:0.5 (the share "
        "before it falls), coslog:4 (its waves), one_cycle (the length of "
        "its rise), linear_warmup:0.1 (its length), step_decay:1000 (the length of a stretch), exponential_decay:0.01 "
        "(the factor at the end), inverse_time_decay:0.001 (its rate) or reduce_on_plateau (its factor); a length is a "
        "number of steps or a share of the training",
    )
    training.add_argument(
        "--early-stopping",
        type=values.epochs,
        nargs="?",
        const=10,
        metavar="EPOCHS",
        help="stop when the loss of the rows held out has not improved for so many epochs (10), and keep the best "
        "weights; without --validation-split, one tenth is held out",
    )
    training.add_argument("--momentum", type=float, metavar="SHARE", help="sgd only: how much of the last step is kept")
    training.add_argument("--weight-decay", type=float, metavar="RATE", help="adamw and lion: how fast weights shrink")
    training.add_argument("--clip-norm", type=float, metavar="NORM", help="the largest norm of a step's gradient")
    training.add_argument("--epochs", type=int, metavar="N", help="passes over the training rows")
    training.add_argument("--batch-size", type=int, metavar="N", help="rows of one step")
    training.add_argument(
        "--seed", type=int, default=0, metavar="N", help="initial weights, order, dropout, test rows (default: 0)"
    )
    training.add_argument(
        "--reproducible",
        action="store_true",
        help="compute each batch in four parts, so that 1, 2 and 4 processes of a launcher end at the same bits",
    )
    training.add_argument(
        "--spread",
        choices=("rows", "members"),
        default="rows",
        help="what the processes of a launcher share: the rows of each batch (default), or the --members, of which "
        "each trains its own on all rows",
    )
    run_options.add(command)
    _backend(command)


def _evaluate(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", help="a model.safetensors")
    command.add_argument("data", metavar="DATA", help=DATA)
    command.add_argument("--data-dir", metavar="DIR", help="the folder of the files of fashion-mnist or mnist")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    table_options.reading(command)
    _backend(command)


def _predict(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", help="a model.safetensors")
    command.add_argument(
        "file",
        metavar="FILE",
        help=f"{table_options.TABLE}, an .npz file, or an IDX file of images, as the model was trained on",
    )
    table_options.reading(command)
    table_options.joining(command)
    command.add_argument("--out", metavar="FILE", help="the CSV file to write (default: standard output)")
    command.add_argument("--overwrite", action="store_true", help="replace the file that is there already")
    _backend(command)


def _serve(command: argparse.ArgumentParser) -> None:
    serve_options.add(command)
    _backend(command)


def _doctor(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--backend",
        metavar="NAME",
        action="append",
        help="examine this one alone: numpy, numpy+fast, array_api_strict, torch, torch:cuda, cupy, cupy:1, ...; "
        "may be given several times",
    )
    command.add_argument("--json", action="store_true", help="print one JSON document instead of a table")


def _backend(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--backend",
        metavar="NAME",
        default="numpy",
        help="where to compute: numpy (default), cupy, torch, torch:mps, ...; auto looks for a GPU",
    )
    command.add_argument(
        "--precision",
        choices=("float32", "tf32"),
        help="tf32 rounds the factors of float32 products to 10 bits, on an NVIDIA GPU since Ampere; by default as the "
        "array library has it set",
    )


def _recipes() -> str:
    """The settings by data set, for the end of the help text."""
    lines = (f"  {name:14} {recipe}" for name, recipe in RECIPES.items())
    return "settings where none are given:\n" + "\n".join(lines)
