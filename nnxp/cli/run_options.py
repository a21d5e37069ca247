"""The options of `nnxp train` that are about its run folder, and their help texts. Imports nothing that is slow."""

import argparse

from nnxp.cli import values


def add(command: argparse.ArgumentParser) -> None:
    """Where the results go, what is among them, and what becomes of a run that is there."""
    out = command.add_argument_group("the results")
    out.add_argument("--out", metavar="FOLDER", help="the run folder (default: runs/ and the name of the data)")
    out.add_argument(
        "--overwrite",
        action="store_true",
        help="replace a run that is there already; it stays, and so does a checkpoint, until this one's files take "
        "their places",
    )
    out.add_argument(
        "--checkpoint-every",
        type=values.every,
        metavar="N",
        help="save where the training stands every N steps, or every N minutes, 10m, and on Ctrl-C and SIGTERM, to "
        "checkpoint.safetensors in the run folder; removed when the run is complete. A save that fails is a "
        "warning, and the training goes on",
    )
    out.add_argument(
        "--resume",
        action="store_true",
        help="go on from the run folder's checkpoint, given the same options, to the same weights as without an "
        "interruption; begin afresh where there is none. Without --checkpoint-every, saves after each epoch. A "
        "checkpoint or a complete run of other options or data is refused by the difference: --overwrite, without "
        "--resume, trains anew",
    )
    out.add_argument(
        "--page",
        action="store_true",
        help="write playground.html too: one page, which needs no network, with the decision surface through the "
        "epochs, each hidden neuron's own, the loss, the sizes of the gradients and the dead units; of two features: "
        "spiral, moons, or an .npz file with X of two columns",
    )
    out.add_argument("--quiet", action="store_true", help="print nothing but errors")
