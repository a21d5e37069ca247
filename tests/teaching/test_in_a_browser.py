"""The pages in a real browser: buttons, keys and a telephone's width, without a word on the console."""

from pathlib import Path

import numpy as np
import pytest

import nnxp
from tests.helpers.browser import Browser
from tests.teaching import examples
from tests.teaching.test_playground import network, values, watched


def test_a_worked_step(tmp_path: Path, browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    hostile = examples.hostile()
    hostile.save(tmp_path / "step.html")
    browser.open(tmp_path / "step.html")

    def shown() -> list[str]:
        return browser.shown(".step")

    body, count = browser.one("body"), len(hostile.facts.steps)
    assert shown() == ["step-1"] and not browser.one("#back").is_enabled()
    browser.one("#next").click()
    assert shown() == ["step-2"] and browser.one("#said").text == f"Step 2 of {count}"
    body.send_keys(Keys.ARROW_RIGHT)
    assert shown() == ["step-3"] and len(browser.all("svg .now circle")) == 3
    body.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert shown() == ["step-1"]
    body.send_keys(Keys.END)
    assert shown() == [f"step-{count}"] and not browser.one("#next").is_enabled()
    everything = browser.one("#all")
    everything.send_keys(Keys.ENTER)
    assert len(shown()) == count and everything.get_attribute("aria-pressed") == "true"
    assert browser.js("[...document.querySelectorAll('math')].every(m => m.getBoundingClientRect().height > 0)")
    assert browser.said == []
    browser.open(tmp_path / "step.html", width=360)
    for i in range(1, count + 1):  # nothing makes the page itself wider than the phone
        assert shown() == [f"step-{i}"] and browser.width <= 360
        browser.one("body").send_keys(Keys.ARROW_RIGHT)


def test_a_playground(tmp_path: Path, browser: Browser) -> None:
    """The slider and the keys change the pictures, places and units say what is there; on a telephone too."""
    from selenium.webdriver.common.keys import Keys

    x, y = nnxp.data.spiral(samples=30, seed=0)
    model = network(nnxp.Dense(2, 8), "relu", nnxp.Dense(8, 8), "relu", nnxp.Dense(8, 3), optimizer=nnxp.Adam(0.03))
    model.layers[0].biases = np.array([[-100.0] + [0.0] * 7])
    model.classes = ["one", "</script>", "three"]
    playground = watched(model, x, y, epochs=40)
    playground.save(tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    browser.until("'ready' in document.body.dataset")
    pixels = "document.getElementById('surface').toDataURL()"

    def reading() -> str:
        return str(browser.one("#reading").text)

    last, slider = browser.js(pixels), browser.one("#slider")
    assert browser.one("#epoch").text == "epoch 40 of 40" and not browser.one("#next").is_enabled()
    slider.send_keys(Keys.HOME)
    first = browser.js(pixels)
    assert browser.one("#epoch").text == "epoch 0 of 40" and first != last
    assert browser.one("[data-number=gradient-0]").text == "–"
    slider.send_keys(Keys.ARROW_RIGHT)
    assert browser.one("#epoch").text == "epoch 1 of 40"
    assert float(browser.one("[data-number=loss-0]").text) == pytest.approx(model.history["loss"][0], rel=5e-3)
    body = browser.one("body")
    body.send_keys(Keys.END)
    dead = sum(map(len, playground.frames[-1].dead))
    assert browser.js(pixels) == last and browser.one("[data-number=dead]").text == str(dead)
    body.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_RIGHT)
    assert browser.one("#epoch").text == "epoch 39 of 40"
    body.send_keys(Keys.END)
    stage = browser.one("#stage")
    assert "x are the units of hidden layer 2" in reading()
    for key in [Keys.ARROW_RIGHT] * 4 + [Keys.ARROW_LEFT] * 4:
        stage.send_keys(key)
        probability = float(browser.one("#reading > p").text.partition("≈ ")[2])
        value = float(browser.one("#reading .work:last-child > div:last-child mn").text)
        assert probability == pytest.approx(value, abs=0.01)  # two digits of the one, 256 steps of either
    browser.one("#play").click()
    browser.until("document.getElementById('epoch').textContent.startsWith('epoch 2 ')")
    browser.one("#play").click()
    seen = int(browser.one("#epoch").text.split()[1])  # it may have gone on before the click

    before = reading()
    stage.send_keys(Keys.ARROW_UP, Keys.ARROW_UP)
    assert reading() != before and before.startswith("At x₁ = ") and browser.all("#reading math")
    frame, side = playground.frames[seen], playground._shown.scene.side
    there = values(frame.units[0])[(side // 2 - 2) * side + side // 2]  # the cross began in the middle
    k = int(there.argmax())
    unit = browser.one(f"[data-group='0'][data-unit='{k}']")
    unit.send_keys("")  # the focus alone tells its formula
    assert there[k] > 0 and reading().startswith(f"Hidden layer 1, unit {k + 1}")
    assert "x are the features, x₁ and x₂;" in reading()
    numbers = [one.text for one in browser.all("#reading .work:first-child > div:last-child mn")]
    x1, w1, x2, w2, b = (float(number.replace("−", "-")) for number in numbers)
    assert [w1, w2, b] == pytest.approx(frame.numbers[0][k], rel=5e-3)
    place = playground._shown.scene.window.grid(side)[(side // 2 - 2) * side + side // 2]
    assert [x1, x2] == pytest.approx(place, rel=5e-3)
    value = float(browser.one("#reading .work:last-child > div:last-child mn").text)
    assert value == pytest.approx(there[k], rel=5e-3)
    unit.send_keys(Keys.ENTER)
    assert browser.one("#what").text == f"Hidden layer 1, unit {k + 1}" and unit.get_attribute("aria-pressed") == "true"
    body.send_keys(Keys.ESCAPE)
    assert browser.one("#what").text == "Decision surface" and unit.get_attribute("aria-pressed") == "false"
    assert "is-dead" in browser.one("[data-group='0'][data-unit='0']").get_attribute("class")
    dead = len(playground.frames[seen].dead[0])
    assert browser.one("[data-dead='0']").text.startswith(f"{dead} ") and browser.said == []

    wide = network(nnxp.Dense(2, 200))  # of which 192 units are kept
    wide.layers[0].biases = 1e6 * (np.arange(200) == 199)
    years = watched(wide, x * 10 + [2000.0, 0.0], y, epochs=1)
    years.save(tmp_path / "years.html")
    browser.open(tmp_path / "years.html")
    browser.until("'ready' in document.body.dataset")
    place = years._shown.scene.window.grid(side := years._shown.scene.side)[side // 2 * side + side // 2]
    year = float(reading().split(" = ")[1].split(",")[0])
    assert year == pytest.approx(place[0], abs=0.05) and ": class 199" in reading() and browser.said == []
    assert not browser.all("#reading math")  # another unit's formula would be none of this class

    browser.open(tmp_path / "page.html", width=390)
    browser.until("'ready' in document.body.dataset")
    assert browser.width <= 390 and browser.js("document.getElementById('stage').getBoundingClientRect().width") > 300
    browser.one("[data-group='1'][data-unit='0']").click()
    assert browser.width <= 390 and browser.one("#what").text == "Hidden layer 2, unit 1" and browser.said == []
