"""A callback such as a user writes it, with its types: run here, and read by `mypy --strict` in `nox -s lint`."""

from typing import Any, assert_type

import nnxp
from nnxp.callbacks import State


def test_a_callback_knows_its_model() -> None:
    widths: list[int] = []

    def watch(state: State) -> None:
        """Bare: the model may be any."""
        assert_type(state.model, Any)
        widths.append(int(state.model.predict([[0.0, 1.0]]).shape[1]))

    def stop(state: State[nnxp.Sequential]) -> None:
        """The model's own methods, and no others."""
        assert_type(state.model, nnxp.Sequential)
        widths.append(state.model.evaluate([[0.0, 1.0]], [0])["loss"] > 0)
        state.stop = True

    model = nnxp.Sequential([nnxp.Dense(2, 3), "softmax"], "categorical_crossentropy", backend="numpy", seed=0)
    model.fit([[0.0, 1.0], [1.0, 0.0]], [0, 2], epochs=5, callbacks=[watch, stop])
    assert widths == [3, True]
