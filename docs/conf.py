"""
Sphinx's settings: `sphinx-build -W -n -b html docs docs/_build`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs
from sphinx.util.nodes import make_refnode

import wacht
from wacht import sandbox

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "wacht"
release = version = wacht.__version__
copyright = "the authors of wacht"  # noqa: A001 - Sphinx's name for it

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"wacht {release}"
html_static_path = ["_static"]
html_copy_source = False
html_show_sphinx = False

myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_attr_annotations = True
python_maximum_signature_line_length = 72

# The build fetches no inventories of other projects, so it has no links to them.
nitpick_ignore_regex = [
    ("py:class", r"(collections|contextlib|datetime|typing)\..+"),  # the stdlib's
    ("py:class", r"(pd|requests|urllib3)\..+"),  # theirs
    ("py:class", r"wacht\.throttle\.Slot"),  # what a `with` gives, and nobody needs
    ("py:class", "Pagination|Revision"),  # the names that the text beside them tells
]

# What stands in docstrings and annotations, by the name that a reader knows.
_PUBLIC = {name: f"wacht.{name}" for name in wacht.__all__} | {
    name: f"wacht.sandbox.{name}" for name in sandbox.__all__
}
_CODE = re.compile(r"(?<![`:])`([^`]+)`(?!`)")
_NAME = re.compile(r"(?:wacht\.)?(?P<name>\w+)(?P<member>\.\w+)?(?:\(\))?")
_EXAMPLE = re.compile(r"(?<=[^:]:)$(?=\n\n {4})", re.MULTILINE)
_RESULT = re.compile(r"(?<=^Returns:\n {4})|(?<=^Yields:\n {4})", re.MULTILINE)
_FIELD = re.compile(r"(\.\. attribute:: \w+\n)((?:\n| {3}.*\n)*?)( {3}:type: .*\n)")


def read_prose(_app: Sphinx, *described: Any) -> None:
    """
    Turn the plain prose of our docstrings into what napoleon understands.

    Code stands in single backticks, and links where it names something public; an
    indented example follows a single colon; results come without a type.
    """
    lines = described[-1]
    text = _EXAMPLE.sub(":", "\n".join(lines))
    text = _RESULT.sub(": ", text)
    lines[:] = _CODE.sub(_linked, text).splitlines()


def _linked(match: re.Match[str]) -> str:
    code = " ".join(match[1].split())
    named = _NAME.fullmatch(code)
    if named is None or named["name"] not in _PUBLIC:
        return f"``{code}``"
    return f":py:obj:`{code} <{_PUBLIC[named['name']]}{named['member'] or ''}>`"


def put_types_beside_fields(
    _app: Sphinx, what: str, _name: str, obj: Any, _options: object, lines: list[str]
) -> None:
    """
    Show `name: type`, where napoleon has the type on a line of its own below, or none.
    """
    text = _FIELD.sub(r"\1\3\2", "\n".join(lines))
    arguments = obj.__init__ if what == "exception" else None
    for name, type_ in getattr(arguments, "__annotations__", {}).items():
        start = f".. attribute:: {name}\n"
        text = text.replace(start, f"{start}   :type: {type_}\n")
    lines[:] = text.splitlines()


def hide_signature(
    _app: Sphinx,
    what: str,
    _name: str,
    obj: object,
    _options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """
    Leave out the signatures of values and errors: their fields stand below.
    """
    fields_tell = what == "exception" or attrs.has(obj)
    return ("" if signature and fields_tell else signature), returns


def find_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element
) -> Element | None:
    """
    Resolve what annotations call `wacht.models.X`, and a `Raises:` section `X`.
    """
    target = node.get("reftarget", "")
    module, _, name = target.rpartition(".")
    ours = not module or module.startswith("wacht.")
    found = env.domains.python_domain.objects.get(_PUBLIC.get(name, ""))
    if found is None or not ours:
        return None
    return make_refnode(
        app.builder, node["refdoc"], found.docname, found.node_id, content
    )


def setup(app: Sphinx) -> None:
    # napoleon reads the sections of a docstring at the priority of 500.
    app.connect("autodoc-process-docstring", read_prose, priority=400)
    app.connect("autodoc-process-docstring", put_types_beside_fields, priority=600)
    app.connect("autodoc-process-signature", hide_signature)
    app.connect("missing-reference", find_public_name)
