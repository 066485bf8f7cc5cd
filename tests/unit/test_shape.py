"""
The shape of the package: who imports whom, what is on show, how large things are.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import pytest
import responses

import wacht
from wacht._protocol import PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "wacht"

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

# From the bottom to the top: each may import those before it. What stands not here is
# beside the session or above it (the command, the sandbox), and nobody here may use it.
ORDER = (
    "errors",
    "throttle",
    "_json",
    "_display",
    "_terminal",
    "_secret",
    "_settings",
    "models",
    "_dataframe",
    "_waiting",
    "_sieve",
    "_readahead",
    "_convert",
    "_reply",
    "_protocol",
    "_retry",
    "_connection",
    "_failures",
    "_body",
    "_transport",
    "_endpoint",
    "_progress",
    "_paging",
    "session",
    "__init__",
)
LEAVES = ("errors", "throttle", "_json", "_display")
MAY_IMPORT_REQUESTS = {"_connection", "_failures", "_transport"}
MAY_IMPORT_SESSION = {"__init__", "cli", "_cli_list", "sandbox"}
NOT_AT_THE_START = (
    "IPython",
    "cattrs",
    "http.server",
    "ipywidgets",
    "msgspec",
    "numpy",
    "pandas",
    "requests",
    "socketserver",
    "tqdm",
    "urllib3",
    "wacht._sandbox",
    "wacht.cli",
    "wacht.sandbox",
)


def _rooms() -> dict[str, ast.Module]:
    """
    Parse each module of the package, by its name within the package.
    """
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): ast.parse(
            path.read_text(encoding="utf-8")
        )
        for path in sorted(PACKAGE.rglob("*.py"))
    }


ROOMS = _rooms()


TOP_LEVEL = {room.partition(".")[0] for room in ROOMS}


class _Imports(ast.NodeVisitor):
    """
    Collect what is imported at run time, wherever it stands in the code.

    Attributes:
        ours: Names that are imported relatively, as seen from the package.
        others: Names of other packages.
    """

    def __init__(self, tree: ast.AST, room: str) -> None:
        self.ours: set[str] = set()
        self.others: set[str] = set()
        self._parents = room.split(".")
        self.visit(tree)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            for other in node.orelse:
                self.visit(other)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.others.update(alias.name for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if not node.level:
            self.others.add(node.module or "")
            return
        base = self._parents[: -node.level]
        if node.module:
            self.ours.add(".".join([*base, node.module]))
        else:
            self.ours.update(".".join([*base, alias.name]) for alias in node.names)


def _ours(room: str) -> set[str]:
    """
    Tell which rooms another imports; what is no room is a name of `__init__`.
    """
    names = _Imports(ROOMS[room], room).ours
    return {name for name in names if name.partition(".")[0] in TOP_LEVEL}


def _others(room: str) -> set[str]:
    """
    Tell which other packages a room imports.
    """
    names = _Imports(ROOMS[room], room).others
    return {name.partition(".")[0] for name in names}


def _functions(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def _length(function: Function) -> int:
    """
    Count a function's lines from `def` to its end, without the docstring.
    """
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or 0) - docstring.lineno + 1)


def test_imports__order_knows_its_rooms() -> None:
    """
    Each room that the order names is there.
    """
    assert set(ORDER) <= ROOMS.keys()


@pytest.mark.parametrize("room", ORDER)
def test_imports__arrows_point_down(room: str) -> None:
    """
    A room imports only rooms below it.
    """
    assert _ours(room) <= set(ORDER[: ORDER.index(room)])


@pytest.mark.parametrize("room", LEAVES)
def test_imports__leaves_import_nothing_of_ours(room: str) -> None:
    """
    A leaf stands on its own.
    """
    assert not _ours(room)


@pytest.mark.parametrize("room", ROOMS)
def test_imports__relative_inside_the_package(room: str) -> None:
    """
    No room names the package: what is ours is imported relatively.
    """
    assert "wacht" not in _others(room)


def test_imports__requests_in_few_rooms() -> None:
    """
    Only the rooms about the wire know requests.
    """
    users = {room for room in ROOMS if "requests" in _others(room)}
    assert users <= MAY_IMPORT_REQUESTS


def test_imports__session_by_those_above_it() -> None:
    """
    Only the shop window, the command and the sandbox know the session.
    """
    users = {room for room in ROOMS if "session" in _ours(room)}
    assert users <= MAY_IMPORT_SESSION


def test_imports__type_checking_is_left_out() -> None:
    """
    What is imported for type checkers alone is no arrow, what stands elsewhere is one.
    """
    source = """
if TYPE_CHECKING:
    from .session import Session
else:
    from . import other
def f():
    import requests.adapters
    from ..errors import shown
