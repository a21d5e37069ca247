"""A table's model as one file of NumPy alone: what `nnxp.export.predictor` is told of its columns and its target."""

from pathlib import Path
from typing import Any

from nnxp.activations import Sigmoid, Softmax
from nnxp.data.spelling import DURATION
from nnxp.errors import ExportError
from nnxp.export import predictor
from nnxp.export.steps import Steps
from nnxp.losses import SigmoidCrossentropy, SoftmaxCrossentropy
from nnxp.network.answers import class_names
from nnxp.sequential import Sequential
from nnxp.tabular.encoders.columns import Learned, LearnedDate, LearnedWords
from nnxp.tabular.encoders.encoder import Encoder
from nnxp.tabular.encoders.scaling import CLIP, FAR, LARGEST, NAMES, normal
from nnxp.tabular.encoders.target import ClassTarget, NumberTarget, NumberTargets, Target
from nnxp.tabular.kinds.deciding import MEANING


def export_predictor(model: Sequential, path: Any) -> Path:
    """Writes `predictor.py`, which imports NumPy alone, and `predictor.py.safetensors` beside it.

    Of a model of a table `predict(rows)` of the file gives what `nnxp predict` writes: probabilities, or numbers in the
    target's own units, in the same bits as NumPy computes them without the extra `fast` and with as many threads of
    BLAS. Rows are a dict of columns or a list of dicts; how cells may be spelled its docstring says. Of a model of
    numbers it is as `nnxp.export.predictor.export_predictor` has it.

    Parameters
    ----------
    model : Sequential
        Of `nnxp.load`, of `nnxp train`, or the `model_` of an estimator for tables.
    path
        A file whose name can be imported.

    Returns
    -------
    Path
        The file with the weights.

    Raises
    ------
    ExportError
        The model has a layer of your own, or the encoder says no target; the name cannot be imported.
    OSError
        A file cannot be written.

    Examples
    --------
    >>> import nnxp, tempfile, runpy
    >>> rows = [{"age": 20 + i % 50, "city": ("Fez", "Rome", None)[i % 3]} for i in range(90)]
    >>> y = ["yes" if row["age"] > 40 and row["city"] != "Rome" else "no" for row in rows]
    >>> fitted = nnxp.TabularClassifier(random_state=0).fit(rows, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     beside = export_predictor(fitted.model_, f"{folder}/predictor.py")
    ...     alone = runpy.run_path(f"{folder}/predictor.py")
    ...     p = alone["predict"]({"city": ["Fez", "Rome"], "age": [60, 60]})
    >>> [alone["classes"]()[k] for k in p.argmax(axis=1)]
    ['yes', 'no']
    """
    if (encoder := Encoder.of(model)) is None:
        return predictor.export_predictor(model, path)
    if encoder.target is None:
        raise ExportError("got a model whose encoder says no target, expected one that was trained on a table")
    steps = Steps(model.dtype)
    scaler = encoder._scaler
    table = {
        "dtype": encoder.dtype,
        "width": len(encoder.feature_names_out),
        "numbers": encoder.numbers,
        "others": encoder._others,
        "columns": [
            _column(one, steps, *places, one.decision.name in encoder.texts)
            for one, places in zip(encoder._learned, encoder._places, strict=True)
        ],
        "scaling": encoder.scaling,
        "scaler": [steps.named(scaler.tensors[name]) for name in (*NAMES, "quantiles") if name in scaler.tensors],
        "normal": [steps.formula(normal)] if encoder.scaling == "quantile" else [],
        "limit": FAR if encoder.scaling == "robust" else LARGEST,
        "clip": CLIP,
        **_answers(model, encoder.target, steps),
    }
    return predictor.write(model, steps, path, table, encoder.target.classes)


def _column(learned: Learned, steps: Steps, plain: int, words: int, spelled: bool) -> dict[str, Any]:
    """What a column becomes: where in X its columns begin, those that are as they are, and those of words; whether its
    texts are read as they are spelled, so that 1.10 is not 1.1."""
    decision = learned.decision
    found = {"name": decision.name, "kind": decision.kind, "missing": learned.missing, "plain": plain}
    if isinstance(learned, LearnedDate):
        waves = [[steps.formula(wave)] for wave in learned.parts.waves]
        return found | {"clock": decision.clock, "waves": waves, **learned.parts.document()}
    if isinstance(learned, LearnedWords):
        form = "codes" if learned.as_codes else "two" if len(learned.vocabulary.values) == 2 else "words"
        known, rare = learned.vocabulary.known, learned.vocabulary.rare
        return found | {"form": form, "first": words, "words": [*known], "rare": [*rare], "spelled": spelled}
    if decision.kind == "yes/no":
        return found | {"meaning": MEANING}
    return found | {"texts": decision.decimal == "." and decision.unit not in ("%", DURATION)}


def _answers(model: Sequential, target: Target, steps: Steps) -> dict[str, Any]:
    """What becomes of the network's outputs: `nnxp.tabular.networks.trained.in_units`."""
    made = {SoftmaxCrossentropy: Softmax, SigmoidCrossentropy: Sigmoid}.get(type(model.loss))
    answers = [] if made is None else steps.of([made()])
    if isinstance(target, ClassTarget):
        return {
            "answers": answers,
            "two": model.n_out == 1 and class_names(model) is not None,
            "targets": None,
            "several": False,
        }
    several = isinstance(target, NumberTargets)
    each = target.targets if isinstance(target, NumberTargets) else (target,)
    return {"answers": answers, "two": False, "targets": [_target(one) for one in each], "several": several}


def _target(target: NumberTarget) -> dict[str, Any]:
    within = None if target.within is None else [*target.within]
    return {"mean": target.mean, "deviation": target.deviation, "log": target.transform == "log", "within": within}
