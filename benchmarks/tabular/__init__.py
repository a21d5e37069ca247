"""Presets for tables beside other libraries, on public tables: PROTOCOL.md says how, `python -m benchmarks.tabular`
does it."""
