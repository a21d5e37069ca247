"""A fuzzer, guided by coverage, on what reads a model file before its checksum is known: `nox -s hostile`.

It needs atheris, and takes libFuzzer's options: `python -m tests.campaigns.fuzz_header FOLDER -max_total_time=600`.
The folder keeps what it found on its way, and begins with the good files of tests/helpers/mutants.py. What ends in
anything but a ModelFileError, or takes more than 10 s or a gigabyte, ends it, and stands in a file crash-*, timeout-*
or oom-*.
"""

import io
import struct
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=[f"nnxp.files.{name}" for name in ("jsontext", "header", "tensorfile", "configuration", "modelfile")]
):
    from nnxp import ModelFileError, Sequential
    from nnxp.files import configuration, modelfile

from tests.helpers.models import Scale
from tests.helpers.mutants import good

OPTIONS = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=20000")


GOOD = good()


def read(content: bytes) -> None:
    """Reads the header, the configuration and the state, and compares the tensors with what they say."""
    if content[:1] == b"{":  # a header by itself: its length and the data fit
        content = struct.pack("<Q", len(content)) + content + GOOD[0][8 + _length(GOOD[0]) :]
    try:
        saved = modelfile.Saved(io.BytesIO(content))
        with saved.blamed():
            saved.fits(configuration.build(Sequential, saved.config, {"Scale": Scale}))
        saved.reader.check()
    except ModelFileError:
        pass


def _length(content: bytes) -> int:
    return int(struct.unpack("<Q", content[:8])[0])


if __name__ == "__main__":
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(GOOD):
        (corpus / f"good-{number}").write_bytes(content)
        (corpus / f"header-{number}").write_bytes(content[8 : 8 + _length(content)])
    atheris.Setup([sys.argv[0], *OPTIONS, *sys.argv[1:]], read)
    atheris.Fuzz()
