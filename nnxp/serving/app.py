"""What is answered at which address."""

import json
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from nnxp.serving.answering import Answer, Answering
from nnxp.serving.batching import Batches, Busy
from nnxp.serving.form import page, row_of
from nnxp.serving.limits import Limits, Refusal, body_of, error_text, rows_of

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
Endpoint = Callable[[Request], Awaitable[Response]]
log = logging.getLogger("nnxp")


def application(
    answering: Answering, batches: Batches, limits: Limits, hosts: Collection[str], title: str
) -> Starlette:
    """The routes.

    Parameters
    ----------
    hosts : collection of str
        The names by which the server is asked, without a port. Another is refused: a page from elsewhere whose name is
        made to lead here asks by its own.
    title : str
        What the page calls the model.
    """
    shape, limits = _json(answering.schema()), limits.of(len(answering.outputs))

    async def health(request: Request) -> Response:
        return _json({"status": "ok"})

    async def schema(request: Request) -> Response:
        return shape

    async def predict(request: Request) -> Response:
        _check_type(request, "application/json")
        answer = await _answered(batches, rows_of(await body_of(request, limits), limits))
        return _json({"predictions": answer.predictions, "notes": answer.notes})

    async def ask(request: Request) -> Response:
        return _html(page(answering, title))

    async def try_a_row(request: Request) -> Response:
        _check_type(request, "application/x-www-form-urlencoded")
        body = await body_of(request, limits)
        try:
            pairs = parse_qsl(body.decode("ascii"), True, errors="strict", max_num_fields=len(answering.inputs))
            cells = {int(name): cell for name, cell in pairs}
            row = row_of(answering.inputs, cells)
        except ValueError:
            raise Refusal(400, "got fields that are not the form's, expected those of the page at /") from None
        try:
            answer = await _answered(batches, [row])
        except Refusal as refusal:
            return _html(page(answering, title, cells, error=str(refusal)), refusal.status)
        return _html(page(answering, title, cells, answer))

    routes = {"/health": ("GET", health), "/schema": ("GET", schema), "/predict": ("POST", predict)}
    routes |= {"/": ("GET", ask)}
    app = Starlette(
        routes=[
            *(Route(path, _within(hosts, endpoint), methods=[method]) for path, (method, endpoint) in routes.items()),
            Route("/", _within(hosts, try_a_row), methods=["POST"]),
        ],
        exception_handlers={HTTPException: _no_such_place},
    )
    app.router.redirect_slashes = False  # to a host that nobody has looked at
    return app


def _within(hosts: Collection[str], endpoint: Endpoint) -> Endpoint:
    """The endpoint, for requests to one of these hosts; what goes wrong is answered as JSON, without a traceback."""

    async def within(request: Request) -> Response:
        try:
            if (host := _name(request.headers.get("host", ""))) not in hosts:
                names = ", ".join(sorted(hosts))
                raise Refusal(400, f"got the host {host!r}, expected one of {names}: nnxp serve --allow-host NAME")
            return await endpoint(request)
        except Refusal as refusal:
            ends = {"connection": "close"} if refusal.ends else {}
            return Response(error_text(str(refusal)), refusal.status, HEADERS | ends, "application/json")
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody
        except Exception:
            log.exception("a request failed")
            return Response(error_text("this is a mistake in nnxp"), 500, HEADERS, "application/json")

    return within


async def _answered(batches: Batches, rows: list[dict[str, Any]]) -> Answer:
    try:
        return await batches.answer(rows)
    except ValueError as error:
        raise Refusal(400, str(error)) from None
    except Busy:
        raise Refusal(503, "got more requests than can be answered, expected fewer: try again later") from None


def _name(host: str) -> str:
    """A host without its port, as names are compared."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _check_type(request: Request, expected: str) -> None:
    """Raises where a body is of another type: a page from elsewhere can send only some without being asked."""
    got = request.headers.get("content-type", "")
    if got.partition(";")[0].strip().lower() != expected:
        raise Refusal(415, f"got the content-type {got!r:.80}, expected {expected}", ends=True)


def _json(value: Any) -> Response:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Response(text.encode(), 200, HEADERS, "application/json")


def _html(text: str, status: int = 200) -> Response:
    return Response(text.encode(), status, HEADERS, "text/html; charset=utf-8")


def _no_such_place(request: Request, error: Exception) -> Response:
    """What is said of an address that there is not, or of a method that it does not take."""
    assert isinstance(error, HTTPException)
    places = "GET /, /health and /schema, POST / and /predict"
    message = f"got {request.method} {request.scope['path']!r:.80}, expected one of {places}"
    return Response(error_text(message), error.status_code, HEADERS, "application/json")
