"""The options of `nnxp serve`, and its help text."""

import argparse

from nnxp.cli import values

TEXT = """\
Let a trained model answer over HTTP, until Ctrl-C or SIGTERM ends it: rows as JSON, by column name, are sent to
POST /predict, and predicted as nnxp predict does; GET /schema says what columns they have (with words of the
training data, as the model's file has them), GET /health that the server is there, and / is a form to try a row.
Answers on this machine alone unless --host says otherwise; there is no password and no encryption.
"""


def add(command: argparse.ArgumentParser) -> None:
    """Adds them."""
    command.add_argument("model", metavar="MODEL", help="a model.safetensors")
    command.add_argument(
        "--port", type=values.port, default=8000, metavar="N", help="0: one that is free (default: 8000)"
    )
    command.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where to listen; 0.0.0.0: at every address of this machine (default: 127.0.0.1)",
    )
    command.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name that it is asked by, behind a proxy say; may be given several times",
    )
