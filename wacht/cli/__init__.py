"""The command `wacht`: a demo, a listing, a sandbox."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_REQUIRED = ("click", "rich")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, with the arguments of the process if None; return its status."""
    try:
        from .run import run  # noqa: PLC0415 - needs the extra, which may be missing
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _REQUIRED:
            raise
        extra = "install the extra `cli`, in a clone with pip install -e '.[cli]'"
        sys.stderr.write(f"wacht: the command needs {missing}: {extra}\n")
        return 1
    return run(argv)
