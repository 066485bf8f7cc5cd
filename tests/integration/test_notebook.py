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

NOTEBOOK = Path(__file__).parents[2] / "examples" / "contexts.ipynb"


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


def test_notebook__runs_and_its_outputs_are_current(tmp_path: Path) -> None:
    resources = {"metadata": {"path": str(tmp_path)}}
    client = nbclient.NotebookClient(committed(), timeout=60, resources=resources)
    assert texts(client.execute()) == texts(committed())


def test_notebook__has_all_its_outputs() -> None:
    code = [cell for cell in committed().cells if cell.cell_type == "code"]
    shown = [output for cell in code for output in cell.outputs]
    kinds = [kind for output in shown for kind in output.data]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    assert kinds.count("image/png") == 2
    machines = r"127\.0\.0\.1|localhost|/home/|/root/|/Users/"
    assert not re.search(machines, str(texts(committed())))
