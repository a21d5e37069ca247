"""All numbers that people are told about a model on a table, in one document."""

from nnxp.tabular.findings.document import Part, findings

__all__ = ["Part", "findings"]
