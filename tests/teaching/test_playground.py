"""A training watched in the plane: what is seen, that nothing changes by it, and the page."""

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.cli import main
from nnxp.teaching.snapshots import Frame, Surface, as_text
from tests.helpers.matrix import Target
from tests.teaching.test_explain_pages import Page

X, Y = nnxp.data.moons(samples=60, seed=0)


def network(*layers: Any, y: Any = "categorical_crossentropy", **options: Any) -> nnxp.Sequential:
    options = {"backend": nnxp.get_backend("numpy", fast=False), "seed": 1, "optimizer": "adam"} | options
    layers = layers or (nnxp.Rescaling(2.0, -0.5), nnxp.Dense(2, 4), "relu", nnxp.Dropout(0.1), nnxp.Dense(4, 2))
    return nnxp.Sequential([*layers, *(["softmax"] if y == "categorical_crossentropy" else [])], y, **options)


def watched(model: nnxp.Sequential, x: Any = X, y: Any = Y, epochs: int = 3, **options: Any) -> nnxp.Playground:
    playground = nnxp.Playground(x, y)
    model.fit(x, y, epochs, callbacks=[*options.pop("callbacks", ()), playground], **options)
    return playground


def data_of(page: str) -> Any:
    return json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)[0])


def values(surface: Any) -> np.ndarray:
    """(places, units)"""
    return surface.low + surface.steps.T / 255 * (surface.high - surface.low)


def test_what_is_seen_is_what_the_model_computes(backend: Target) -> None:
    x, model, alone = backend.asarray(X, np.float32), network(backend=backend.spec), network(backend=backend.spec)
    model.layers[1].biases = backend.asarray(np.array([[0, -100, 0, 0]], np.float32))  # the second unit is dead
    alone.layers[1].biases = model.layers[1].biases
    playground = watched(model, x, Y)
    alone.fit(x, Y, 3)
    assert np.array_equal(backend.to_numpy(model.store.values), backend.to_numpy(alone.store.values))
    assert [frame.epoch for frame in playground.frames] == [0, 1, 2, 3]

    last, scene = playground.frames[-1], playground._shown.scene
    assert [(g.kind, g.width) for g in scene.groups] == [("inputs", 2), ("hidden", 4), ("outputs", 2)]
    p = backend.to_numpy(model.predict(backend.asarray(scene.window.grid(scene.answer_side), np.float32)))
    assert np.array_equal(last.answer.best, p.argmax(axis=1))
    assert np.abs(last.answer.probability / 255 - p.max(axis=1)).max() <= 0.51 / 255  # half a step, and float32's own
    grid = scene.window.grid(scene.side)
    weights, biases = (
        backend.to_numpy(a).astype(np.float64) for a in (model.layers[1].weights, model.layers[1].biases)
    )
    hidden = np.maximum((grid * 2 - 0.5) @ weights + biases, 0)
    step = (last.units[1].high - last.units[1].low) / 255
    assert np.all(np.abs(values(last.units[1]) - hidden) <= 0.51 * step + 1e-5)
    assert last.dead[1] == [1] and last.dead[0] == last.dead[2] == []

    g = [backend.to_numpy(a).ravel() for a in (model.layers[4].dweights, model.layers[4].dbiases)]
    assert last.gradients[1] == pytest.approx(np.sqrt(np.mean(np.concatenate(g) ** 2)), rel=1e-5)
    assert np.isnan(playground.frames[0].gradients).all()
    w = [weights[0, 2], weights[1, 2], biases[0, 2]]
    assert last.numbers[1][2] == [float(f"{number:.4g}") for number in w]
    words = re.sub("<[^>]*>", "", scene.lines[1].units[2][0].formula)
    assert words == "y3=x1·W13+x2·W23+b3"
    assert scene.frames * scene.side**2 * sum(group.shown for group in scene.groups) <= 4_000_000


def test_moments_are_few_and_the_last_is_what_is_kept() -> None:
    model = network()
    assert len(watched(model, epochs=100).frames) == 42 - 1  # the end is the last of the forty
    again = watched(model, epochs=2)
    assert [frame.epoch for frame in again.frames] == [100, 101, 102]

    stopping = nnxp.callbacks.EarlyStopping(patience=1, min_delta=100.0)  # nothing is better than the first epoch
    playground = watched(model := network(), epochs=9, callbacks=[stopping], validation_split=0.3)
    assert model.epoch == 2
    scene = playground._shown.scene
    p = model.predict(scene.window.grid(scene.answer_side))  # the first epoch's weights are back
    assert np.abs(playground.frames[-1].answer.probability / 255 - p.max(axis=1)).max() <= 0.51 / 255
    assert np.array_equal(playground.frames[-1].units[1].low, playground.frames[1].units[1].low)
    assert data_of(playground.html())["frames"][-1]["losses"] == pytest.approx(
        [model.history["loss"][-1], model.history["val_loss"][-1]], rel=1e-3
    )


