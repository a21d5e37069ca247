"""The order of a history's lists."""


def place(name: str) -> tuple[int, int]:
    """Where a list stands in the history: losses and metrics, those of the validation, the rest."""
    last = ("learning_rate", "seconds")
    return (2, last.index(name)) if name in last else (name.startswith("val_"), not name.endswith("loss"))
