"""The errors nnxp raises of its own. Each is also the built-in error that fits it."""


class BackendUnavailableError(RuntimeError):
    """A backend was asked for that this machine cannot run. The message names the cause and the fix."""


class BackendMismatchError(ValueError):
    """Arrays of two libraries or two devices met, or an array met a backend that was named differently."""


class DataError(ValueError):
    """A data set cannot be read or used as it stands."""


class ModelFileError(ValueError):
    """A model file is damaged, of another format, or does not fit what is asked of it."""


class NonFiniteLossError(FloatingPointError):
    """Training met a loss that is not a finite number. The weights are those of the last finite epoch."""


class NotComputedError(AttributeError):
    """An attribute was read that no forward or backward has computed yet."""
