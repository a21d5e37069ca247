"""`nnxp serve`: a trained model that answers over HTTP."""

import argparse
from pathlib import Path

from nnxp.cli.parser import UsageError
from nnxp.cli.saved import as_spelled, open_model, wanted
from nnxp.tabular import Encoder


def run(args: argparse.Namespace) -> None:
    """Answers until it is ended."""
    try:
        from nnxp.serving import Answering, Server
    except ModuleNotFoundError as error:
        raise UsageError(str(error)) from None
    model, preprocessing = open_model(args.model, args.backend, args.precision)
    encoder = Encoder.of(model)
    if encoder is not None:
        wanted(encoder)
    answering = Answering(model, preprocessing, () if encoder is None else as_spelled(encoder))
    title = Path(args.model).name
    server = Server(answering, args.host, args.port, allowed=args.allow_host, title=title)
    print(f"{args.model} answers at {server.url} (POST /predict; a form at /); Ctrl-C ends it", flush=True)
    if args.host not in ("127.0.0.1", "localhost", "::1"):
        print(
            f"{args.host}: whoever reaches this address can ask the model, and read words of its training data in "
            "/schema; there is no password and no encryption",
            flush=True,
        )
    server.run()