"""
    imports = _Imports(ast.parse(source), "_sandbox.room")
    assert imports.ours == {"_sandbox.other", "errors"}
    assert imports.others == {"requests.adapters"}


def test_import__only_what_it_needs() -> None:
    """
    `import wacht` loads no extra, nor what only a session, server or command needs.
    """
    code = f"import sys, wacht; print(sys.modules.keys() & {set(NOT_AT_THE_START)})"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "set()"
    assert not result.stderr


def test_all__sorted_and_there() -> None:
    """
    `__all__` is sorted and without repeats, and names what there is.
    """
    assert wacht.__all__ == sorted(set(wacht.__all__))
    assert all(hasattr(wacht, name) for name in wacht.__all__)


def test_all__nothing_else_on_show() -> None:
    """
    Whatever class or function of ours can be seen in the package is in `__all__`.
    """
    seen = {
        name
        for name, value in vars(wacht).items()
        if getattr(value, "__module__", "").startswith("wacht")
    }
    assert {name for name in seen if not name.startswith("_")} == set(wacht.__all__)


def _public_things() -> Iterator[tuple[str, Any]]:
    for name in wacht.__all__:
        thing = getattr(wacht, name)
        yield name, thing
        if isinstance(thing, type):
            for member, value in vars(thing).items():
                if not member.startswith("_") and inspect.isroutine(value):
                    yield f"{name}.{member}", value


@pytest.mark.parametrize(
    "thing", [pytest.param(thing, id=name) for name, thing in _public_things()]
)
def test_documentation__every_public_name(thing: Any) -> None:
    """
    Every public name says what it is for, in a docstring of its own.
    """
    docstring = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    assert docstring
    assert docstring.strip()


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
    """
    Every field of a value is described, in the order of the fields.
    """
    lines = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].splitlines()
    described = [line.split(":")[0].strip() for line in lines if line[4:5].strip()]
    assert [name for name in described if name in attrs.fields_dict(kind)] == list(
        attrs.fields_dict(kind)
    )


def test_list_filters__are_the_options() -> None:
    """
    The keywords of the methods are the options' fields, with the same types.
    """
    filters = wacht.ListFilters.__annotations__
    options = attrs.fields_dict(wacht.ListExecutionContextsOptions)
    assert list(filters) == list(options)
    assert wacht.ListFilters.__total__ is False
    for name, field in options.items():
        assert filters[name].__forward_arg__ == field.type


def test_files__typed() -> None:
    """
    Type checkers are told that the package is typed.
    """
    assert (PACKAGE / "py.typed").is_file()


def test_size__functions() -> None:
    """
    Half of all functions are under ten lines, and nine in ten under thirty.
    """
    lengths = sorted(
        _length(function) for tree in ROOMS.values() for function in _functions(tree)
    )
    assert lengths[len(lengths) // 2] < 10
    assert lengths[len(lengths) * 9 // 10] < 30


@pytest.mark.parametrize("room", ROOMS)
def test_size__rooms(room: str) -> None:
    """
    No room has more than 300 lines.
    """
    path = PACKAGE.joinpath(*room.split(".")).with_suffix(".py")
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_sandbox__there_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    `import wacht` is enough for `wacht.sandbox`, and completion finds it.
    """
    monkeypatch.delattr(wacht, "sandbox", raising=False)
    assert "sandbox" in dir(wacht)
    assert wacht.sandbox is importlib.import_module("wacht.sandbox")
    with pytest.raises(AttributeError, match="'wacht' has no attribute 'sandpit'"):
        getattr(wacht, "sandpit")  # noqa: B009 - no checker should know it


def test_logger__silent_unless_asked() -> None:
    """
    The package's logger says nothing of itself where nobody has set up logging.
    """
    handlers = logging.getLogger("wacht").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)


@pytest.fixture
def _fresh_default_session() -> Iterator[None]:
    wacht._session_of.cache_clear()
    yield
    wacht._session_of.cache_clear()


@pytest.mark.usefixtures("_fresh_default_session")
@responses.activate
def test_default_session__made_from_the_environment_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    The functions of the package use one session, made from the environment.
    """
    monkeypatch.setenv("WACHT_API_KEY", "wk_of_the_environment")
    monkeypatch.setenv("WACHT_BASE_URL", "https://wacht.example")
    responses.get(
        f"https://wacht.example{PATH}", json={"data": [{"id": "1"}], "has_more": False}
    )
    page = wacht.fetch_execution_contexts(page=1, per_page=5)
    told: list[wacht.WalkProgress] = []
    contexts = list(
        wacht.iter_execution_contexts(agent_id="agent_123", progress=told.append)
    )
    assert len(told) == 1
    with pytest.raises(wacht.InvalidRequestError, match="prefetch"):
        wacht.iter_execution_contexts(prefetch=-1)
    with pytest.raises(wacht.InvalidRequestError, match="deadline"):
        wacht.iter_execution_contexts(deadline=0)
    assert page.data == contexts == [wacht.AiExecutionContext(id="1")]
    for call in responses.calls:
        assert call.request.headers["Authorization"] == "Bearer wk_of_the_environment"
    assert wacht._default_session() is wacht._default_session()


@pytest.mark.usefixtures("_fresh_default_session")
@pytest.mark.parametrize(
    ("name", "value"),
    [("WACHT_API_KEY", "wk_another"), ("WACHT_BASE_URL", "https://other.example")],
)
def test_default_session__of_another_environment(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A key or URL that is set anew, as in a notebook after a 401, makes a new session.
    """
    monkeypatch.setenv("WACHT_API_KEY", "wk_one")
    before = wacht._default_session()
    monkeypatch.setenv(name, value)
    assert wacht._default_session() is not before


@pytest.mark.usefixtures("_fresh_default_session")
def test_default_session__without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where the environment has no key, the call says so, and the next one asks again.
    """
    for function in (wacht.fetch_execution_contexts, wacht.iter_execution_contexts):
        with pytest.raises(wacht.ConfigError, match="WACHT_API_KEY"):
            function()
    monkeypatch.setenv("WACHT_API_KEY", "wk_of_the_environment")
    assert wacht.iter_execution_contexts() is not None
