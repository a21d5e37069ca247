"""Where modules stood before they moved into rooms, so that pickles made then can be read.

A pickle names the module of every class and function that it holds. An import of an old name gives the module of
today, the same object, and nothing else in the package uses an old name.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "nnxp.backends.libraries": "nnxp.backends.finding",  # get_backend, which every pickled backend calls
    "nnxp.checkpoint": "nnxp.incoming",  # load
    "nnxp.data.arrays": "nnxp.data.npzfile",  # npz, in a pipeline's step say
    "nnxp.data.tables": "nnxp.data.csvfile",  # csv
    "nnxp.estimators.labels": "nnxp.estimators.classes",  # Labels, of a fitted classifier
    "nnxp.parameters": "nnxp.memory.parameters",  # ParameterStore and its kin, of layers and models
}
"""By the name in pickles of nnxp 0.1.0 of November 2026, with what they hold of it. Of what else moved a pickle holds
nothing, but `nnxp.kernels.show`, which `kernels/fusion` still gives."""


class Finder:
    """Finds the modules of `MOVED`, where no other finder of `sys.meta_path` has."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec that `exec_module` serves; None for every name that has not moved."""
        return ModuleSpec(name, cls) if name in MOVED else None  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """The import system's own empty module, which `exec_module` exchanges."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Puts the module of today in the old one's place."""
        sys.modules[module.__name__] = importlib.import_module(MOVED[module.__name__])


def install() -> None:
    """Makes the old names importable."""
    if Finder not in sys.meta_path:
        sys.meta_path.append(Finder)
