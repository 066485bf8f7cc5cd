"""
Write all contexts to a CSV file, and continue after errors that are likely to pass.

    WACHT_API_KEY=... python export_to_csv.py contexts.csv
"""

import csv
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import wacht

# No revision of the service has all of these: what it doesn't have stays empty.
FIELDS = ["id", "agent_id", "workflow_id", "created_at", "title", "status", "context"]
# Before what a spreadsheet, which may separate by semicolons, would run as a formula.
FORMULA = re.compile(r"(^\s*|[;\t\r\n][\s\"']*)(?=[=+\-@])")
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
    # Half of a surrogate pair, which UTF-8 can't encode, becomes text such as \ud83d.
    errors = "backslashreplace"
    with path.open("w", newline="", encoding="utf-8", errors=errors) as file:
        rows = csv.DictWriter(file, FIELDS, extrasaction="ignore")
        rows.writeheader()
        for context in all_contexts(session):
            stored = json.dumps(context.context, ensure_ascii=False)
            cells = {**context.to_dict(), "context": stored}
            for name in FIELDS:
                cells[name] = FORMULA.sub(r"\1'", cells[name] or "")
            rows.writerow(cells)
            count += 1
    return count


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    with wacht.Session() as wacht_session:
        print(export(wacht_session, Path(sys.argv[1])), "contexts")
