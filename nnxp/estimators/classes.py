"""Class labels as what a network is trained on, and back."""

import re
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from nnxp.backends import Backend, get_backend
from nnxp.doors.labels import above
from nnxp.doors.options import balanced, not_negative, share
from nnxp.typing import Array, Floats, HostArray

INDEXED = ("bool", "int8", "int16", "int32", "int64", "uint8", "float32", "float64")
"""The types of which every library takes elements by their indices."""

TEXT = re.compile(r"\|O|<U[0-9]{1,3}")
"""The types of arrays of texts, in NumPy's spelling, that a file may name."""


@dataclass(frozen=True)
class Labels:
    """The classes of a classifier.

    Attributes
    ----------
    kind : str
        "binary" (one output, also for a single class), "multiclass" (one output a class) or "multilabel" (any number
        of classes a sample).
    classes : numpy.ndarray
        Sorted; 0, 1, ... for "multilabel".
    """

    kind: str
    classes: HostArray

    @classmethod
    def of(cls, y: HostArray, classes: Any = None) -> Self:
        """Those of y, or the given ones, of which y may have some."""
        check_classification_targets(y)
        if y.ndim == 2:
            if not type_of_target(y).startswith("multilabel"):
                raise ValueError(
                    f"got y of shape {y.shape} with {len(np.unique(y))} different values, expected class labels (n,), "
                    "or 0 and 1 for each sample and label: fit a classifier for each column"
                )
            return cls("multilabel", np.arange(y.shape[1]))
        known = np.unique(y if classes is None else np.asarray(classes))
        return cls("binary" if len(known) <= 2 else "multiclass", known)

    def same(self, other: "Labels") -> bool:
        """Whether y is encoded alike."""
        return self.kind == other.kind and np.array_equal(self.classes, other.classes)

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        return 1 if self.kind == "binary" else len(self.classes)

    @property
    def names(self) -> list[str] | None:
        """The classes for people, where the network tells them apart: what a model's file keeps."""
        told_apart = self.kind == "multiclass" or (self.kind == "binary" and len(self.classes) == 2)
        return [str(name) for name in self.classes.tolist()] if told_apart else None

    def encode(self, y: HostArray) -> HostArray:
        """Class indices (n,), or 0 and 1 (n, labels), as int64.

        Raises
        ------
        ValueError
            Labels that are none of the classes, or of another layout.
        """
        check_classification_targets(y)
        if self.kind == "multilabel" or y.ndim == 2:
            outputs = len(self.classes) if self.kind == "multilabel" else 1
            if y.ndim != 2 or y.shape[1] != outputs:
                raise ValueError(f"got y of shape {y.shape}, expected the layout of the first fit, {self}")
            return y.astype(np.int64)
        found, indices = np.unique(y, return_inverse=True)
        unknown = np.setdiff1d(found, self.classes)
        if len(unknown):
            raise ValueError(
                f"got y with the classes {unknown.tolist()}, expected some of {self.classes.tolist()}: "
                "fit on all classes, or name them in the first partial_fit, classes="
            )
        return np.searchsorted(self.classes, found)[indices].astype(np.int64)

    @property
    def document(self) -> dict[str, Any]:
        """What JSON holds of the classes; of others than numbers and texts, their names."""
        kind = self.classes.dtype
        if kind.kind in "biuf":
            return {"dtype": kind.name, "values": self.classes.tolist()}
        values = self.classes.astype(str).tolist()
        special = kind.kind in "UO" and kind != np.array(values).dtype and TEXT.fullmatch(kind.str)
        return {"dtype": kind.str if special else None, "values": values}

    @property
    def known(self) -> dict[str, Any]:
        """What a file says of them."""
        return {"labels": self.document, "layout": self.kind}

    @classmethod
    def of_known(cls, known: dict[str, Any]) -> Self:
        """Those of which a file says this; without a layout, an output each. Raises where they are none."""
        dtype, values = known["labels"]["dtype"], known["labels"]["values"]
        kind, numbers = known.get("layout", "multiclass"), dtype in (*INDEXED, "uint16", "uint32", "uint64", "float16")
        if not (numbers or dtype is None or TEXT.fullmatch(dtype)) or kind not in (
            "binary",
            "multiclass",
            "multilabel",
        ):
            raise ValueError(f"its labels are {kind!r:.60} of {dtype!r:.60}")
        classes = np.array(values, dtype=dtype)
        if classes.ndim != 1 or not (numbers or all(isinstance(name, str) for name in values)):
            raise ValueError(f"its labels are {values!r:.60}")
        return cls(kind, classes)

    @classmethod
    def told_apart(cls, y: HostArray) -> Self:
        """Two classes or more, an output each."""
        known = cls.of(y)
        if known.kind == "multilabel":
            raise ValueError(
                f"got y of shape {y.shape}, expected one label a row, (n,): fit a classifier for each column"
            )
        if len(known.classes) < 2:
            raise ValueError(f"got y of one class, {known.classes.tolist()}, expected two or more to tell apart")
        return cls("multiclass", known.classes)

    def weighed(self, y: HostArray, w: Floats | None, class_weight: Any) -> Floats | None:
        """Sample weights (n,) times those of the encoded labels' classes: of a dict, or "balanced"."""
        by_class = self.by_class(y, w, class_weight)
        if by_class is None:
            return w
        weighed: Floats = by_class[y] if w is None else w * by_class[y]
        return weighed

    def smoothed(self, y: HostArray, smoothing: float) -> HostArray:
        """Encoded labels: class indices of several classes, which the loss smooths itself, else shares in [0, 1]."""
        smoothing = share("label_smoothing", smoothing)
        if self.kind == "multiclass":
            return y
        shares: Floats = y * (1 - smoothing) + smoothing / 2
        return shares

    def by_class(self, y: HostArray, w: Floats | None, class_weight: Any) -> Floats | None:
        """What each class weighs, (classes,), by encoded labels and their weights: of a dict, or "balanced"."""
        if class_weight is None:
            return None
        if self.kind == "multilabel":
            raise ValueError(
                f"got class_weight={class_weight!r} with several labels a sample, expected None: weigh samples, "
                "sample_weight="
            )
        if isinstance(class_weight, str) and class_weight == "balanced":
            return np.array(balanced(np.bincount(y, w, minlength=len(self.classes))))
        elif isinstance(class_weight, dict):
            names = self.classes.tolist()
            if class_weight and not any(name in names for name in class_weight):  # one that a fold lacks is unused
                raise ValueError(f"got class_weight for the classes {list(class_weight)}, expected some of {names}")
            return np.array([not_negative("class_weight", class_weight.get(name, 1.0)) for name in names])
        raise ValueError(
            f'got class_weight={class_weight!r}, expected "balanced", None, or a dict from some of the classes to '
            "numbers"
        )

    def probabilities(self, output: Array) -> Array:
        """One column a class, from the network's output in any library."""
        if self.kind != "binary":
            return output
        xp = get_backend(output).xp
        if len(self.classes) == 1:
            return xp.ones_like(output)
        return xp.concat([1 - output, output], axis=1)

    def told_apart_by(self, outputs: Floats) -> Floats:
        """One column a class on a last axis, from outputs (..., m) on the host: of labels each for itself."""
        if self.kind == "multiclass":
            return outputs
        found = [1 - outputs, outputs] if len(self.classes) > 1 or self.kind == "multilabel" else [outputs * 0 + 1]
        return np.stack(found, axis=-1)

    def decode(self, output: Array) -> Array:
        """Labels from the network's output: in its library and on its device if they are numbers, else NumPy's."""
        backend = get_backend(output)
        with backend.context():
            if self.kind == "multiclass":
                indices = backend.xp.argmax(output, axis=1)
            else:
                indices = above(backend, output, 0.5)
            if self.kind == "multilabel":
                return indices
            if len(self.classes) == 1:
                indices = indices * 0
            classes = self.on(backend)
            if isinstance(classes, np.ndarray):
                return classes[backend.to_numpy(indices)]
            return backend.xp.take(classes, indices, axis=0)

    def on(self, backend: Backend) -> Array:
        """The classes on a backend if they are numbers, else on the host."""
        kind, name = self.classes.dtype.kind, self.classes.dtype.name
        if backend.library == "numpy" or kind not in "fiub":
            return self.classes
        if name not in INDEXED:  # a wider type holds the same numbers
            name = {"u": "int64", "i": "int64", "f": "float64"}[kind]
            if not np.array_equal(self.classes.astype(name), self.classes):
                return self.classes
        return backend.asarray(self.classes, dtype=name)

    def __str__(self) -> str:
        return f"{len(self.classes)} {'labels, (n, labels)' if self.kind == 'multilabel' else 'classes, (n,)'}"
