"""Layers in a row: which fit each other (`architecture`), what a `model` of them is, the order of its `history`,
its `summary`, initial weights from the data (`drawing`), and layers that hold layers."""
