"""What a package defines, whether or not its registry knows it."""

import importlib
import pkgutil


def defined(package: str, base: type) -> set[type]:
    """The public subclasses of `base` in a module or package of nnxp, but for those of its `base` module."""
    module = importlib.import_module(package)
    for part in pkgutil.iter_modules(getattr(module, "__path__", []), f"{package}."):
        importlib.import_module(part.name)
    found, waiting = set[type](), [base]
    while waiting:
        waiting += (children := waiting.pop().__subclasses__())
        found |= {c for c in children if c.__module__ == package or c.__module__.startswith(f"{package}.")}
    return {c for c in found if not c.__module__.endswith(".base") and c is not base and not c.__name__.startswith("_")}
