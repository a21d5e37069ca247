"""A table as one matrix: learned from the training's rows, kept in the model's file, the same for every later row."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nnxp.data.dataset import listing
from nnxp.doors.describing import described
from nnxp.doors.options import positive
from nnxp.errors import DataError, ModelFileError
from nnxp.network.model import Model
from nnxp.tabular.encoders.columns import Learned, LearnedWords, blank, layout, learn, most, read_back, written
from nnxp.tabular.encoders.notes import Notes
from nnxp.tabular.encoders.scaling import SCALINGS, Matrix, Scaler
from nnxp.tabular.encoders.target import Target, target_from
from nnxp.tabular.encoders.transformer import Transformer
from nnxp.tabular.kinds.deciding import Decision, decide
from nnxp.tabular.table import Table
from nnxp.typing import EncoderState, Floats

VERSION = 1
"""Of what `Encoder.state` gives; written into every file."""
LATER = {"scaling_of": ("numbers", "all"), "dtype": ("float32", "float64")}
"""Options that files of before do not have, and what each may be: a state does not name the first, the usual one."""
RARE = 5
"""Words with fewer rows are gathered: five are all of one of two equal classes by chance in 1 case of 16."""


class Encoder(Transformer):
    """Makes one matrix of a table's numbers, yes and no, dates and words.

    The columns of the matrix, in this order, each group in the table's order:

    - numbers, scaled, and the trend of dates, scaled like a number; a missing one is the training's median;
    - yes and no, and the second and the first of two words, as +1 and -1, 0 where it is missing or unknown; the cyclic
      parts of dates, 0 where it is missing; where cells were missing in the training, "age is missing", 0 or 1;
    - a column for each word of a category, 1 where the row has it ("city=Paris"), in the words' order, one for the
      rare ones together ("city=other"), and "city is missing" where cells were missing in the training. A word that
      the training has not seen is 0 in all of them.

    Parameters
    ----------
    kinds : dict of str to str, optional
        The kinds of columns, where they are not to be decided by their values: see `nnxp.tabular.kinds.decide`.
    drop : sequence of str
        Columns to leave out.
    scaling : "robust", "standard", "quantile" or "none"
        Of numbers: see `nnxp.tabular.encoders.scaling`.
    categories : "onehot", "codes" or int
        With "codes" a category, also one of two words, is one column of whole numbers: 0 where the word is missing or
        unknown, 1 for the first and so on (see `codes`). With a number, one of more words than that is.
    rare : int
        Words of fewer rows are gathered, if a column has two such; 1: none. One-hot, all but the 100 most frequent are.
    day_first : bool, optional
        Whether 01/02/2020 is the first of February; None: what the column shows.
    scaling_of : "numbers" or "all"
        With "all" every column but those of codes is scaled, those of words too.
    dtype : "float32" or "float64"
        Of the matrix, as the model's: all is computed in float64, and rounded last.

    Attributes
    ----------
    decisions : list of Decision
        What was decided about every column of the training, those that are left out among them.
    feature_names_out : list of str
        The names of the matrix's columns.
    numbers : int
        How many of the first columns are numbers and trends of dates.
    codes : dict of str to int
        How many different numbers each column of codes may have: 0 and one a word.
    target : ClassTarget, NumberTarget or None
        What is predicted, where somebody sets it: kept in the state, that a file says all.

    Raises
    ------
    DataError
        The table has no row, or no usable column.

    Examples
    --------
    >>> from nnxp.tabular import Encoder, Notes
    >>> rows = [{"age": 1, "city": "Rome"}, {"age": 3, "city": "Oslo"}, {"age": None, "city": "Bonn"}] * 5
    >>> encoder = Encoder().fit(rows)
    >>> encoder.feature_names_out
    ['age', 'age is missing', 'city=Bonn', 'city=Oslo', 'city=Rome']
    >>> notes = Notes()
    >>> encoder.transform([{"city": "Bonn", "age": 2}, {"city": "Lima", "age": ""}], notes=notes).tolist()
    [[0.0, 0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0]]
    >>> [*notes]
    ['city: 1 of 2 rows hold words not seen in training (Lima)']
    """

    def __init__(
        self,
        *,
        kinds: Mapping[str, str] | None = None,
        drop: Collection[str] = (),
        scaling: str = "robust",
        categories: str | int = "onehot",
        rare: int = RARE,
        day_first: bool | None = None,
        scaling_of: str = "numbers",
        dtype: str = "float32",
    ) -> None:
        self.kinds = kinds
        self.drop = drop
        self.scaling = scaling
        self.categories = categories
        self.rare = rare
        self.day_first = day_first
        self.scaling_of = scaling_of
        self.dtype = dtype
        self.target: Target | None = None

    __repr__ = described

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learns from the training's rows: a `Table`, a frame, or rows (see `nnxp.tabular.reading.frames.as_table`)."""
        self._check_options()
        if not len(table := self._table(X)):
            raise DataError(f"{table.source} has no rows, expected some to learn from")
        decisions, learned = decide(table, kinds=self.kinds, drop=self.drop, day_first=self.day_first), list[Learned]()

        def scaled() -> Iterator[Floats]:  # one column at a time is in memory
            for i, decision in enumerate(decisions):
                if decision.used:
                    column = table.columns[decision.name]
                    learned.append(learn(column, decision, self.rare, most(self.categories)))
                    decisions[i] = learned[-1].decision
                    yield from learned[-1].numbers(learned[-1].read(column))[0]

        scaler = Scaler.fit(self.scaling, scaled(), len(table))
        if not learned:
            found = listing(f"{one.name} ({one.kind})" for one in decisions) or "all are left out"
            raise DataError(f"{table.source} has no column to learn from ({found}): say what one is, kinds= (--kind)")
        self._set(decisions, learned, scaler)
        if self.scaling_of == "all":
            others = self._columns(table)[1][self.numbers :]
            self._scaler = scaler.beside(Scaler.fit(self.scaling, others, len(table)))
        return self

    def transform(self, X: Any, *, notes: Notes | None = None) -> Matrix:
        """The matrix of rows, (n, m) of `dtype`, finite; a frame where `set_output` asks for one.

        Parameters
        ----------
        X : Table, frame or rows
            Columns are found by name; those that the training did not have are passed over.
        notes : Notes, optional
            Takes a sentence for each column with unknown words, and one for columns that are passed over.

        Raises
        ------
        DataError
            A column is missing, or holds what cannot be read as what it was in the training.
        MemoryError
            The matrix does not fit: `bytes_needed` says before how large it is.
        """
        self._check_fitted()
        return self._framed(self._encoded(self._table(X), notes), X)

    def fit_transform(self, X: Any, y: Any = None) -> Matrix:
        """`fit`, then `transform` of the same rows."""
        return self.fit(table := self._table(X))._framed(self._encoded(table), X)

    def _encoded(self, table: Table, notes: Notes | None = None) -> Matrix:
        matrix, columns, odd = self._columns(table)
        self._scaler.write(matrix, columns, [*range(self.numbers), *self._others] if self._others else None)
        if notes is not None:
            kinds = {learned.decision.name: learned.decision.kind for learned in self._learned}
            notes.take(len(table), self.passed_over(table), kinds, odd)
        return matrix

    def _columns(self, table: Table) -> tuple[Matrix, list[NDArray[Any]], dict[str, dict[str, int]]]:
        """The matrix but for what is scaled, these columns before they are, and the texts that do not fit."""
        matrix = blank(len(table), len(self._names), self.dtype)
        scaled, precise, odd = written(self._learned, table, self._places, matrix)
        return matrix, [*scaled, *(precise.get(j, matrix[:, j]) for j in self._others)], odd

    def bytes_needed(self, n: int) -> int:
        """How many bytes the matrix of n rows has."""
        return n * len(self.feature_names_out) * np.dtype(self.dtype).itemsize

    def passed_over(self, table: Table) -> list[str]:
        """The table's columns that the training did not have."""
        known = {*self.drop, *(decision.name for decision in self.decisions), self.target and self.target.name}
        return [name for name in table.columns if name not in known]

    @property
    def texts(self) -> list[str]:
        """The columns to read as they are spelled: those that are said to be categories, where 1.10 is not 1.1."""
        return [name for name, kind in (self.kinds or {}).items() if kind == "category"]

    def _table(self, X: Any) -> Table:
        from nnxp.tabular.reading.frames import as_table

        return as_table(X, texts=self.texts)

    # --- what was learned --------------------------------------------------------------------------------

    @property
    def feature_names_out(self) -> list[str]:
        """The names of the matrix's columns."""
        self._check_fitted()
        return [*self._names]

    @property
    def codes(self) -> dict[str, int]:
        """How many different numbers the columns of codes may have, 0 among them."""
        self._check_fitted()
        return {
            learned.decision.name: 1 + len(learned.vocabulary.values)
            for learned in self._learned
            if isinstance(learned, LearnedWords) and learned.as_codes
        }

    def _set(self, decisions: list[Decision], learned: list[Learned], scaler: Scaler) -> None:
        self.decisions, self._learned, self._scaler = decisions, learned, scaler
        self._names, self._places = layout(learned)
        self.numbers: int = sum(len(one.names().scaled) for one in learned)
        others = range(self.numbers, len(self._names)) if self.scaling_of == "all" else ()
        self._others: list[int] = [j for j in others if self._names[j] not in self.codes]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_scaler")

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise ValueError("got an Encoder that has learned nothing, expected encoder.fit(table) before")

    def _check_options(self) -> None:
        for name, known in {"scaling": SCALINGS, **LATER}.items():
            if getattr(self, name) not in known:
                raise ValueError(f"got {name}={getattr(self, name)!r}, expected one of {', '.join(known)}")
        positive("rare", self.rare)
        most(self.categories)

    # --- there and back ----------------------------------------------------------------------------------

    def state(self) -> EncoderState:
        """What makes the encoder again: a document that JSON can hold, and arrays of float64.

        ``model.encoder = encoder.state()`` puts it into the model's file; `of` gives the encoder of a loaded model.
        """
        self._check_fitted()
        options = {"kinds": self.kinds and dict(self.kinds), "drop": [*self.drop], "day_first": self.day_first}
        used = {learned.decision.name: learned.document() for learned in self._learned}
        config = {
            "version": VERSION,
            **options,
            "scaling": self.scaling,
            "categories": self.categories,
            "rare": self.rare,
            "columns": [used.get(one.name, {"decision": one.document()}) for one in self.decisions],
            "target": self.target and self.target.document(),
            **{name: value for name, (usual, _) in LATER.items() if (value := getattr(self, name)) != usual},
        }
        return config, dict(self._scaler.tensors)

    @classmethod
    def from_state(cls, config: dict[str, Any], tensors: Mapping[str, Floats]) -> "Encoder":
        """The encoder of which this is the state.

        Raises
        ------
        ModelFileError
            It is the state of none.
        """
        if config.get("version") != VERSION:
            raise ModelFileError(f"its encoder has version {config.get('version')!r:.20}, expected 1: update nnxp")
        try:
            return cls._from_state(config, tensors)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"its encoder is none of version {VERSION} ({type(error).__name__}: {error!s:.200})"
            ) from error

    @classmethod
    def _from_state(cls, config: dict[str, Any], tensors: Mapping[str, Floats]) -> "Encoder":
        options = {"kinds", "drop", "day_first", "scaling", "categories", "rare", *(LATER.keys() & config)}
        if wrong := {*config} ^ {*options, "version", "columns", "target"}:
            raise ValueError(f"it lacks, or has too much: {', '.join(sorted(wrong))}")
        encoder = cls(**{name: config[name] for name in options})
        encoder._check_options()
        _ = dict(encoder.kinds or {}), [*encoder.drop]
        scaler = Scaler(encoder.scaling, dict(tensors))
        encoder._set(*read_back(config["columns"], most(encoder.categories)), scaler)
        scaler.check(encoder.numbers + len(encoder._others))
        encoder.target = config["target"] and target_from(config["target"])
        return encoder

    @classmethod
    def of(cls, model: Model) -> "Encoder | None":
        """The encoder that a model was saved with; None where it has none. Raises as `from_state` does."""
        return None if model.encoder is None else cls.from_state(*model.encoder)
