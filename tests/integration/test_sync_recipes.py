"""The copies of the guide: killed in the middle, started again, up to date at last."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from runpy import run_path
from signal import SIGKILL
from typing import Any

import pytest

from tests.integration.test_documentation import blocks_of_pages, skip_without
from tests.processes import stopped_at_request
from wacht.sandbox import Sandbox

Read = Callable[[Path], Any]


def rows_in_sqlite(folder: Path) -> Any:
    with closing(sqlite3.connect(folder / "contexts.db")) as db:
        query = "SELECT id, json_extract(json, '$.agent_id') FROM contexts"
        return db.execute(query).fetchall()


def rows_in_parquet(folder: Path) -> Any:
    duckdb = pytest.importorskip("duckdb")
    files = str(folder / "contexts" / "*.parquet")
    query = (
        "SELECT id, arg_max(agent_id, filename) FROM read_parquet(?, filename = true)"
    )
    return duckdb.execute(f"{query} GROUP BY id", [files]).fetchall()


def rows_by_dlt(folder: Path) -> Any:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(folder / "contexts.duckdb") as db:
        return db.execute("SELECT id, agent_id FROM wacht.contexts").fetchall()


READERS: dict[str, Read] = {
    "loop": rows_in_sqlite,
    "deletions": rows_in_sqlite,
    "sqlite3": rows_in_sqlite,
    "duckdb": rows_in_parquet,
    "dlt": rows_by_dlt,
}
BLOCKS = [
    block
    for block in blocks_of_pages()
    if block.page.parent.name == "guide" and "context_updates(" in block.source
]
RECIPES = dict(zip(READERS, BLOCKS, strict=True))


@pytest.fixture(params=READERS)
def recipe(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Read]:
    """The script of a recipe, and what reads its copy."""
    block, script = RECIPES[request.param], tmp_path / "sync.py"
    skip_without(block.packages)
    often = block.source.replace("PAGES = 20", "PAGES = 1")
    script.write_text(often.replace("FILES = 100", "FILES = 4"), encoding="utf-8")
    return script, READERS[request.param]


@pytest.fixture(params=["page", "offset"])
def sandbox(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Sandbox]:
    with Sandbox(revision=request.param) as sandbox:
        sandbox.contexts = [{**c, "agent_id": "agent"} for c in sandbox.contexts]
        monkeypatch.setenv("WACHT_BASE_URL", sandbox.url)
        monkeypatch.setenv("WACHT_API_KEY", sandbox.api_key)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
        monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        yield sandbox


@pytest.mark.parametrize("recipe", sorted({*READERS} - {"deletions"}), indirect=True)
def test_sync__killed_and_started_again(
    recipe: tuple[Path, Read], sandbox: Sandbox
) -> None:
    """It goes on where it was; the next run reads what was active during that."""
    script, read = recipe
    stopped_at_request(3, sandbox, SIGKILL, script, cwd=script.parent)
    assert 100 <= len(read(script.parent)) < 250
    sandbox._live = later(sandbox)
    run_path(str(script))
    sandbox._live = None
    resumed = sandbox.requests[3].query
    assert int(resumed.get("offset") or resumed["page"]) > 1
    ids = sorted(context["id"] for context in sandbox.contexts)
    assert sorted(id_ for id_, _ in read(script.parent)) == ids
    before = len(sandbox.requests)
    run_path(str(script))
    expected = sorted((c["id"], c["agent_id"]) for c in sandbox.contexts)
    assert sorted(read(script.parent)) == expected
    assert len(sandbox.requests) - before <= (3 if sandbox.revision == "page" else 2)


@pytest.mark.parametrize("recipe", ["deletions"], indirect=True)
def test_deletions__killed_and_started_again(
    recipe: tuple[Path, Read], sandbox: Sandbox
) -> None:
    """Rows go at the end of a run that read all, in however many starts."""
    script, read = recipe
    run_path(str(script))
    del sandbox.contexts[::50]
    third = len(sandbox.requests) + 3
    stopped_at_request(third, sandbox, SIGKILL, script, "full", cwd=script.parent)
    assert len(read(script.parent)) == 250
    run_path(str(script))
    ids = sorted(context["id"] for context in sandbox.contexts)
    assert sorted(id_ for id_, _ in read(script.parent)) == ids


def later(sandbox: Sandbox) -> Callable[[list[Any]], None]:
    """Let a context become active after each answer: by turns one read, one unread."""

    def change(contexts: list[Any]) -> None:
        number = len(sandbox.requests)
        changed = {"agent_id": f"agent {number}"}
        if sandbox.revision == "offset":
            changed["last_activity_at"] = f"2030-01-01T{number:02}:00:00Z"
        contexts.insert(0, contexts.pop(9 if number % 2 else 240) | changed)

    return change
