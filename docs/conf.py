"""
Sphinx's settings: `sphinx-build -W -n docs docs/_build`.

The pages are plain Markdown, so that they read well on a code host. What only the
website has, the navigation and the docstrings, is in `_site`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

import wacht

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "wacht"
release = version = wacht.__version__
copyright = "the authors of wacht"  # noqa: A001 - Sphinx's name for it

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "_site"]
html_theme = "furo"
html_title = f"wacht {release}"
html_static_path = ["_static"]
html_copy_source = False
html_show_sphinx = False

myst_heading_anchors = 3
copybutton_prompt_text = "$ "

default_role = "py:obj"  # single backticks in docstrings link to public names
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 72

nitpick_ignore_regex = [
    ("py:obj", ".*"),  # code in single backticks that is no public name
    ("py:class", r"(?!wacht\.).*"),  # other projects' names: the build is offline
    ("py:class", r"wacht\.throttle\.(Slot|_Ticket)"),  # what a throttle hands out
]


def add_site_part(app: Sphinx, page: str, source: list[str]) -> None:
    """Append what only the website has to a page."""
    part = Path(app.srcdir, "_site", f"{page}.md")
    if part.exists():
        source[0] += part.read_text(encoding="utf-8")


def read_docstring(_app: Sphinx, *described: Any) -> None:
    """
    Mark examples and results in the way that napoleon reads them.

    An indented example follows a single colon; results come without a type.
    """
    lines = described[-1]
    text = re.sub(r"(?m)(?<=[^:\n]:)$(?=\n\n {4})", ":", "\n".join(lines))
    text = re.sub(r"(?m)^(Returns|Yields):\n {4}", r"\1:\n    : ", text)
    lines[:] = text.splitlines()


def hide_signature(
    _app: Sphinx, kind: str, _name: str, described: object, *more: Any
) -> tuple[str, None] | None:
    """Leave out the signatures of values and errors: their fields are listed below."""
    _options, signature, _returns = more
    listed_below = kind == "exception" or attrs.has(described)
    return ("", None) if signature and listed_below else None


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_site_part)
    app.connect("autodoc-process-docstring", read_docstring, priority=400)
    app.connect("autodoc-process-signature", hide_signature)
