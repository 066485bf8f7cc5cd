"""The command `wacht`: a demo, a listing, a sandbox."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from wacht._text import install_hint


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, with the arguments of the process if None; return its status."""
    missing = [name for name in ("click", "rich") if find_spec(name) is None]
    if missing:
        needed = " and ".join(missing)
        sys.stderr.write(f"wacht: the command needs {needed}: {install_hint('cli')}\n")
        return 1
    from .run import run  # noqa: PLC0415 - needs the extra

    return run(argv)
