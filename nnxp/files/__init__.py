"""A model's file, and files that are written whole or not at all.

`modelfile` says what of a model is in it, `configuration` what it is made of, `tensorfile` is the container and
`jsontext` its texts; `wholefile` writes. docs/file-format.md specifies the format.
"""
