"""A page in a real browser."""

from pathlib import Path
from typing import Any


class Browser:
    """Chromium without a screen, and what a test asks of a page."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path, *, width: int = 1280, height: int = 900) -> None:
        """A file, in a window of this size: a telephone's below 500."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(path.as_uri())

    def js(self, expression: str) -> Any:
        """An expression's value in the page."""
        return self.driver.execute_script(f"return {expression}")

    def until(self, expression: str) -> None:
        """Waits until an expression holds."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 30, poll_frequency=0.02).until(lambda _: self.js(expression))

    def all(self, selector: str) -> list[Any]:
        """The elements that a selector finds."""
        found: list[Any] = self.driver.find_elements("css selector", selector)
        return found

    def one(self, selector: str) -> Any:
        """The first of them."""
        return self.driver.find_element("css selector", selector)

    def shown(self, selector: str) -> list[str]:
        """The ids of those that can be seen."""
        visible = f"[...document.querySelectorAll('{selector}')].filter((one) => one.getClientRects().length)"
        found: list[str] = self.js(f"{visible}.map((one) => one.id)")
        return found

    @property
    def said(self) -> list[Any]:
        """What the console says: errors, warnings, and what the page's policy has refused."""
        found: list[Any] = self.driver.get_log("browser")
        return found

    @property
    def width(self) -> int:
        """How wide the page is: more than the window where it can be moved sideways."""
        found: int = self.js("document.documentElement.scrollWidth")
        return found
