"""What is measured once and looked at by every check: numbers of the host."""

from dataclasses import dataclass, field

from nnxp.sequential import Sequential
from nnxp.tabular import Encoder
from nnxp.typing import Floats, Integers


@dataclass(frozen=True)
class Columns:
    """Inputs, column by column.

    Attributes
    ----------
    mean, deviation : numpy.ndarray, (features,)
    """

    mean: Floats
    deviation: Floats

    @property
    def size(self) -> Floats:
        """The root of each column's mean square."""
        return (self.mean**2 + self.deviation**2) ** 0.5


@dataclass(frozen=True)
class Data:
    """Of the rows and their labels.

    Attributes
    ----------
    rows, total : int
        How many were looked at, and of how many.
    width : int
        The number of columns.
    targets : Columns or None
        Values, divided by what the last layers or the loss scale by; None of classes.
    offsets : tuple
        Of inputs and targets, those whose dtype rounds their differences away: the column, or None for the target, mean
        over deviation, and how many different values of how many are left.
    counts : numpy.ndarray of int or None
        Rows of each class.
    is_constant : bool
        Whether all labels are the same.
    leak : tuple of int and float
        The column that says most of the label by itself, and how much (`skill`).
    reachable : float
        See `nnxp.teaching.diagnosis.reachable`.
    chance : float
        An upper bound of the probability that labels which do not follow from X have as strong a correlation with one
        of its columns.
    sortedness : float
        How alike labels of neighbouring rows are: 0 by chance, 1 in sorted order.
    twins, twins_by_chance : float or None
        The share of validation rows that are rows of X too, label included, and that of rows of X with a twin in X.
    """

    rows: int
    total: int
    width: int
    targets: Columns | None
    offsets: tuple[tuple[int | None, float, int, int], ...]
    counts: Integers | None
    is_constant: bool
    leak: tuple[int, float]
    reachable: float
    chance: float
    sortedness: float
    twins: float | None = None
    twins_by_chance: float = 0.0


@dataclass(frozen=True)
class DenseSeen:
    """A dense layer.

    Attributes
    ----------
    title : str
        "layer 3, Dense(64, 10)".
    gain : float
        The root of the mean square of its weights times √n_in: what it multiplies the size of its inputs by.
    usual : float
        What initializers begin with at least: 1, and Glorot's √(2 n_in / (n_in + n_out)) where a layer widens.
    spread : float
        How far the units' weights differ from their mean, as a share of their size; 0: all units are one.
    size, signal : float
        The roots of the mean squares of its inputs, and of the loss's derivative by them.
    frozen, is_last : bool
    is_part : bool
        Whether it stands within another layer, a `Residual` say, so that values reach others past it.
    """

    title: str
    gain: float
    usual: float
    spread: float
    size: float
    signal: float
    frozen: bool
    is_last: bool
    is_part: bool


@dataclass(frozen=True)
class UnitsSeen:
    """A layer of hidden units: the share that gives 0 for every row, and that of outputs at the ends of a range."""

    title: str
    units: int
    dead: float
    saturated: float
    is_part: bool


@dataclass(frozen=True)
class Network:
    """Of the network as it stands.

    Attributes
    ----------
    entering : Columns or None
        What its first dense layer is given.
    dense : tuple of DenseSeen
    units : tuple of UnitsSeen
    loss, penalty : float
        Of the rows, without and with nothing but the layers' penalties.
    baseline : float
        The loss of the best constant.
    skill : float
        See `nnxp.teaching.diagnosis.truth.skill`.
    by_place : tuple of float
        The mean loss of the first four fifths of the rows, and of the last twentieth.
    recalls : numpy.ndarray or None
        Of each class: of the validation rows where there are some.
    along : dict of float
        The loss after so many times the optimizer's next step, on these rows; empty where there is none.
    now : float
        The last step's share of a whole one: what schedule and decay make of the learning rate.
    not_finite : str
        Where values stop being finite; empty where they do not.
    """

    entering: Columns | None
    dense: tuple[DenseSeen, ...]
    units: tuple[UnitsSeen, ...]
    loss: float
    penalty: float
    baseline: float
    skill: float
    by_place: tuple[float, float]
    recalls: Floats | None
    along: dict[float, float]
    now: float
    not_finite: str


@dataclass(frozen=True)
class Validation:
    """Of rows that were not trained on: the loss with penalties, the best constant's, and the skill."""

    rows: int
    loss: float
    baseline: float
    skill: float


@dataclass(frozen=True)
class Evidence:
    """All of it.

    Attributes
    ----------
    model : Sequential
        A copy of what is diagnosed, for its options and its history.
    shuffled : bool or None
        Whether the last fit took rows in a new order each epoch; None where that is not known, of a file's model say.
    batch_size : int or None
        Of the last fit, where that is known.
    remarks : list of str
        Filled by what measures and by what checks.
    """

    model: Sequential
    data: Data
    network: Network
    validation: Validation | None
    shuffled: bool | None
    batch_size: int | None
    remarks: list[str] = field(default_factory=list)

    def column(self, i: int, count: int) -> str:
        """What column i of so many is called: by its name, where the model has made them of a table's, else by its
        number from 1 on, which the count tells from an index."""
        encoder = Encoder.of(self.model)
        names = [] if encoder is None else encoder.feature_names_out
        return f"column {names[i]!r}" if len(names) == count else f"column {i + 1} (of {count})"

    def class_name(self, i: int) -> str:
        """What class i is called."""
        return f"class {self.model.classes[i]!r}" if self.model.classes else f"class {i}"

    @property
    def history(self) -> dict[str, list[float]]:
        """An entry an epoch."""
        return self.model.history

    @property
    def trained(self) -> bool:
        """Whether a step was ever made."""
        return self.model.step > 0

    @property
    def steps_an_epoch(self) -> float:
        """How many there were on average."""
        return self.model.step / max(1, self.model.epoch)

    @property
    def batch(self) -> float:
        """The rows of a batch; where that is not known, as far as X are the rows that were trained on."""
        return float(self.batch_size) if self.batch_size else self.data.total / max(1.0, self.steps_an_epoch)

    @property
    def left(self) -> float:
        """The loss that is left, as a share of the best constant's: 1 where nothing is learned."""
        return self.network.loss / self.network.baseline if self.network.baseline > 0 else 0.0
