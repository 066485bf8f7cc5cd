"""
Write all contexts to a CSV file, and go on after an error where it stopped.

    WACHT_API_KEY=... python export_to_csv.py contexts.csv
"""

import csv
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import wacht

FIELDS = ["id", "agent_id", "workflow_id", "created_at", "title", "status", "context"]
PATIENCE = 10  # errors
PAUSE = 60.0  # seconds after each


def all_contexts(session: wacht.Session) -> Iterator[wacht.AiExecutionContext]:
    """
    Walk through all contexts, in spite of errors that time may mend.

    Each error comes after all attempts of the session, and carries where to go on.
    """
    options = wacht.ListExecutionContextsOptions()
    for errors in range(PATIENCE + 1):
        try:
            yield from session.iter_execution_contexts(options)
        except (wacht.RequestError, wacht.RateLimitError, wacht.ServerError) as error:
            if error.resume is None or errors == PATIENCE:
                raise
            options = error.resume
            print(f"{error}. Page {options.page} in {PAUSE:g} s.", file=sys.stderr)
            time.sleep(PAUSE)
        else:
            return


def export(session: wacht.Session, path: Path) -> int:
    """
    Write the file, each context once, and return how many there are.
    """
    written: set[str | None] = set()
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, FIELDS, extrasaction="ignore")
        rows.writeheader()
        for context in all_contexts(session):
            if context.id not in written:  # a later walk may meet some again
                written.add(context.id)
                stored = json.dumps(context.context, ensure_ascii=False)
                rows.writerow({**context.to_dict(), "context": stored})
    return len(written)


if __name__ == "__main__":
    with wacht.Session() as wacht_session:
        print(export(wacht_session, Path(sys.argv[1])), "contexts")
