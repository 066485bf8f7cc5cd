"""What `import wacht` loads and shows, and the session behind the module functions."""

from __future__ import annotations

import importlib
import inspect
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import jedi
import pytest
import responses

import wacht
from wacht import errors

ROOT = Path(__file__).parents[2]

NOT_AT_THE_START = {
    *("IPython", "click", "ipywidgets", "msgspec", "numpy", "pandas", "rich", "tqdm"),
    *("cattrs", "http.server", "requests", "socketserver", "urllib3"),
    *("wacht.cli", "wacht.sandbox"),
}


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("wacht", NOT_AT_THE_START),
        ("wacht.cli.run", {"pandas", "tqdm", "IPython", "wacht.sandbox"}),
    ],
)
def test_import__only_what_it_needs(module: str, unneeded: set[str]) -> None:
    """Neither extras nor what only a session or the command needs."""
    code = f"import sys, {module}; print(sys.modules.keys() & {unneeded})"
    command = [sys.executable, "-W", "error", "-c", code]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == "set()\n"


def test_errors__docstring_draws_the_tree() -> None:
    def below(kind: type) -> Iterator[str]:
        for child in kind.__subclasses__():
            if child.__module__ == "wacht.errors":  # not a test's own
                yield from (child.__name__, *below(child))

    drawn = re.findall("─ (.*)", errors.__doc__ or "")
    assert [line.split()[0] for line in drawn] == [*below(errors.WachtError)]


def test_all__sorted_and_complete() -> None:
    seen = {
        name
        for name, value in vars(wacht).items()
        if getattr(value, "__module__", "").startswith("wacht") and name[0] != "_"
    }
    assert wacht.__all__ == sorted(seen)


@pytest.mark.parametrize(
    "kind",
    [
        wacht.AiExecutionContext,
        wacht.ExecutionContextListResponse,
        wacht.ListExecutionContextsOptions,
        wacht.WalkProgress,
    ],
)
def test_documentation__every_field(kind: type[attrs.AttrsInstance]) -> None:
    lines = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].splitlines()
    described = [line.split(":")[0].strip() for line in lines if line[4:5].strip()]
    fields = [name for name in attrs.fields_dict(kind) if name[0] != "_"]
    assert [name for name in described if name in fields] == fields


def test_list_filters__are_the_options() -> None:
    *options, _checkpoint = attrs.fields(wacht.ListExecutionContextsOptions)
    filters = wacht.ListFilters.__annotations__
    kinds = {name: kind.__forward_arg__ for name, kind in filters.items()}
    assert kinds == {option.name: option.type for option in options}


METHODS = {
    "fetch_execution_contexts": wacht.ListFilters,
    "iter_execution_contexts": wacht.WalkKeywords,
    "iter_execution_context_pages": wacht.WalkKeywords,
}


@pytest.mark.parametrize("place", [wacht, wacht.Session])
@pytest.mark.parametrize("name", METHODS)
def test_signature__has_every_keyword(name: str, place: Any) -> None:
    """What `help()`, `?` in IPython and the website show."""
    shown = inspect.getfullargspec(getattr(place, name))
    kinds = METHODS[name].__annotations__
    assert {key: shown.annotations[key] for key in shown.kwonlyargs} == {
        key: kind.__forward_arg__ for key, kind in kinds.items()
    }
    description = inspect.getdoc(getattr(place, name)) or ""
    assert description.count("\n\nArgs:\n    options: ") == 1
    assert description.count("\n\nRaises:\n") == 1


def offered(text: str) -> list[str]:
    """What Tab offers behind a text, in a notebook with a session of another cell."""
    names = {"wacht": wacht, "session": wacht.Session("k")}
    completions = jedi.Interpreter(text, [names]).complete()
    return [c.name for c in completions if not c.name.startswith("_")]


def test_completion__of_a_session() -> None:
    assert {*offered("session.")} >= {"close", "pagination", *METHODS}


def test_completion__public_names_only() -> None:
    assert {*dir(wacht)} == {*wacht.__all__, "__version__", "sandbox"}
    assert {*offered("wacht.")} == {*wacht.__all__, "sandbox"}


def test_sandbox__loaded_at_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no import of its own, and completion finds it."""
    monkeypatch.delattr(wacht, "sandbox", raising=False)
    assert "sandbox" in dir(wacht)
    assert wacht.sandbox is importlib.import_module("wacht.sandbox")
    with pytest.raises(AttributeError, match="'wacht' has no attribute 'sandpit'"):
        getattr(wacht, "sandpit")  # noqa: B009 - no checker should know it


def test_logger__silent_by_default() -> None:
    handlers = logging.getLogger("wacht").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)


@pytest.fixture
def _fresh_default_session() -> Iterator[None]:
    wacht._session_of.cache_clear()
    yield
    wacht._session_of.cache_clear()


@pytest.mark.usefixtures("_fresh_default_session")
@responses.activate
def test_default_session__made_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WACHT_API_KEY", "wk_of_the_environment")
    monkeypatch.setenv("WACHT_BASE_URL", "https://wacht.example")
    responses.get(
        "https://wacht.example/ai/execution-contexts",
        json={"data": [{"id": "1"}], "has_more": False},
    )
    page = wacht.fetch_execution_contexts(page=1, per_page=5)
    assert page.data == [wacht.AiExecutionContext(id="1")]
    assert list(wacht.iter_execution_contexts(agent_id="agent_123")) == page.data
    assert list(wacht.iter_execution_context_pages()) == [page]
    for call in responses.calls:
        assert call.request.headers["Authorization"] == "Bearer wk_of_the_environment"


@pytest.mark.usefixtures("_fresh_default_session")
def test_default_session__follows_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a notebook, after a 401."""
    with pytest.raises(wacht.ConfigError, match="WACHT_API_KEY"):
        wacht.iter_execution_contexts()
    names = ("WACHT_API_KEY", "WACHT_BASE_URL")
    for name in names:
        monkeypatch.setenv(name, "not UTF-8: \udc80")
    with pytest.raises(wacht.ConfigError, match="outside ASCII"):
        wacht.iter_execution_contexts()
    monkeypatch.delenv("WACHT_BASE_URL")
    sessions = [None]
    for name in names:
        monkeypatch.setenv(name, "https://a-key-or.example")
        assert wacht._default_session() not in sessions
        sessions.append(wacht._default_session())
    assert wacht._default_session() is sessions[-1]
