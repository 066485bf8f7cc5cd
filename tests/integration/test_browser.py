"""The example notebook as people see it: in a real browser."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NEEDED = ("jupyterlab", "ipykernel", "matplotlib", "pandas", "selenium")
for module in NEEDED:
    pytest.importorskip(module, reason=f"the tests in a browser need {module}")
CHROMIUM, CHROMEDRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
if CHROMIUM is None or CHROMEDRIVER is None:
    pytest.skip("there is no chromium, or no chromedriver", allow_module_level=True)

from selenium import webdriver  # noqa: E402 - where it is installed

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "contexts.ipynb"
TIMEOUT = 60  # seconds, for what takes one or two
READABLE = 4.5  # the contrast that WCAG asks for

BROWSER = (
    "--headless=new",
    "--no-sandbox",  # root can't have one
    "--disable-dev-shm-usage",
    "--no-proxy-server",
    "--window-size=1400,5000",  # so that JupyterLab draws all cells
)
JUPYTERLAB = (
    "--allow-root",
    "--expose-app-in-browser",
    "--no-browser",
    "--port=0",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.news_url=None",
)
COMMAND = """
const [command, options, done] = arguments;
window.jupyterapp.commands.execute(command, options)
    .then(() => done('done'), error => done(String(error)));
"""
# Size, text, alignment, colour and background of all elements that a selector finds.
LOOK = """
const background = element => {
    const own = getComputedStyle(element).backgroundColor;
    const clear = own === 'transparent' || own === 'rgba(0, 0, 0, 0)';
    return clear && element.parentElement ? background(element.parentElement) : own;
};
return [...document.querySelectorAll(arguments[0])].map(element => ({
    height: element.getBoundingClientRect().height,
    width: element.getBoundingClientRect().width,
    text: element.textContent,
    align: getComputedStyle(element).textAlign,
    color: getComputedStyle(element).color,
    background: background(element),
}))
"""


@pytest.fixture
def notebook_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A copy of the notebook in a JupyterLab of this test's own."""
    (tmp_path / "work").mkdir()
    shutil.copy(NOTEBOOK, tmp_path / "work")
    for place in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        monkeypatch.setenv(f"JUPYTER_{place}", str(tmp_path / place))
    command = [sys.executable, "-m", "jupyterlab", *JUPYTERLAB]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, cwd=tmp_path / "work", stderr=log) as process,
    ):
        try:
            server = eventually(lambda: server_in(tmp_path / "RUNTIME_DIR"))
            path = f"lab/tree/{NOTEBOOK.name}?token={server['token']}"
            yield f"{server['url']}{path}"
        finally:
            process.terminate()


def server_in(folder: Path) -> Any:
    for file in folder.glob("jpserver-*.json"):
        text = file.read_text(encoding="utf-8")
        return json.loads(text) if text.endswith("}") else None
    return None


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (*BROWSER, f"--user-data-dir={tmp_path / 'browser'}"):
        options.add_argument(argument)
    service = webdriver.ChromeService(CHROMEDRIVER)
    with webdriver.Chrome(options, service) as chrome:
        yield chrome


def eventually(look: Callable[[], Any]) -> Any:
    """Look again and again until there is something, and return it."""
    end = time.monotonic() + TIMEOUT
    while not (seen := look()):
        assert time.monotonic() < end, f"not seen in {TIMEOUT} s"
        time.sleep(0.1)
    return seen


def seen(browser: webdriver.Chrome, selector: str, count: int) -> list[Any]:
    def all_of_them() -> list[Any]:
        found: list[Any] = browser.execute_script(LOOK, selector)
        whole = len(found) == count and all(item["height"] for item in found)
        return found if whole else []

    return list(eventually(all_of_them))


def luminance(color: str) -> float:
    """Return the relative luminance of a CSS colour, as WCAG defines it."""
    parts = color.partition("(")[2].rstrip(")").split(",")
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (float(part) / 255 for part in parts[:3])
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def assert_readable(browser: webdriver.Chrome, selector: str, theme: str) -> None:
    elements = browser.execute_script(LOOK, selector)
    assert elements
    for element in elements:
        text, background = (
            luminance(element[part]) + 0.05 for part in ("color", "background")
        )
        assert max(text, background) / min(text, background) > READABLE, element
        assert (background > text) == (theme == "light")


def test_notebook__in_jupyterlab(browser: webdriver.Chrome, notebook_url: str) -> None:
    browser.get(notebook_url)
    assert_all_seen(browser)
    headings = browser.execute_script(LOOK, ".wacht-view th")
    assert {heading["align"] for heading in headings} == {"left"}
    for theme in ("light", "dark"):
        change = ("apputils:change-theme", {"theme": f"JupyterLab {theme.title()}"})
        assert browser.execute_async_script(COMMAND, *change) == "done"
        light = str(theme == "light").lower()
        seen(browser, f"body[data-jp-theme-light={light}] .jp-Notebook", 1)
        assert_readable(browser, ".wacht-view :is(th, td, caption)", theme)


def assert_all_seen(browser: webdriver.Chrome) -> None:
    [plot] = seen(browser, ".jp-RenderedImage img", 1)
    assert plot["width"] > 600
    assert plot["height"] > 150
    table, card = seen(browser, ".wacht-view .wacht-grid", 2)
    assert "context_group" in table["text"]
    assert "last_activity_at" in card["text"]
    [frame] = seen(browser, "table.dataframe", 1)
    assert "context_group" in frame["text"]
