"""What a server takes of anybody: so much time, so many bytes, rows and connections, and JSON of so many forms."""

import asyncio
import json
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import h11
from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

from nnxp.files import jsontext

LONGEST = 1000
"""Characters of an error, which may quote what was sent."""


@dataclass(frozen=True)
class Limits:
    """What is refused beyond these.

    Attributes
    ----------
    seconds : float
        From the first byte of a request, or the opening of a connection, to the last byte of the answer.
    bytes : int
        Of a request's body, counted as they are read.
    header_bytes : int
        Of its first line and headers.
    rows : int
        Of a request.
    values : int
        Of an answer, all its rows together: of very many classes, fewer rows are taken.
    connections : int
        At once; each has one request at a time.
    """

    seconds: float = 10.0
    bytes: int = 2**20
    header_bytes: int = 2**14
    rows: int = 1000
    values: int = 100_000
    connections: int = 128

    def of(self, outputs: int) -> "Limits":
        """Those for a model whose answers have so many values a row."""
        return replace(self, rows=max(1, min(self.rows, self.values // outputs)))


class Refusal(Exception):
    """A request that is not answered.

    Attributes
    ----------
    status : int
    ends : bool
        Whether the connection is closed, since what is left of the request is not read.
    """

    def __init__(self, status: int, message: str, ends: bool = False) -> None:
        super().__init__(message)
        self.status, self.ends = status, ends


def error_text(message: str) -> bytes:
    """The body of an answer that says what is wrong."""
    message = " ".join(message.split())
    message = message if len(message) <= LONGEST else f"{message[:LONGEST]} …"
    return json.dumps({"error": message}).encode()


async def body_of(request: Request, limits: Limits) -> bytes:
    """A request's body, of so many bytes at most, whatever it says of its length."""
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and len(claimed) < 20 and int(claimed) > limits.bytes:
        raise _too_large(f"{int(claimed):,} bytes", limits)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limits.bytes:
            raise _too_large(f"more than {limits.bytes:,} bytes", limits)
    return bytes(body)


def _too_large(got: str, limits: Limits) -> Refusal:
    return Refusal(413, f"got {got}, expected at most {limits.bytes:,}: send the rows in several requests", ends=True)


def rows_of(body: bytes, limits: Limits) -> list[dict[str, Any]]:
    """The rows of a JSON text: an object of column names and cells, or a list of such objects."""
    try:
        value = jsontext.value_of(body.decode("utf-8"))
    except ValueError as error:
        raise Refusal(400, f"got what cannot be read as JSON in UTF-8: {error}") from None
    rows = value if isinstance(value, list) else [value]
    if len(rows) > limits.rows:
        raise Refusal(413, f"got {len(rows):,} rows, expected at most {limits.rows:,}: send them in several requests")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise Refusal(
                400, f'row {number} is {row!r:.60}; expected an object of column name to value, {{"age": 31}}'
            )
        for name, cell in row.items():
            if isinstance(cell, dict) or (isinstance(cell, list) and any(isinstance(one, dict | list) for one in cell)):
                raise Refusal(400, f"row {number}, column {name!r:.60}: got {cell!r:.60}, expected a number, a text, "
                              "true, false or null, of X a list of numbers")  # fmt: skip
    return rows


def protocol(limits: Limits) -> type[H11Protocol]:
    """uvicorn's protocol within limits: it has no deadline of its own for headers, bodies, or slow readers."""

    class Bounded(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None
        _is_one_too_many = False

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._begin()
            self._is_one_too_many = len(self.connections) > limits.connections
            if len(self.connections) > 2 * limits.connections:
                transport.abort()

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            if self._is_one_too_many:  # told here, since who is closed with a request unread may not get the answer
                self._end(503, f"got more than {limits.connections} connections at once: try again later")
                return
            if self.timeout_keep_alive_task is not None:  # the first byte after an answer
                self._begin()
            super().data_received(data)

        def on_response_complete(self) -> None:
            rest = self.conn.their_state is h11.SEND_BODY  # nobody reads it
            self._begin()
            super().on_response_complete()
            if rest:
                self.transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
            super().connection_lost(exc)

        def _begin(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
            self._deadline = self.loop.call_later(limits.seconds, self._expire)

        def _expire(self) -> None:
            if self.timeout_keep_alive_task is not None:  # between two requests, where uvicorn's own time runs
                return
            began = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
            if began or self.transport.is_closing():  # half an answer, or one that is not fetched
                self.transport.abort()
            elif self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
                self._end(503, f"got no answer within {limits.seconds:g} s: send fewer rows, or try again later")
            else:
                self._end(408, f"got no whole request within {limits.seconds:g} s")
            self._begin()

        def _end(self, status: int, message: str) -> None:
            """Answers whatever was asked, and closes the connection."""
            body = error_text(message)
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
            if self.cycle is not None:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            self.transport.close()

    return Bounded
