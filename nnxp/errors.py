"""The errors nnxp raises of its own. Each is also the built-in error that fits it. And what was perhaps meant."""

from collections.abc import Iterable, Mapping


class BackendUnavailableError(RuntimeError):
    """A backend was asked for that this machine cannot run. The message names the cause and the fix."""


class BackendMismatchError(ValueError):
    """Arrays of two libraries or two devices met, or an array met a backend that was named differently."""


class DataError(ValueError):
    """A data set cannot be read or used as it stands."""


class ModelFileError(ValueError):
    """A model file is damaged, of another format, or does not fit what is asked of it."""


class ExportError(ValueError):
    """A model cannot be written for other runtimes, or the file would compute something else. Nothing is written."""


class NonFiniteLossError(FloatingPointError):
    """Training met a loss that is not a finite number. The weights are those of the last finite epoch."""


class NotComputedError(AttributeError):
    """An attribute was read that no forward or backward has computed yet."""


def nearest(name: str, known: Iterable[str], usual: Mapping[str, str] | None = None) -> str | None:
    """The known name that was perhaps meant; None where there is none.

    Parameters
    ----------
    name, known
        What was given, and what could have been.
    usual
        What other libraries call a known name, or "one and another", words apart. A text with a bracket is advice of
        its own, whatever is known.

    Examples
    --------
    >>> nearest("epoch", ["epochs", "batch_size"]), nearest("lr", ["learning_rate"], {"learning_rate": "lr eta"})
    ('epochs', 'learning_rate')
    """
    known = list(known)
    for target, others in (usual or {}).items():
        if name.lower() in others.split() and ("(" in target or all(part in known for part in target.split(" and "))):
            return target
    import difflib  # 2 ms, for an error alone

    return next(iter(difflib.get_close_matches(name, known, 1, 0.65)), None)


def hint(name: str, known: Iterable[str], usual: Mapping[str, str] | None = None, form: str = "{!r}") -> str:
    """What an error adds where a known name was meant, perhaps, "; did you mean 'epochs'?", or nothing: `nearest`."""
    near = nearest(name, known, usual)
    return "" if near is None else f"; did you mean {form.format(near)}?"
