"""The report of a model on a table: one page of HTML."""

from nnxp.tabular.report.page import report

__all__ = ["report"]
