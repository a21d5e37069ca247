"""JAX arrays cannot be written in place: stateless parts take them, parameters and models say why they do not."""

import numpy as np
import pytest

import nnxp

jnp = pytest.importorskip("jax.numpy", reason="JAX is not installed: `nox -s jax` installs it")


def test_activations_and_losses_compute_on_jax() -> None:
    x = np.asarray([[1.0, -2.0, 3.0]], dtype=np.float32)
    for kind in (nnxp.ReLU, nnxp.GELU, nnxp.Softmax):
        ours, theirs = kind(), kind()
        np.testing.assert_allclose(theirs.forward(jnp.asarray(x)), ours.forward(x), rtol=1e-6)
        assert type(theirs.output) is type(jnp.asarray(x))
        np.testing.assert_allclose(theirs.backward(jnp.asarray(x)), ours.backward(x), rtol=1e-5, atol=1e-6)
    loss = nnxp.MeanSquaredError()
    assert float(loss.calculate(jnp.asarray(x), jnp.asarray(x))) == 0.0


def test_parameters_refuse_jax_and_say_why() -> None:
    x = jnp.asarray([[1.0, 2.0, 3.0]])
    with pytest.raises(TypeError, match="cannot be written in place"):
        nnxp.Dense(3, 2).forward(x)
    with pytest.raises(TypeError, match="cannot be written in place"):
        nnxp.Sequential([nnxp.Dense(3, 2)]).predict(x)


def test_a_namespace_and_its_dotted_name_are_accepted() -> None:
    assert nnxp.get_backend(jnp).name == nnxp.get_backend("jax.numpy").name == "jax.numpy"
