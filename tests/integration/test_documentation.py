"""Each Python example runs: in the README, docs and docstrings, and the scripts."""

from __future__ import annotations

import csv
import doctest
import json
import re
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from urllib3 import Retry

from tests.processes import output_of, run
from wacht import cli
from wacht._contexts import OFFSET_FIELDS, PAGE_FIELDS
from wacht.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = sorted((ROOT / "wacht").rglob("*.py"))
BLOCK = re.compile(
    r"(?:^([^\n]*)\n\n)?^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
COMMAND = re.compile(r"^(?:\$ |.*\.venv/bin/)?wacht ([^>|`\n]+)", re.MULTILINE)
IMPORTED = re.compile(r"^(?:import|from) (\w+)", re.MULTILINE)
NEEDED = {  # by what an example calls
    "to_dataframe(": "pandas",
    "to_parquet(": "pyarrow",
    "from_pandas(": "pyarrow",
    "progress=True": "tqdm",
}


@frozen
class Block:
    """An example, and what its page says that it prints."""

    page: Path
    number: int
    line: int
    source: str
    printed: str | None = None
    announced: str = ""  # the last line of the text above

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}-{self.number}"

    @property
    def revisions(self) -> list[str]:
        """The revisions that it runs on: both, unless the page says by which."""
        is_by_page = "By page" in self.announced or "context.agent_id" in self.source
        return ["page"] if is_by_page else ["page", "offset"]

    @property
    def packages(self) -> list[str]:
        called = {name for call, name in NEEDED.items() if call in self.source}
        imported = {*IMPORTED.findall(self.source)} - {"pytest", "responses", "wacht"}
        return sorted(called | imported - sys.stdlib_module_names)


def blocks_of_pages() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for number, match in enumerate(BLOCK.finditer(text), 1):
            line = text[: match.start(2)].count("\n")
            yield Block(page, number, line, match[2], match[3], match[1] or "")


def blocks_of_docstrings() -> Iterator[Block]:
    for module in MODULES:
        text = module.read_text(encoding="utf-8").replace('"""', "")  # no output
        if examples := doctest.DocTestParser().get_examples(text):
            yield Block(module, 1, 0, "".join(example.source for example in examples))


def commands() -> set[str]:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    return {found.strip() for text in texts for found in COMMAND.findall(text)}


BLOCKS = [*blocks_of_pages(), *blocks_of_docstrings()]
SCRIPTS = [block for block in BLOCKS if "def test_" not in block.source]
[RECORDING] = [block for block in BLOCKS if "use_cassette" in block.source]
TESTS = [block for block in BLOCKS if block not in [*SCRIPTS, RECORDING]]


def context(number: int) -> dict[str, object]:
    """One of the documentation's contexts: an hour older than the one before it."""
    day, hour = divmod(24 * 7 + 12 - number, 24)
    time = f"{f'2026-02-{22 + day}' if day < 7 else '2026-03-01'}T{hour:02}:00:00Z"
    return {
        "id": str(number),
        "agent_id": "agent_123",
        "created_at": time,
        "last_activity_at": time,
    }


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """The documentation's contexts, the service set in the environment."""
    with Sandbox([context(number) for number in range(150)]) as sandbox:
        monkeypatch.setenv("WACHT_BASE_URL", sandbox.url)
        monkeypatch.setenv("WACHT_API_KEY", "wk_sandbox")
        monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
        monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        monkeypatch.chdir(tmp_path)
        yield sandbox


@pytest.fixture
def _without_instrumentation() -> Iterator[None]:
    yield
    if module := sys.modules.get("opentelemetry.instrumentation.requests"):
        module.RequestsInstrumentor().uninstrument()


