"""The command `wacht`: Ctrl-C ends it without a traceback while it is loaded, too."""

from __future__ import annotations

import signal
from contextlib import suppress
from importlib import import_module


def main() -> int:
    """Load the command and run it, with the arguments of the process."""
    # A shell that starts it in the background may have it ignore Ctrl-C.
    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_usual:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    with suppress(ModuleNotFoundError):  # `main` says which extra is missing
        import_module("wacht.cli.run")
    from wacht.cli import main as run  # noqa: PLC0415 - as above

    if is_usual:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()
