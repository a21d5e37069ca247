"""A model behind an address."""

import socket
from collections.abc import Collection
from typing import Any

import uvicorn

from nnxp.errors import DataError
from nnxp.serving.answering import Answering
from nnxp.serving.app import application
from nnxp.serving.batching import Batches
from nnxp.serving.limits import Limits, protocol

HERE = ("localhost", "127.0.0.1", "[::1]")
"""What a machine calls itself."""
EVERYWHERE = ("0.0.0.0", "::", "")
KEPT = 5
"""Seconds that a connection without a request stays open."""


class Server(uvicorn.Server):
    """uvicorn's, with one model, on a socket that is bound already.

    Parameters
    ----------
    answering : Answering
    host, port
        Where; port 0 is one that is free.
    allowed : collection of str
        Other names that it is asked by, behind a proxy say.
    limits : Limits
    title : str
        What the page calls the model.

    Attributes
    ----------
    url : str

    Raises
    ------
    DataError
        The address cannot be had.
    """

    def __init__(
        self,
        answering: Answering,
        host: str = "127.0.0.1",
        port: int = 8000,
        *,
        allowed: Collection[str] = (),
        limits: Limits | None = None,
        title: str = "a model",
    ) -> None:
        limits = limits or Limits()
        try:
            kind = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.socket = socket.create_server((host, port), family=kind)
        except OSError as error:
            why = error.strerror or error
            raise DataError(f"cannot listen at {host}, port {port} ({why}): try another --port or --host") from None
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{'localhost' if host in EVERYWHERE else name}:{self.socket.getsockname()[1]}"
        names = {*HERE, *(other.lower() for other in (name, *allowed))} - {*EVERYWHERE}
        self.batches = Batches(answering, limits.rows, limits.connections)
        super().__init__(
            uvicorn.Config(
                application(answering, self.batches, limits, names, title),
                http=protocol(limits),
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEPT,
                timeout_graceful_shutdown=int(limits.seconds) or 1,
                h11_max_incomplete_event_size=limits.header_bytes,
            )
        )

    def run(self, sockets: Any = None) -> None:
        """Answers until a signal ends it, once what was asked is answered."""
        try:
            super().run(sockets=[self.socket])
        finally:
            self.socket.close()
            self.batches.close()
