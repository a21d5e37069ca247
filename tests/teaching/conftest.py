"""A real browser for the pages."""

import shutil
from collections.abc import Iterator

import pytest

from tests.helpers.browser import Browser

WITHOUT = "needs Debian's packages chromium and chromium-driver, and pip install selenium"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all tests of a process."""
    webdriver = pytest.importorskip("selenium.webdriver", reason=WITHOUT)
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip(WITHOUT)
    options = webdriver.ChromeOptions()
    profile = f"--user-data-dir={tmp_path_factory.mktemp('profile')}"
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", profile):
        options.add_argument(word)
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(chromedriver))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
