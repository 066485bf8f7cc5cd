"""
The command `wacht`: a demo, a listing, a sandbox.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_REQUIRED = ("click", "rich")


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command.

    Args:
        argv: The arguments; those of the process if None.

    Returns:
        The exit status: 0; 1 after an error; 2 for a command line that can't be used;
        130 after Ctrl-C; 141 if the reader of the output has gone.

    """
    try:
        from .run import run  # noqa: PLC0415 - needs the extra, which may be missing
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _REQUIRED:
            raise
        sys.stderr.write(
            f"wacht: the command needs {missing}: install the extra `cli`, in a "
            "clone with pip install '.[cli]'\n"
        )
        return 1
    return run(argv)
