"""
Each Python block of the README and the docs runs, against the sandbox.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wacht
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
AGENT = {"agent_id": "agent_123", "created_at": "2026-03-01T12:00:00Z"}


def blocks() -> Iterator[object]:
    for page in PAGES:
        text = page.read_text()
        for number, match in enumerate(BLOCK.finditer(text), 1):
            line = text[: match.start()].count("\n") + 1
            name = f"{page.relative_to(ROOT)}-{number}"
            # Line numbers of a traceback are then those of the page.
            yield pytest.param(page, "\n" * line + match[1], id=name)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Contexts of the documentation's agent, the service set in the environment."""
    contexts = [{**AGENT, "id": str(number)} for number in range(150)]
    wacht._default_session.cache_clear()
    with Sandbox(contexts) as sandbox:
        monkeypatch.setenv("WACHT_BASE_URL", sandbox.url)
        monkeypatch.setenv("WACHT_API_KEY", "wk_sandbox")
        monkeypatch.chdir(tmp_path)
        yield
    wacht._default_session.cache_clear()


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(("page", "source"), list(blocks()))
def test_block__runs(page: Path, source: str) -> None:
    """A block of the documentation runs as it stands."""
    exec(compile(source, str(page), "exec"), {"__name__": "__main__"})  # noqa: S102 - our own words
