"""The command `wacht`: a demo, a listing, a sandbox."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, with the arguments of the process if None; return its status."""
    missing = [name for name in ("click", "rich") if find_spec(name) is None]
    if missing:
        extra = "install the extra `cli`, in a clone with pip install -e '.[cli]'"
        sys.stderr.write(f"wacht: the command needs {' and '.join(missing)}: {extra}\n")
        return 1
    from .run import run  # noqa: PLC0415 - needs the extra

    return run(argv)
