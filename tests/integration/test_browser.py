"""
The example notebook as a person sees it: JupyterLab in a real browser.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

for module in ("jupyterlab", "ipykernel", "matplotlib", "pandas", "selenium"):
    pytest.importorskip(module, reason=f"the notebook in a browser needs {module}")
CHROMIUM, CHROMEDRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
if CHROMIUM is None or CHROMEDRIVER is None:
    pytest.skip("there is no chromium, or no chromedriver", allow_module_level=True)

from selenium import webdriver  # noqa: E402 - where it is installed

NOTEBOOK = Path(__file__).parents[2] / "examples" / "contexts.ipynb"
PATIENCE = 30  # seconds, for what takes one or two

BROWSER = (
    "--headless=new",
    "--no-sandbox",  # which it refuses to root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--window-size=1400,12000",  # so that all cells are drawn
)
JUPYTERLAB = (
    "--allow-root",
    "--expose-app-in-browser",
    "--no-browser",
    "--port=0",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.news_url=None",
)

# What stands on the page of a kind: its size in pixels, its text, how it is aligned.
LOOK = """
return [...document.querySelectorAll(arguments[0])].map(element => ({
    height: element.getBoundingClientRect().height,
    width: element.getBoundingClientRect().width,
    text: element.textContent,
    align: getComputedStyle(element).textAlign,
}))
"""
RUN_ALL = """
const done = arguments[arguments.length - 1];
window.jupyterapp.commands.execute('runmenu:run-all')
    .then(() => done('done'), error => done(String(error)));
"""
PROMPTS = """
return [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
    .map(element => element.textContent)
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
    """
    Look again and again until there is something, and give it.
    """
    until = time.monotonic() + PATIENCE
    while not (seen := look()):
        assert time.monotonic() < until, f"not seen in {PATIENCE} s"
        time.sleep(0.1)
    return seen


def test_notebook__in_jupyterlab(browser: webdriver.Chrome, notebook_url: str) -> None:
    """
    Table, card, frame and plots are there at first sight, and again after a run.

    At first sight nobody trusts the notebook, and JupyterLab drops what may do harm.
    """
    browser.get(notebook_url)
    assert_all_seen(browser)
    assert browser.execute_async_script(RUN_ALL) == "done"
    prompts = browser.execute_script(PROMPTS)
    assert prompts == [f"[{number}]:" for number in range(1, len(prompts) + 1)]
    assert_all_seen(browser)
    headings = browser.execute_script(LOOK, ".wacht-view th")
    assert {heading["align"] for heading in headings} == {"left"}


def assert_all_seen(browser: webdriver.Chrome) -> None:
    plots = seen(browser, ".jp-RenderedImage img", 2)
    assert all(plot["width"] > 600 and plot["height"] > 150 for plot in plots)
    table, card = seen(browser, ".wacht-view .wacht-grid", 2)
    assert "context_group" in table["text"]
    assert "last_activity_at" in card["text"]
    [frame] = seen(browser, "table.dataframe", 1)
    assert "context_group" in frame["text"]


def seen(browser: webdriver.Chrome, selector: str, count: int) -> list[Any]:
    def all_of_them() -> list[Any]:
        found: list[Any] = browser.execute_script(LOOK, selector)
        whole = len(found) == count and all(item["height"] for item in found)
        return found if whole else []

    return list(eventually(all_of_them))
