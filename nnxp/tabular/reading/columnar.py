"""Files of typed columns, Parquet and Arrow, read by polars or pyarrow."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from nnxp.errors import DataError
from nnxp.tabular.reading.frames import as_table
from nnxp.tabular.reading.sources import Source, installed
from nnxp.tabular.table import Table


def table(source: Source, texts: Collection[str], reader: str | None) -> Table:
    """The rows of a file."""
    library = next((name for name in ("polars", "pyarrow") if reader in (name, None) and installed(name)), None)
    if library is None:
        raise DataError(
            f'{source.name} is a file of {source.format}, which polars or pyarrow reads: pip install "nnxp[tables]", '
            "or save it as CSV"
        )
    try:
        frame = _polars(source) if library == "polars" else _pyarrow(source)
    except Exception as error:  # each library has its own
        raise DataError(f"{source.name} is no file of {source.format} that {library} can read: {error}") from None
    found = as_table(frame, texts=texts, name=source.name)
    return replace(found, notes=(source.format, *found.notes))


def _polars(source: Source) -> Any:
    import polars

    with source.opened() as stream:
        read = {"Parquet": polars.read_parquet, "Arrow": polars.read_ipc, "Arrow stream": polars.read_ipc_stream}
        return read[source.format](stream.read())


def _pyarrow(source: Source) -> Any:
    import pyarrow
    import pyarrow.parquet

    with source.opened() as stream:
        content = pyarrow.BufferReader(stream.read())
    if source.format == "Parquet":
        return pyarrow.parquet.read_table(content)
    open_ = pyarrow.ipc.open_file if source.format == "Arrow" else pyarrow.ipc.open_stream
    return open_(content).read_all()
