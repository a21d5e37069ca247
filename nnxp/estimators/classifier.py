"""The classifier."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if

from nnxp.activations import Sigmoid, Softmax
from nnxp.backends import get_backend
from nnxp.callbacks import Callback
from nnxp.estimators import inputs
from nnxp.estimators.base import MLP
from nnxp.estimators.classes import Labels
from nnxp.estimators.convergence import Score
from nnxp.estimators.inputs import Part
from nnxp.estimators.keywords import stochastic
from nnxp.estimators.uncertainty import SeveralOfClasses
from nnxp.layers import Dense, Layer
from nnxp.losses import BinaryCrossentropy, CategoricalCrossentropy, Loss
from nnxp.typing import Array, ArrayLike, Floats, HostArray


class MLPClassifier(ClassifierMixin, SeveralOfClasses, MLP):
    """A classifier of dense layers, on NumPy, CuPy, PyTorch or any array library of the standard, wherever X is.

    Parameters have scikit-learn's names and meanings where it has one. One sigmoid output for two classes, one
    softmax output a class for more, one sigmoid output a label for several labels a sample (y of 0 and 1, (n, labels)).

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Units of each hidden layer; () for none, which is logistic regression.
    activation : str or Activation
        After each hidden layer: "relu", "tanh", "logistic", "identity", or any other of nnxp's, "gelu" say.
    solver : str or Optimizer
        "adam", "sgd", "lbfgs", "adamw", "lion", "rmsprop", "adagrad", or an optimizer object with options of its own
        (a copy is used), where `learning_rate_init` and `schedule` do not count. By name, "adamw" decays weights by
        0.01 and "lion" by 0.1, their defaults, beside `alpha`; Lion wants a rate of 1e-4 or so.
    alpha : float
        The penalty on squared weights: alpha/2 ΣW² / batch size is added to the mean loss of a batch, as scikit-learn
        does, the batch's size being its rows times the mean weight of all rows, which divides the weighted losses too
        (scikit-learn: the batch's own sum of weights). Of several labels a sample, the loss is a mean here and a sum
        there: alpha is divided by their number, and weighs the same.
    batch_size : int or "auto"
        Samples a step, at most as many as there are; "auto" is min(200, n). "lbfgs" takes all.
    learning_rate, power_t : {"constant", "invscaling", "adaptive"}, float
        How the rate of "sgd" goes on from epoch to epoch; other solvers do not read it. "invscaling":
        `learning_rate_init` / (t + 1)^power_t after t samples. "adaptive": a fifth each time that `tol` and
        `n_iter_no_change` would end the training, which ends when it is not above 1e-6. With `schedule` it raises.
    learning_rate_init : float
        The learning rate, before `schedule`.
    max_iter : int
        The most epochs of a fit; of "lbfgs", iterations.
    shuffle : bool
        Whether each epoch takes the rows in a new order.
    random_state : int, RandomState or None
        Initial weights (Glorot and Bengio 2010, uniform; before SELU LeCun's), order, dropout and held-out rows follow
        from it. An integer gives the same numbers at every fit, and the same on every backend up to rounding.
    tol, n_iter_no_change : float, int
        Training ends when for more than `n_iter_no_change` epochs in a row the training loss, or with
        `early_stopping` what `monitor` names, was not better than its best by `tol`. For "lbfgs" `tol` is the largest
        element of the gradient at the end.
    verbose : bool
        Whether to print a line an epoch.
    warm_start : bool
        Whether `fit` begins with the weights of the last fit; parameters may change in between, layers not, and the
        optimizer begins afresh.
    momentum, nesterovs_momentum : float, bool
        Of "sgd".
    early_stopping : bool
        Whether the validation ends the training, and the best weights are put back at its end: where several epochs
        have the best score, those of the lowest validation loss.
    monitor : {"accuracy", "loss"}
        What early stopping follows: the validation's accuracy, or its loss, which moves where the accuracy of
        imbalanced classes stands still.
    validation_fraction : float
        The share of rows, of each class alike, that early stopping holds out where `fit` gets no `X_val`.
    beta_1, beta_2, epsilon : float
        Of "adam" and "adamw".
    max_fun : int
        The most evaluations of "lbfgs".
    dropout : float
        The share of each hidden layer's outputs that is dropped while training.
    normalization : {"batch", "layer"} or None
        `BatchNorm` or `LayerNorm` before each activation.
    label_smoothing : float
        s: the truth t becomes (1 - s) t + s/m for m classes; for yes-or-no labels m = 2.
    class_weight : dict, "balanced" or None
        What each class's training samples weigh, times their sample weight; classes that a dict leaves out weigh 1.
        "balanced": n / (m nₖ) for the weighted counts nₖ of m classes. Validation is not affected.
    schedule : str, Schedule, callable or None
        Multiplies the learning rate at each step (see `nnxp.schedules`). Its total is `max_iter` epochs.
    callbacks : sequence of callable, optional
        See `nnxp.callbacks`.
    backend : optional
        Where to compute: "cupy", "torch:mps", "auto", ... NumPy's X moves there, and results come back to NumPy.
        Without it X decides, and later X have to be of the same library and device.
    dtype : {"float32", "float64"}, optional
        By default float32 where X has it, and float64 for all else.
    members : int
        How many networks are trained side by side, each with its own initial weights and dropout, on the same batches
        (Lakshminarayanan et al. 2017, arXiv:1612.01474); probabilities are the mean of theirs, also a validation's. Not
        with "lbfgs", nor with an optimizer that has `clip_norm`.
    bootstrap, oob_score : bool
        Whether each member trains on a bag of its own, as many draws with replacement as there are rows; and whether
        each row is then predicted, and scored, by the members that did not draw it: see `estimators.bagging.Bagged`.

    Attributes
    ----------
    classes_ : array
        The sorted labels: of X's library if they are numbers, else of NumPy.
    model_ : Sequential
        The network, to save, to plot or to look at.
    coefs_, intercepts_ : list of array
        The weights (n_in, n_out) and biases (n_out,) of each dense layer; of several members, (members, ...).
    loss_, loss_curve_, best_loss_ : float, list of float, float or None
        The training loss, penalties included, of the last epoch, of each, and the lowest (None with early stopping): of
        several members the mean (`model_.history["member_loss"]` has each one's).
    validation_loss_curve_, validation_scores_, best_validation_score_ : list of float or None, float or None
        Of each epoch where there was a validation. The score is the share of right labels: of a sample's labels where
        it has several, other than `score`, which counts samples with all right.
    stopped_ : bool
        Whether the rule of `tol` and `n_iter_no_change` ended the training.
    oob_score_, oob_decision_function_ : float, array
        With `oob_score`: `score` and `predict_proba` of the rows of the fit, each by those that left it out; NaN where
        none did, with a warning, and where a row was held out for early stopping.
    n_iter_, t_ : int
        Epochs of the last fit; samples seen, over all.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
        As scikit-learn's.

    Examples
    --------
    >>> import nnxp
    >>> X, y = nnxp.data.moons(200, seed=0)
    >>> model = nnxp.MLPClassifier((16,), learning_rate_init=0.1, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    label_smoothing: float
    class_weight: Any
    monitor = "accuracy"

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        normalization: str | None = None,
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        schedule: Any = None,
        callbacks: Sequence[Callback] | None = None,
        backend: Any = None,
        dtype: str | None = None,
        monitor: str = "accuracy",
        members: int = 1,
        bootstrap: bool = False,
        oob_score: bool = False,
    ) -> None:
        self._keep(locals())

    @available_if(stochastic)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Trains one epoch on these rows, from the weights and the optimizer's state of the call before.

        Each call reads `alpha`, `batch_size`, `learning_rate_init`, `class_weight` and `callbacks` anew; the network
        and the optimizer are those of the first.

        With `early_stopping` each call needs `X_val` and `y_val`, always the same: when their score has not got better
        for more than `n_iter_no_change` calls, the best weights are put back, `stopped_` is True, and further calls
        change nothing.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val, sample_weight_val
            As `fit` takes them.
        classes : array-like, (classes,)
            All labels there are; needed in the first call.

        Raises
        ------
        ValueError
            The first call lacks `classes`, or a later one names others; a parameter of the network or the optimizer
            has changed; early stopping lacks `X_val`.
        """
        if not hasattr(self, "model_"):
            if classes is None:
                raise ValueError("got a first partial_fit without classes, expected all labels: classes=np.unique(y)")
        elif classes is not None and not np.array_equal(np.unique(inputs.on_host(classes)), self._target.classes):
            raise ValueError(
                f"got classes={classes!r}, expected those of the first call, {self._target.classes.tolist()}: "
                "leave them out"
            )
        return self._fit((X, y, sample_weight), (X_val, y_val, sample_weight_val), True, classes)

    def predict(self, X: ArrayLike) -> Array:
        """The labels (n,), or 0 and 1 (n, labels), in X's library and on its device; text always in NumPy's."""
        output = self._output(X, "predict")  # raises where there is no fit yet
        return self._target.decode(output)

    def predict_proba(self, X: ArrayLike) -> Array:
        """The probabilities (n, classes), in the order of `classes_`, in X's library and on its device."""
        return self._told(self._output(X, "predict_proba"))

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """The logarithms of `predict_proba`; -inf where that is 0."""
        probabilities = self._told(self._output(X, "predict_log_proba"))
        backend = get_backend(probabilities)
        with backend.context(), np.errstate(divide="ignore"):
            return backend.xp.log(probabilities)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The share of samples whose label, or labels all, are right."""
        return self._rated(self._output(X, "score"), y, sample_weight)

    def _told(self, output: Array) -> Array:
        return self._target.probabilities(output)

    def _rated(self, output: Array, y: ArrayLike, w: ArrayLike | None) -> float:
        guess, truth, w = (inputs.on_host(a) for a in (self._target.decode(output), y, w))
        return float(accuracy_score(truth, guess, sample_weight=w))

    def _told_apart(self, outputs: Floats) -> Floats:
        return self._target.told_apart_by(outputs)

    @property
    def classes_(self) -> Array:
        """The sorted labels, of X's library if they are numbers."""
        return self._target.on(self._home)

    @property
    def out_activation_(self) -> str:
        """The activation of the outputs: "softmax" for several classes, else "logistic"."""
        return "softmax" if self._target.kind == "multiclass" else "logistic"

    _numeric, _left_out = False, "oob_decision_function_"
    _target: Labels

    def _target_of(self, y: HostArray, w: Floats | None, classes: ArrayLike | None) -> Labels:
        return Labels.of(y, inputs.on_host(classes))

    def _head(self, width: int, target: Labels) -> tuple[list[Layer], Loss]:
        last = Dense(width, target.outputs)
        if target.kind == "multiclass":
            return [last, Softmax()], CategoricalCrossentropy(label_smoothing=self.label_smoothing)
        return [last, Sigmoid()], BinaryCrossentropy()

    def _loss_factor(self, target: Labels) -> float:
        return 1 / target.outputs if target.kind == "multilabel" else 1.0  # a mean over the labels, there a sum

    def _ready(self, part: Part, target: Labels) -> Part:
        y, w = target.smoothed(part.y, self.label_smoothing), target.weighed(part.y, part.w, self.class_weight)
        return Part(part.X, y, w)

    def _ready_to_validate(self, part: Part, target: Labels) -> tuple[Part, Score]:
        y = target.smoothed(part.y, self.label_smoothing)
        return Part(part.X, y, part.w), lambda record: record["val_accuracy"]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
