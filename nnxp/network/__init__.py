"""Layers in a row: which fit each other (`architecture`), what a `model` of them is, the order of its `history`, and
its `summary`."""
