"""
Write all contexts to a CSV file, and continue after errors that are likely to pass.

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
MAX_ERRORS = 10
PAUSE = 60.0  # seconds after each


def all_contexts(session: wacht.Session) -> Iterator[wacht.AiExecutionContext]:
    """
    Yield all contexts; after an error, wait and continue with `resume`.

    The session has already retried the request several times when it raises an error.
    """
    options = wacht.ListExecutionContextsOptions()
    for errors in range(MAX_ERRORS + 1):
        try:
            yield from session.iter_execution_contexts(options)
        except (wacht.RequestError, wacht.RateLimitError, wacht.ServerError) as error:
            if error.resume is None or errors == MAX_ERRORS:
                raise
            options = error.resume
            print(f"{error}. Continuing in {PAUSE:g} s.", file=sys.stderr)
            time.sleep(PAUSE)
        else:
            return


def export(session: wacht.Session, path: Path) -> int:
    """
    Write the file and return the number of contexts in it.
    """
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, FIELDS, extrasaction="ignore")
        rows.writeheader()
        for context in all_contexts(session):
            stored = json.dumps(context.context, ensure_ascii=False)
            rows.writerow({**context.to_dict(), "context": stored})
            count += 1
    return count


if __name__ == "__main__":
    with wacht.Session() as wacht_session:
        print(export(wacht_session, Path(sys.argv[1])), "contexts")
