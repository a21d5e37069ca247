"""Damaged and made-up files (tests/helpers/mutants.py), loaded one after the other.

`python -m tests.campaigns.hostile 20000 [SEED]` loads so many. Each has to end in a ModelFileError, or in a model with
the very tensors that the file holds: those of the good file, or, where the checksum was made to fit, those that the
safetensors library finds.
"""

import contextlib
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import safetensors.numpy

import nnxp
from nnxp import ModelFileError
from nnxp.files import modelfile
from nnxp.layers.parts import with_parts
from nnxp.tabular import Encoder
from tests.helpers.models import Scale
from tests.helpers.mutants import DAMAGES, KINDS, good, split

ROOM = 2**30  # address space that loading may take beyond what the process has: no file has more than some 600 kB
PATIENCE = 20  # seconds


def campaign(count: int, seed: int) -> str:
    """Loads so many files; what came of it. Raises where it is not as it should be."""
    files, rng = good(), random.Random(seed)
    originals = [safetensors.numpy.load(content) for content in files]
    outcomes: Counter[str] = Counter()
    longest, largest = (0.0, ""), (0, "")
    for content, tensors in zip(files, originals, strict=True):  # everything is imported, and no file is refused
        check(content, content, tensors, None)
        check(content, content, tensors, "numpy")
    signal.signal(signal.SIGALRM, _too_long)
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + ROOM, resource.RLIM_INFINITY))
    for number in range(count):
        which = rng.randrange(len(files))
        (kind,) = rng.choices([*KINDS], [*KINDS.values()])
        mutant = files[which]
        while mutant == files[which]:
            mutant = kind(rng, files[which])
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM, the largest so far, begins anew
        before, start = _status("VmRSS"), time.perf_counter()
        signal.alarm(PATIENCE)
        try:
            outcome = check(mutant, files[which], originals[which], rng.choice((None, "numpy")))
            assert outcome == "refused" or kind not in DAMAGES, "a damaged file was taken for a good one"
        except BaseException:
            place = Path(tempfile.gettempdir(), f"hostile-{seed}-{number}.safetensors")
            place.write_bytes(mutant)
            raise AssertionError(
                f"number {number}, {kind.__name__}, kept as {place}:\n{traceback.format_exc()}"
            ) from None
        finally:
            signal.alarm(0)
        outcomes[f"{kind.__name__}: {outcome}"] += 1
        seconds, memory = time.perf_counter() - start, _status("VmHWM") - before
        longest, largest = max(longest, (seconds, kind.__name__)), max(largest, (memory, kind.__name__))
    lines = [f"{count} files: 0 crashes, 0 hangs, 0 accepted with other tensors than theirs"]
    lines += [f"  {outcome}: {n}" for outcome, n in sorted(outcomes.items())]
    lines += [
        f"longest time {longest[0]:.3f} s ({longest[1]}), largest memory {largest[0] / 1e6:.1f} MB ({largest[1]})"
    ]
    return "\n".join(lines)


def check(mutant: bytes, original: bytes, tensors: dict[str, Any], backend: str | None) -> str:
    """ "refused", "accepted", or an error: a file that is accepted must hold what the model then has."""
    try:
        model = modelfile.from_bytes(nnxp.Sequential, mutant, backend=backend, layers={"Scale": Scale})
    except ModelFileError as error:
        if not 0 < len(str(error)) < 2000:
            raise AssertionError("it says nothing, or too much") from error
        return "refused"
    if _sealed_anew(mutant, original):  # else the checksum was made to fit something else
        tensors = {**safetensors.numpy.load(mutant)}
    places = with_parts(model.layers)
    found = {f"{position}.{name}": getattr(layer, name) for position, layer in places for name in layer.stored()}
    found |= {f"optimizer.{k}": v for k, v in model.optimizer.saved_state(model.store).items()}
    found |= {f"encoder.{k}": v for k, v in (model.encoder or ({}, {}))[1].items()}
    with contextlib.suppress(ModelFileError):
        Encoder.of(model)
    expected = {name: a for name, a in tensors.items() if not name.startswith("training.")}
    assert found.keys() == expected.keys(), f"{found.keys()} and {expected.keys()}"
    for name, a in expected.items():
        assert a.dtype == found[name].dtype and a.tobytes() == found[name].tobytes(), f"{name} is another"
    return "accepted"


def _sealed_anew(mutant: bytes, original: bytes) -> bool:
    sums = [dict(split(content)[0])["__metadata__"]["sha256"] for content in (mutant, original)]
    return sums[0] != sums[1]


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return 1024 * int(found[1])


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"more than {PATIENCE} s")


if __name__ == "__main__":
    print(campaign(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
