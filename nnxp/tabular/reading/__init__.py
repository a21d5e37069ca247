"""A table from a file, a frame or rows."""

from nnxp.tabular.reading.reader import blocks, read

__all__ = ["blocks", "read"]
