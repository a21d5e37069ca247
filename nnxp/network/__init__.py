"""Layers in a row."""
