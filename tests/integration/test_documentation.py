"""
Each Python block of the README and the docs runs, and so do the examples.
"""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen
from urllib3 import Retry

import wacht
from wacht._cli_arguments import parsed
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
COMMAND = re.compile(r"^(?:\$ |.*\.venv/bin/)?wacht ([^>|`\n]+)", re.MULTILINE)
AGENT = {"agent_id": "agent_123", "created_at": "2026-03-01T12:00:00Z"}


@frozen
class Block:
    """A piece of Python on a page, and what the page says that it prints."""

    page: Path
    number: int
    line: int
    source: str
    printed: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}-{self.number}"

    @property
    def is_for_pytest(self) -> bool:
        return "def test_" in self.source or "@pytest.fixture" in self.source


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for number, match in enumerate(BLOCK.finditer(text), 1):
            line = text[: match.start()].count("\n") + 1
            yield Block(page, number, line, match[1], match[2])


def commands() -> set[str]:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    return {found for text in texts for found in COMMAND.findall(text)}


SCRIPTS = [block for block in blocks() if not block.is_for_pytest]
TESTS = [block for block in blocks() if block.is_for_pytest]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """Contexts of the documentation's agent, the service set in the environment."""
    contexts = [{**AGENT, "id": str(number)} for number in range(150)]
    wacht._session_of.cache_clear()
    with Sandbox(contexts) as sandbox:
        monkeypatch.setenv("WACHT_BASE_URL", sandbox.url)
        monkeypatch.setenv("WACHT_API_KEY", "wk_sandbox")
        monkeypatch.chdir(tmp_path)
        yield sandbox
    wacht._session_of.cache_clear()


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("block", SCRIPTS, ids=str)
def test_block__runs(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    """A block of the documentation runs as it stands, and prints what the page says."""
    # Line numbers of a traceback are then those of the page.
    source = "\n" * block.line + block.source
    exec(compile(source, str(block.page), "exec"), {"__name__": "__main__"})  # noqa: S102 - our own words
    assert block.printed in (None, capsys.readouterr().out)


@pytest.mark.parametrize("block", TESTS, ids=str)
def test_block__passes_in_pytest(block: Block, tmp_path: Path) -> None:
    """A block with tests passes, with the fixtures that stand on its page."""
    fixtures = [
        other.source
        for other in TESTS
        if other.page == block.page and "@pytest.fixture" in other.source
    ]
    (tmp_path / "conftest.py").write_text("\n".join(fixtures), encoding="utf-8")
    uses = "" if "def test_" in block.source else USE_OF_FIXTURES
    (tmp_path / "test_block.py").write_text(block.source + uses, encoding="utf-8")
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", "."]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


USE_OF_FIXTURES = """

def test_fixture__serves(sandbox):
    assert sandbox.url
"""


@pytest.mark.parametrize("arguments", sorted(commands()))
def test_command__is_understood(arguments: str) -> None:
    """A command line of `wacht` in the documentation has options that exist."""
    assert parsed(shlex.split(arguments)).command


def test_plain_script__lists_one_agent(service: Sandbox) -> None:
    """The shortest example prints a line for each context of an agent."""
    ran = plain_script("agent_123")
    assert ran.stdout.splitlines()[0] == "0 2026-03-01 12:00:00+00:00 untitled"
    assert len(ran.stdout.splitlines()) == 150
    assert (ran.returncode, ran.stderr) == (0, "")


def test_plain_script__tells_an_error(service: Sandbox) -> None:
    """It tells what is wrong with the key, in a line."""
    service.answer(401, "Authentication failed: unknown API key")
    ran = plain_script("agent_123")
    assert ran.returncode == 1
    assert ran.stderr == (
        "check WACHT_API_KEY: 401 Unauthorized: "
        "Authentication failed: unknown API key\n"
    )


def plain_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / "plain_script.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_export__goes_on_after_errors(tmp_path: Path) -> None:
    """The export writes each context once, though limits stop it and the list grows."""
    example = loaded(EXAMPLES / "export_to_csv.py")
    path = tmp_path / "contexts.csv"
    with (
        Sandbox(per_second=1) as sandbox,
        sandbox.session(throttle=None, retry=Retry(total=0)) as session,
    ):
        contexts = sandbox.contexts.copy()

        def pause(_seconds: float) -> None:
            sandbox.contexts.insert(0, {"id": f"added {len(sandbox.contexts)}"})
            time.sleep(1)

        example.time = SimpleNamespace(sleep=pause)
        count = example.export(session, path)
        assert len(sandbox.contexts) > len(contexts)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert count == len(rows)
    assert [row["id"] for row in rows] == [context["id"] for context in contexts]
    assert json.loads(rows[0]["context"]) == contexts[0]["context"]


def loaded(path: Path) -> Any:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
