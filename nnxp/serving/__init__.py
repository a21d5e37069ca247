"""A model that answers over HTTP: `nnxp serve`. docs/serving.md says what it takes and what it refuses.

It needs the extra `serve` (Starlette and uvicorn), and is imported when it is first asked for.
"""

try:
    from nnxp.serving.answering import Answering
    from nnxp.serving.server import Server
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "h11"):
        raise
    raise ModuleNotFoundError(
        'serving needs Starlette and uvicorn: pip install "nnxp[serve]"', name="uvicorn"
    ) from None

__all__ = ["Answering", "Server"]
