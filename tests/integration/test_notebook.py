"""The notebook of the examples: its committed outputs are current."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

NEEDED = ("nbclient", "nbformat", "ipykernel", "matplotlib", "pandas")
for module in NEEDED:
    pytest.importorskip(module, reason=f"the notebook needs {module}")

import nbclient  # noqa: E402 - where it is installed
import nbformat  # noqa: E402

TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?")
NOTEBOOK = Path(__file__).parents[2] / "examples" / "contexts.ipynb"


def committed() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def texts(notebook: Any) -> list[list[dict[str, str]]]:
    """Return the text that each cell shows, but no times and pictures, which differ."""
    return [
        [as_text(output) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def as_text(output: Any) -> dict[str, str]:
    is_stream = output.output_type == "stream"
    shown = {output.name: output.text} if is_stream else output.data
    return {
        kind: TIME.sub("a time", text)
        for kind, text in shown.items()
        if not kind.startswith("image")
    }


def test_notebook__runs_and_its_outputs_are_current(tmp_path: Path) -> None:
    resources = {"metadata": {"path": str(tmp_path)}}
    client = nbclient.NotebookClient(committed(), timeout=60, resources=resources)
    assert texts(client.execute()) == texts(committed())


def test_notebook__has_all_its_outputs() -> None:
    code = [cell for cell in committed().cells if cell.cell_type == "code"]
    shown = [output for cell in code for output in cell.outputs]
    kinds = [kind for output in shown for kind in output.data]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    assert kinds.count("image/png") == 1
    machines = r"127\.0\.0\.1|localhost|/home/|/root/|/Users/"
    assert not re.search(machines, str(texts(committed())))
