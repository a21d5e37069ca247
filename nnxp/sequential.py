"""A model, as a user has it: layers in a row, a loss and an optimizer.

A facade: what it does is done in the rooms below, which are imported when they are first needed.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from nnxp.backends import library_of
from nnxp.doors.arrays import blocks, on_disk
from nnxp.doors.calling import keywords
from nnxp.export.portable import Portable
from nnxp.layers import Layer
from nnxp.network.architecture import check_loss
from nnxp.training.prediction import Prediction, prediction
from nnxp.typing import Array, ArrayLike

if TYPE_CHECKING:
    from nnxp.training.loop import Training


class Sequential(Portable):
    """Layers that feed each other, trained by backpropagation.

    Parameters
    ----------
    layers : sequence of Layer or str
        In order; an activation may be given by its name.
    loss : str or Loss, optional
        "categorical_crossentropy" (after a softmax), "binary_crossentropy" (after a sigmoid), "mean_squared_error",
        ...; without one the model predicts but does not train.
    optimizer : str or Optimizer
        "adam" by default.
    backend, dtype
        See `nnxp.get_backend`: without `backend=`, the first X decides; "float32" by default.
    seed : int, optional
        Initial weights, batch order and dropout follow from it, the same on every backend. Fresh entropy by default.
    members : int
        How many networks of these layers to train side by side, small ones in a fraction of the time: each begins with
        weights and drops units of its own, on the same batches, or in an order of its own (`fit`'s `shuffle`). Their
        parameters are (members, ...).
    shared : bool
        Whether they are one network, TabM: each `Dense` but the last becomes a `SharedDense`, and embeddings before it
        `Shared`. A step's gradients are then those of the mean of their losses.
    communicator : optional
        One of mpi4py: the processes that train it together, each its rows of a batch; in a
        `nnxp.distributed.ByMember`, each its members (see `docs/distributed.md`).
    reproducible : bool
        Whether 1, 2 and 4 processes end at the same bits: a batch is computed in four parts, which takes longer. Not
        for `BatchNorm` and `LBFGS`.

    Attributes
    ----------
    layers : list of Layer
    history : dict of list
        One entry an epoch: "loss", "accuracy" or "rmse", the same with "val_", "learning_rate", "seconds". Of several
        members "loss" is the mean, and "member_loss" each one's, "member_accuracy" likewise; "val_loss" is that of
        their mean prediction.
    epoch, step : int
        Finished, over all fits.
    classes : list of str or None
        Names of the classes; saved with the model, as is `preprocessing`, how rows of a file become rows of X.

    Examples
    --------
    >>> import numpy as np, nnxp
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]); y = [0, 1, 1, 0]
    >>> model = nnxp.Sequential([nnxp.Dense(2, 16), "tanh", nnxp.Dense(16, 2), "softmax"],
    ...     loss="categorical_crossentropy", optimizer=nnxp.Adam(learning_rate=0.05), seed=0)
    >>> history = model.fit(X, y, epochs=100, batch_size=4)
    >>> model.evaluate(X, y)["accuracy"]
    1.0
    >>> model.predict(X).argmax(axis=1).tolist()
    [0, 1, 1, 0]
    """

    _of_this_process = (*Portable._of_this_process, "_training", "_fit", "_shuffled", "_batch")

    def _start_afresh(self) -> None:
        super()._start_afresh()
        for name in ("_fit", "_shuffled", "_batch"):  # of `fitting`
            self.__dict__.pop(name, None)
        self._training: Training | None = None

    def replan(self) -> None:
        """The next step plans anew."""
        super().replan()
        self._training = None

    @property
    def training(self) -> "Training":
        """The bound training step."""
        if self.loss is None:
            raise ValueError('got a model without a loss, expected one to train: Sequential(layers, loss="...")')
        self.check_layers()
        if self._training is None or self._training.loss is not self.loss:
            _ = self.store
            check_loss(self.layers, self.loss)
            self.loss._on(self.backend, self.dtype)
            from nnxp.training.making import training_of

            self._training = training_of(self)
        return self._training

    @keywords
    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        epochs: int = 1,
        batch_size: int | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        validation_data: Any = None,
        validation_split: float | None = None,
        callbacks: Sequence[Callable[[Any], Any]] = (),
        micro_batch_size: int | None = None,
        shuffle: bool | Literal["members"] = True,
        drop_last: bool = False,
        resume: Any = None,
        progress: bool | None = None,
        verbose: bool | None = None,
    ) -> dict[str, list[Any]]:
        """Trains on arrays, or on an iterable of batches; a second call goes on where the first stopped.

        Parameters
        ----------
        X
            (n, features) numbers. They stay as they are in memory, or on disk (`np.load(path, mmap_mode="r")`), where
            the model's backend can read them: each batch is cast to the model's dtype.
            Or, without y, an iterable that yields (X, y) or (X, y, sample_weight), begun anew each epoch: a list, a
            `DataLoader` of PyTorch, an object with `__iter__`, or a function that returns a generator. Its batches
            may differ in size, are checked as they come, and are not kept. Of several processes each has to yield the
            same, and computes its rows of it.
            Or, without y, of several processes a `Shard`: its own part of the rows, or an iterable of its own parts.
        y
            Class indices (n,), one-hot rows (n, classes), or targets (n,) or (n, outputs), as the loss takes.
        epochs, batch_size, drop_last
            Passes over the data, and samples a step (32 by default); the last batch may be shorter, or be left out.
        sample_weight
            (n,) weights from 0 up; the loss's class weights multiply them. A batch's gradient is Σ w ∇ℓ / (rows · w̄), w̄
            the mean weight of the rows that are trained on (of an iterable, of those so far), so that a step is in
            expectation that of all data, in batches of any size. PyTorch's mean reduction and scikit-learn's MLP divide
            by the batch's Σ w, as `train_step` does: weights cancel in a batch of one row. Reported is Σ w ℓ / Σ w.
        validation_data
            (X, y), (X, y, sample_weight), or an iterable of batches, evaluated after each epoch.
        validation_split
            Instead: the share of X to hold out, stratified by class; the same samples at every call.
        callbacks
            What is called while it runs: early stopping, checkpoints, functions of your own (see `nnxp.callbacks`).
        micro_batch_size
            How many rows of a batch are computed at once: their gradients are accumulated, and a step is that of the
            whole batch, with the memory of the part. (`BatchNorm` takes its means over the part.)
        shuffle
            Whether each epoch takes the rows of arrays in a new order, which follows from the seed; False takes them
            as they stand. What an iterable yields keeps its order. "members" gives each member an order of its own,
            the one that `member(i).fit` takes: a step then costs more, as the members' inputs differ.
        resume
            A file that was saved while this fit ran, by a `Checkpoint` say: the model becomes what it was then, and the
            fit goes on from there, in the middle of an epoch if need be, to the same weights, bit for bit, as one that
            was never interrupted (on the same backend and threads; not with `LBFGS`, which begins a new memory of
            curvature). The model and the arguments have to be the same; without a seed, the model takes the file's. An
            iterable has to yield the same batches again. Without a file the fit begins afresh, after one that has
            finished nothing is trained: the log "nnxp" says so.
        progress, verbose
            A progress bar on standard error, by default on a terminal only, where there are no lines; and a line an
            epoch on standard output, losses, metrics and seconds, by default in a notebook only.

        Returns
        -------
        dict of list
            The whole `history`.

        Raises
        ------
        ValueError, TypeError
            X, y, weights or a batch are not what the model can train on; an iterable is empty, or was used up before.
        NonFiniteLossError
            The loss became NaN or infinite; the weights are those of the last finite epoch.
        ModelFileError
            The file to resume from is damaged, or of another fit: the message names the difference.

        Notes
        -----
        Where an exception ends it, `KeyboardInterrupt` among them, history, epochs and steps are those of what was
        done, and the weights and the optimizer's state those after the last step. Where it came in the middle of an
        update, the weights are those of the epoch's begin, and the optimizer is new: a note on the exception says so.
        With `nnxp.callbacks.Interruption`, Ctrl-C waits for the end of the step.
        """
        from nnxp.training.fitting import Asked, fit

        asked = Asked(epochs, batch_size, validation_split, micro_batch_size, shuffle, resume, drop_last)
        fit(self, lambda: self.training, (X, y, sample_weight), validation_data, asked, callbacks, progress, verbose)
        return {name: list(values) for name, values in self.history.items()}

    def train_step(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        """One step on one batch: the loss before the update, 0-d, of several members (members,), new, on the device.

        Loss and gradient are means by weight, Σ w ℓ / Σ w over the batch: nobody knows here what other rows weigh.
        Shapes and dtypes are checked, and the values of what comes from the host; values that lie on a device
        are not, since that would wait for it: a label out of range there makes the loss NaN.
        With a communicator all processes are given the whole batch, and each computes its rows.
        """
        if sample_weight is None and self._training and (loss := self.training.at_once(X, y)) is not None:
            return loss
        from nnxp.distributed import together

        with together(self.communicator):
            x = self._checked(X)  # it decides the backend, where nothing has yet
            return self.training.checked(x, y, sample_weight)

    @keywords
    def evaluate(
        self, X: Any, y: ArrayLike | None = None, *, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """The mean loss, penalties included, and "accuracy" or "rmse", as floats.

        Parameters
        ----------
        X, y, sample_weight
            Arrays as `fit` takes them, or, X alone, an iterable that yields (X, y) or (X, y, sample_weight).

        Raises
        ------
        ValueError, TypeError
            X, y, weights or a batch are not what the model can be evaluated on.
        """
        from nnxp.training.fitting import evaluated

        return evaluated(self, lambda: self.training, (X, y, sample_weight))

    def predict(self, X: ArrayLike, *, members: bool = False) -> Array:
        """The last layer's output (n, n_out), a new array in X's library and on its device.

        Shapes and dtype are checked; X is not searched for NaN, which comes out as NaN. Of several members it is the
        mean of what each gives; with `members=True` all of these, (members, n, n_out).
        """
        if self._store is not None and self._fits(X) and not on_disk(X) and not members:
            return self.prediction(self.layers)(X)
        x = self._checked(X)
        with self.backend.context():
            predict = self.prediction(self.layers, True) if members else self.prediction(self.layers)
            if on_disk(x):  # never all of it at once
                parts = [predict(self._moved(x[rows])) for rows in blocks(x)]
                result = self.backend.xp.concat(parts, axis=0)
            else:
                result = predict(self._moved(x))
            if members:
                xp = self.backend.xp
                result = xp.permute_dims(xp.reshape(result, (result.shape[0], self.members, -1)), (1, 0, 2))
        return self.backend.to_numpy(result) if library_of(X) == "numpy" else result

    def prediction(self, layers: list[Layer], apart: bool = False) -> Prediction:
        """This thread's forward pass through the layers, or the first of them, made when first asked for."""
        self.check_layers()
        return prediction(self, layers, apart)

    def member(self, i: int) -> "Sequential":
        """Member i, from 0 up, as a model of its own: its weights and its optimizer's state. Taken before the first
        step and trained by itself on the same batches, it ends at the member's weights."""
        from nnxp.network.member import member

        return member(self, i)

    def plan(self) -> None:
        """Prints what one training step runs, in order."""
        print(*(f"{i:3d}  {line}" for i, line in enumerate(self.training.plan.lines(), 1)), sep="\n")

    def summary(self) -> None:
        """Prints each layer and its parts with their output widths and numbers of parameters."""
        from nnxp.network.summary import print_summary

        where = self._backend.title if self._backend else "decided by the first X"
        print_summary(self.layers, self.dtype, where, self.n_in, self.members)

    def save(self, path: Any) -> None:
        """Writes the model, its optimizer's state and its history to a safetensors file (see `nnxp.load`). Saved by a
        callback of `fit`, it also holds where that stands, for `fit(resume=path)`."""
        from nnxp.files import modelfile

        modelfile.save(self, path)
