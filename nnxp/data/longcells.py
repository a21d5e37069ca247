"""Cells of any length: the limit of the standard library's reader, which is one setting for the process."""

import csv
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 1 << 27
"""Characters of a cell: where a quote is never closed, the file's whole rest is one, and takes four bytes for each."""
_lock = threading.Lock()
_within, _before = 0, 0


@contextmanager
def long_cells() -> Iterator[None]:
    """Has `csv` read cells of up to `LONGEST` characters, not of 131,072; the last who leaves puts back what was there.

    Examples
    --------
    >>> before = csv.field_size_limit()
    >>> with long_cells():
    ...     len(next(csv.reader(["x" * 200_000]))[0])
    200000
    >>> csv.field_size_limit() == before
    True
    """
    global _within, _before
    with _lock:
        if not _within:
            _before = csv.field_size_limit(LONGEST)
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            if not _within:
                csv.field_size_limit(_before)
