"""A temporary PostgreSQL server that lists contexts as the reference service does."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal, LiteralString

from attrs import frozen

from wacht import AiExecutionContext
from wacht._protocol.answers import Answer
from wacht._protocol.revisions import OffsetRevision
from wacht._protocol.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

    from wacht._protocol.revisions import Query, Revision
    from wacht._waiting import RequestBudget

CONTEXTS = 3000
TICK = 0.3  # seconds between two changes: two at each of 100 requests a minute

Change = Literal["add", "activity", "deletion", "status"]

CHANGES: dict[Change, LiteralString] = {
    "add": "INSERT INTO contexts"
    " SELECT max(id) + 1, 'idle', now() - interval '1 s' * %(age)s FROM contexts",
    "activity": "UPDATE contexts"
    " SET last_activity_at = now() - interval '1 s' * %(age)s WHERE id = %(id)s",
    "deletion": "DELETE FROM contexts WHERE id = %(id)s",
    "status": "UPDATE contexts"
    " SET last_activity_at = now() - interval '1 s' * %(age)s,"
    " status = CASE status WHEN 'idle' THEN 'running' ELSE 'idle' END"
    " WHERE id = %(id)s",
}


@frozen
class Case:
    """What happens to a list while it is read."""

    title: str
    changes: Sequence[Change] = ()  # after each answer
    status: str | None = None  # the filter
    tied: int = 1  # contexts share each `last_activity_at`


CASES = (
    Case("nothing"),
    Case("new contexts", ("add", "add")),
    Case("activity (jumps to the top)", ("activity", "activity")),
    Case("deletions", ("deletion", "deletion")),
    Case("status filter, statuses change", ("status", "status"), status="idle"),
    Case("nothing, but 40 share one `last_activity_at`", tied=40),
    Case("nothing, but hundreds share one `last_activity_at`", tied=700),
)


def programs() -> Path | None:
    """Return the folder with PostgreSQL's programs, if there is one."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((path for path in folders if (path / "pg_ctl").exists()), None)


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server, and give the parameters to connect to it."""
    binaries = programs()
    assert binaries is not None
    # PostgreSQL refuses to run as root.
    user: dict[str, Any] = (
        {"user": "nobody", "group": "nogroup", "extra_groups": []}
        if os.geteuid() == 0
        else {}
    )
    with tempfile.TemporaryDirectory(prefix="wacht") as folder:
        if user:
            shutil.chown(folder, "nobody", "nogroup")

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [binaries / program, "-D", f"{folder}/data", *arguments],
                check=True,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                **user,
            )

        run("initdb", "--auth=trust", "--username=postgres", "--no-sync")
        options = f"-F -k {folder} -c listen_addresses="
        run("pg_ctl", "start", "-w", "-l", f"{folder}/log", "-o", options)
        try:
            yield f"host={folder} user=postgres dbname=postgres"
        finally:
            run("pg_ctl", "stop", "-m", "immediate")


class PostgresService:
    """The offset revision, in the place of an `Endpoint`, on a table that changes."""

    def __init__(
        self, connection: psycopg.Connection[Any], case: Case, seed: int = 0
    ) -> None:
        self.revision: Revision | None = OffsetRevision()
        self.fixed = False
        self.service = "a digest"
        self.requests = 0
        self._connection = connection
        self._case = case
        self._random = Random(seed)
        connection.execute("DROP TABLE IF EXISTS contexts")
        connection.execute(
            "CREATE TABLE contexts AS SELECT number AS id,"
            " (ARRAY['idle', 'running'])[1 + number %% 2] AS status,"
            " now() - interval '1 s' * (31 + number / %s) AS last_activity_at"
            " FROM generate_series(0, %s) AS number",
            (case.tied, CONTEXTS - 1),
        )
        connection.execute("ANALYZE contexts")
        self._stayed = self._ids()
        self._changes = 0

    def ask(self, query: Query, budget: RequestBudget, *, retry: bool = True) -> Answer:
        """Answer a query as `Endpoint.ask` does, then change the table."""
        budget.remaining()
        budget.count_request(1)
        window = Window(int(query["offset"]), int(query["limit"]))
        contexts, has_more = self.listing(window)
        return Answer(contexts, has_more, window)

    def listing(self, window: Window) -> tuple[list[AiExecutionContext], bool]:
        """List a window with the query of the reference service."""
        self.requests += 1
        rows = self._connection.execute(
            "SELECT id, status, last_activity_at FROM contexts"
            " WHERE status = coalesce(%s, status)"
            " ORDER BY last_activity_at DESC LIMIT %s OFFSET %s",
            (self._case.status, window.limit + 1, window.offset),
        ).fetchall()
        for change in self._case.changes:
            self._change(change)
        contexts = [
            AiExecutionContext(id=str(id_), status=status, last_activity_at=time)
            for id_, status, time in rows[: window.limit]
        ]
        return contexts, len(rows) > window.limit

    def stayed(self) -> set[str]:
        """Return the ids that are in the list and were there from the beginning on."""
        return self._stayed & self._ids()

    def _ids(self) -> set[str]:
        rows = self._connection.execute(
            "SELECT id FROM contexts WHERE status = coalesce(%s, status)",
            (self._case.status,),
        )
        return {str(id_) for (id_,) in rows}

    def _change(self, change: Change) -> None:
        id_ = self._random.randrange(CONTEXTS)
        self._changes += 1
        if change == "status":
            self._stayed.discard(str(id_))
        values = {"age": 30 - TICK * self._changes, "id": id_}
        self._connection.execute(CHANGES[change], values)


def plain_loop(service: PostgresService) -> set[str | None]:
    """Read page by page, as a script without this library would."""
    got: set[str | None] = set()
    offset, has_more = 0, True
    while has_more:
        contexts, has_more = service.listing(Window(offset, 100))
        got |= {context.id for context in contexts}
        offset += 100
    return got
