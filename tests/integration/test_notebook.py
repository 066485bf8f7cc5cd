"""Notebooks: the example's committed outputs are current, and the bar counts down."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

NEEDED = ("nbclient", "nbformat", "ipykernel", "ipywidgets", "matplotlib", "pandas")
for module in NEEDED:
    pytest.importorskip(module, reason=f"the notebook needs {module}")

import nbclient  # noqa: E402 - where it is installed
import nbformat  # noqa: E402

NOTEBOOK = Path(__file__).parents[2] / "examples" / "contexts.ipynb"
COUNTDOWN = """
import re, time
from wacht import WalkProgress
from wacht._progress import open_report

bar = open_report(progress=True)
report = bar.__enter__()
report(WalkProgress(pages=1, contexts=100, waiting=30, reason="rate limit"))
text = report.__self__._bar.container.children[-1]
while re.search("(30|29).s:", text.value):
    time.sleep(0.1)
"""


def committed() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def texts(notebook: Any) -> list[list[dict[str, str]]]:
    """Return the text that each cell shows; pictures differ between machines."""
    return [
        [as_text(output) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def as_text(output: Any) -> dict[str, str]:
    if output.output_type == "stream":
        return {output.name: output.text}
    return {kind: text for kind, text in output.data.items() if kind.startswith("text")}


def run(notebook: Any, folder: Path) -> Any:
    client = nbclient.NotebookClient(
        notebook, timeout=60, resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


def test_notebook__runs_and_its_outputs_are_current(tmp_path: Path) -> None:
    assert texts(run(committed(), tmp_path)) == texts(committed())


def test_notebook__has_all_its_outputs() -> None:
    code = [cell for cell in committed().cells if cell.cell_type == "code"]
    shown = [output for cell in code for output in cell.outputs]
    kinds = [kind for output in shown for kind in output.data]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    assert kinds.count("image/png") == 2
    machines = r"127\.0\.0\.1|localhost|/home/|/root/|/Users/"
    assert not re.search(machines, str(texts(committed())))


def test_progress__counts_down_in_a_notebook(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(COUNTDOWN)])
    widgets = run(notebook, tmp_path).metadata.widgets
    shown = json.dumps(widgets, ensure_ascii=False).replace("\u2007", " ")
    assert re.search(r"waiting [12]\d s: rate limit", shown)