@pytest.mark.parametrize(("units", "epochs"), [(4, 3), (60, 40), (190, 40)], ids=["few", "many", "most"])
def test_every_number_that_is_read_is_of_one_place(units: int, epochs: int) -> None:
    model = network(nnxp.Dense(2, units), "relu", nnxp.Dense(units, 2))
    scene = watched(model, epochs=epochs, batch_size=60)._shown.scene
    places, k = scene.window.grid(scene.side), scene.answer_side // scene.side
    whole = scene.window.grid(scene.answer_side).reshape(scene.side, k, scene.side, k, 2)
    np.testing.assert_allclose(whole[:, k // 2, :, k // 2].reshape(-1, 2), places, atol=1e-12)


@pytest.mark.parametrize(
    ("layers", "loss", "y", "options"),
    [
        ([nnxp.Dense(2, 3), "tanh", nnxp.Dense(3, 1), "sigmoid"], "binary_crossentropy", Y[:, None] * 1.0, {}),
        ([nnxp.Dense(2, 3), nnxp.BatchNorm(3), "gelu", nnxp.Dense(3, 2)], "softmax_crossentropy", np.eye(2)[Y], {}),
        ([nnxp.Dense(2, 3), "relu", nnxp.Dense(3, 1)], "mean_squared_error", X[:, 0], {"optimizer": nnxp.LBFGS()}),
        ([nnxp.Residual([nnxp.Dense(2, 2), "tanh"]), nnxp.Dense(2, 1)], "huber", X[:, :1], {}),
        ([nnxp.Dense(2, 2)], "softmax_crossentropy", Y, {}),
    ],
    ids=["binary", "logits", "lbfgs", "block", "linear"],
)
def test_other_models_have_a_page(layers: Any, loss: str, y: Any, options: Any) -> None:
    playground = watched(network(*layers, y=loss, **options), y=y)
    page = playground.html()
    found = data_of(page)
    assert Page(page).of("h1") and found["classes"] == (None if loss in ("mean_squared_error", "huber") else ["0", "1"])
    assert len(found["frames"][-1]["gradients"]) == page.count('data-number="gradient-') > 0


def test_places_far_from_0_are_told_apart() -> None:
    """Of years, an axis has more digits than the three of most places; the page's script has them all."""
    page = watched(network(), X * 10 + [2000.0, 0.0]).html()
    found, low, high = data_of(page), 2000 + 10 * X[:, 0].min(), 2000 + 10 * X[:, 0].max()
    assert [found["low"][0], found["high"][0]] == pytest.approx([low - (high - low) / 10, high + (high - low) / 10])
    assert found["digits"] == [5, 3] and f"from {found['low'][0]:.1f} to {found['high'][0]:.1f} across" in page


@pytest.mark.parametrize("ignored", [-1, 255])
def test_rows_of_an_ignored_label_are_not_drawn(ignored: int) -> None:
    loss = nnxp.CategoricalCrossentropy(ignore_label=ignored)
    some = np.where(np.arange(60) % 3 == 0, ignored, Y)
    page = watched(network(nnxp.Dense(2, 2), "softmax", y=loss), y=some).html()
    assert page.count("a row that is trained on</title>") == 40


def test_a_label_near_yes_is_drawn_as_one() -> None:
    model = network(nnxp.Dense(2, 1), "sigmoid", y="binary_crossentropy")
    assert watched(model, y=0.1 + 0.8 * Y)._shown.y.tolist() == Y.tolist()


def test_the_weights_are_those_of_a_validation() -> None:
    model = network(nnxp.Dense(2, 2), optimizer=nnxp.Adam(0.1, ema=0.9))
    playground = watched(model)
    grid = playground._shown.scene.window.grid(playground._shown.scene.answer_side)
    p = model.averaged().predict(grid)
    assert np.abs(playground.frames[-1].answer.probability / 255 - p.max(axis=1)).max() <= 0.51 / 255
    assert np.abs(p - model.predict(grid)).max() > 2 / 255


def test_a_page_needs_nothing_and_no_name_is_markup() -> None:
    hostile = '</script><!--<img src=x onerror="alert(1)">&\u2028'
    model = network(nnxp.Dense(2, 130), "relu", nnxp.Dense(130, 100), "tanh", nnxp.Dense(100, 2))
    model.classes = [hostile, "b"]
    playground = nnxp.Playground(X, Y, features=(hostile, "<b>"))
    model.fit(X, Y, 40, 60, callbacks=[playground])
    text = playground.html()
    assert len(text) < 3_000_000
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 2 and not {"img", "b"} & {tag for tag, _ in page.tags}
    assert data_of(text)["classes"][0] == hostile and data_of(text)["features"] == [hostile, "<b>"]
    code = "".join(page.of("script", "style"))
    assert "http:" not in text.replace("http://www.w3.org/1998/Math/MathML", "") and "https:" not in text
    assert "url(" not in code and "@import" not in code and "fetch(" not in code and "innerHTML" not in code
    assert not [a for _, a in page.tags if {"src", "href", "srcset", "action", "style_"} & {*a}]
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'")
    assert playground._shown.scene.groups[0].shown < 130 and "units are shown" in text


def test_what_is_not_finite_is_drawn_all_the_same() -> None:
    surface = Surface.of(np.array([[np.inf, 5.0], [np.nan, 5.0], [-np.inf, 5.0]]))
    assert surface.steps.tolist() == [[255, 128, 0], [0, 0, 0]] and np.isfinite([*surface.low, *surface.high]).all()
    frame = Frame(1, surface, [surface], [[]], [[[np.nan, 2.0]]], [np.inf, 1.0])
    assert json.dumps(found := frame.document(), allow_nan=False)
    assert found["gradients"] == [None, 1.0] and found["numbers"] == [[[None, 2.0]]]


def test_bytes_come_back() -> None:
    steps = np.array([[0, 255, 3], [7, 7, 0]], np.uint8)
    changes = np.frombuffer(zlib.decompress(base64.b64decode(as_text(steps))), np.uint8).reshape(2, 3)
    assert np.array_equal(np.cumsum(changes, axis=1, dtype=np.uint8), steps)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((3, 4)), Y[:3], r"got X of shape \(3, 4\), expected \(n, 2\)"),
        (X * np.nan, Y, "NaN or infinity"),
        (X, Y[:3], "got 3 targets for 60 rows"),
        (np.sign(X - 0.5) * 1e308, Y, "infinitely far apart"),
    ],
    ids=["features", "nan", "rows", "far"],
)
def test_what_is_no_plane_is_refused(x: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nnxp.Playground(x, y)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    playground = nnxp.Playground(X, Y)
    with pytest.raises(ValueError, match=r"expected a fit: model.fit\(X, y, callbacks"):
        playground.save(tmp_path / "page.html")
    with pytest.raises(ValueError, match="got a model of 2 members, expected one"):
        watched(network(members=2))
    with pytest.raises(ValueError, match="got a model of 2 numbers, expected one, or classes"):
        watched(network(nnxp.Dense(2, 2), y="mean_squared_error"), y=X)
    with pytest.raises(ValueError, match="got a model of 257 classes, expected 256 at most"):
        watched(network(nnxp.Dense(2, 257)))
    with pytest.raises(ValueError, match="got y from 5 to 6, expected the model's classes, 0 to 1"):
        network().fit(X, Y, 1, callbacks=[nnxp.Playground(X, Y + 5)])
    with pytest.raises(ValueError, match="got a model of 3 features, expected two"):
        network(nnxp.Dense(3, 2)).fit(np.ones((60, 3)), Y, 1, callbacks=[nnxp.Playground(X, Y)])
    with pytest.raises(TypeError, match="got text, expected numbers"):
        nnxp.Playground(X.astype(str), Y)
    with pytest.raises(ValueError, match="expected two names"):
        nnxp.Playground(X, Y, features=["a"])
    assert [*tmp_path.iterdir()] == []


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    words = ["train", "spiral", "--epochs", "2", "--hidden", "3", "--out", out, "--overwrite"]
    assert main([*words, "--page"]) == 0
    said = capsys.readouterr().out
    assert " playground.html," in said and "no playground" not in said
    page = (tmp_path / "run" / "playground.html").read_text(encoding="utf-8")
    with_page = nnxp.load(tmp_path / "run" / "model.safetensors")
    assert data_of(page)["features"] == ["x0", "x1"] and "CategoricalCrossentropy, test" in page
    assert main(words) == 0 and "playground" not in capsys.readouterr().out
    assert not (tmp_path / "run" / "playground.html").exists()
    without = nnxp.load(tmp_path / "run" / "model.safetensors")
    assert np.array_equal(with_page.store.values, without.store.values)

    (tmp_path / "t.csv").write_text("a,b,c\n1,2,x\n3,4,y\n5,1,x\n0,3,y\n2,2,x\n4,4,y\n1,5,x\n2,0,y\n")
    for asked, got in (
        (["digits"], "got digits with 64 features and 1 to predict"),
        (["moons", "--members", "2"], "got --members 2"),
        ([str(tmp_path / "t.csv"), "--target", "c"], "got the table"),
    ):
        assert main(["train", *asked, "--epochs", "1", "--page", "--out", str(tmp_path / "no")]) == 2
        said = capsys.readouterr().err
        assert said.startswith("nnxp: error: --page: ") and got in said and said.count("\n") == 1
    assert not (tmp_path / "no").exists()
