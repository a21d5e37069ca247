"""Layers in a row: which fit each other (`architecture`), what a `model` of them is, and the order of its `history`."""