@pytest.mark.usefixtures("_without_instrumentation")
@pytest.mark.parametrize(
    ("block", "revision"),
    [(block, revision) for block in SCRIPTS for revision in block.revisions],
    ids=str,
)
def test_block__runs(
    block: Block, revision: Any, service: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    skip_without(block.packages)
    fields = PAGE_FIELDS if revision == "page" else OFFSET_FIELDS
    service.revision = revision
    service.contexts[:] = [
        {name: listed[name] for name in fields if name in listed}
        for listed in service.contexts
    ]
    # Line numbers of a traceback are then those of the page.
    source = "\n" * block.line + block.source
    names = {"__name__": "__main__"}
    exec(compile(source, str(block.page), "exec"), names)  # noqa: S102 - our own words
    assert block.printed in (None, capsys.readouterr().out)


def test_blocks__pass_in_pytest(tmp_path: Path) -> None:
    skip_without(["requests_mock"])
    run_pytest(tmp_path, *TESTS)


@pytest.mark.parametrize("revision", ["page", "offset"])
def test_recording__plays(service: Sandbox, tmp_path: Path, revision: Any) -> None:
    """An example with a cassette passes once more without the service and its key."""
    skip_without(RECORDING.packages)
    service.revision = revision
    run_pytest(tmp_path, RECORDING)
    assert len(service.requests) >= 2
    service.close()
    [cassette] = tmp_path.rglob("*.yaml")
    assert "wk_sandbox" not in cassette.read_text(encoding="utf-8")
    run_pytest(tmp_path, RECORDING)


def skip_without(packages: list[str]) -> None:
    for name in packages:
        pytest.importorskip(name)


def run_pytest(folder: Path, *blocks: Block) -> None:
    for block in blocks:
        name = f"test_{block.page.stem}_{block.number}.py"
        (folder / name).write_text(block.source, encoding="utf-8")
    options = ["-q", "-W", "error", "--rootdir", "."]
    for plugin in ("anyio", "cacheprovider", "hypothesispytest"):  # slow to start
        options += ["-p", f"no:{plugin}"]
    output_of("-m", "pytest", *options, cwd=folder)


@pytest.mark.parametrize("arguments", sorted(commands()))
def test_command__has_known_options(arguments: str) -> None:
    words = [word for word in shlex.split(arguments) if word != "--help"]
    assert cli.main([*words, "--help"]) == 0


@pytest.mark.parametrize("revision", ["page", "offset"])
def test_plain_script__lists_all(service: Sandbox, revision: Any) -> None:
    service.revision = revision
    script = EXAMPLES / "plain_script.py"
    ran = run(script)
    assert ran.stdout.splitlines()[0] == "0 2026-03-01 12:00:00+00:00 None"
    assert len(ran.stdout.splitlines()) == 150
    assert (ran.returncode, ran.stderr) == (0, "")
    service.answer(401, "unknown API key")
    ran = run(script)
    message = "401 Unauthorized: unknown API key; check WACHT_API_KEY or api_key\n"
    assert (ran.returncode, ran.stderr) == (1, message)


@pytest.mark.parametrize("revision", ["page", "offset"])
def test_export__as_a_script(service: Sandbox, tmp_path: Path, revision: Any) -> None:
    service.revision = revision
    ran = run(EXAMPLES / "export_to_csv.py", "contexts.csv")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "150 contexts\n", "")
    assert [row["id"] for row in rows_in(tmp_path / "contexts.csv")] == [
        str(number) for number in range(150)
    ]


@pytest.mark.parametrize("revision", ["page", "offset"])
def test_shared_budget__as_a_script(service: Sandbox, revision: Any) -> None:
    skip_without(["filelock", "pyrate_limiter", "redis"])
    service.revision = revision
    ran = run(EXAMPLES / "shared_budget.py")
    assert ran.stdout.split() == [str(number) for number in range(150)]
    assert (ran.returncode, ran.stderr) == (0, "")


def test_export__without_an_argument() -> None:
    ran = run(EXAMPLES / "export_to_csv.py")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "WACHT_API_KEY=... python export_to_csv.py" in ran.stderr


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(EXAMPLES)
    return import_module("export_to_csv")


def rows_in(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_export__formulas_and_lone_surrogates(example: Any, tmp_path: Path) -> None:
    titles = {"=1+1": "'=1+1", ";=1+1": ";'=1+1", "\ud800": "\\ud800", "a=1": "a=1"}
    contexts = [{"id": title, "title": title} for title in titles]
    path = tmp_path / "contexts.csv"
    with Sandbox(contexts) as sandbox, sandbox.session() as session:
        example.export(session, path)
    assert [row["title"] for row in rows_in(path)] == [*titles.values()]


def test_export__continues_after_errors(
    example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def change(listed: list[Any]) -> None:
        if len(listed) < 253:
            listed.insert(0, {"id": f"added {len(listed)}"})
            sandbox.answer(503)

    monkeypatch.setattr(example, "PAUSE", 0)
    path = tmp_path / "contexts.csv"
    with (
        Sandbox(live=change) as sandbox,
        sandbox.session(retry=Retry(total=0)) as session,
    ):
        contexts = sandbox.contexts.copy()
        count = example.export(session, path)
        sandbox.heal()  # the last change came after the last page
    rows = rows_in(path)
    ids = [row["id"] for row in rows]
    assert count == len(ids) == len(set(ids))
    assert ids[: len(contexts)] == [context["id"] for context in contexts]
    assert json.loads(rows[0]["context"]) == contexts[0]["context"]
