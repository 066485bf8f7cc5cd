"""A temporary PostgreSQL server that lists contexts as the reference service does."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from random import Random
from typing import Any, Literal, LiteralString

import psycopg
from attrs import evolve, frozen

from tests.model import ACTIVITY, CREATED, REVISIONS, Kind, Order, StandIn
from wacht import AiExecutionContext
from wacht._protocol.answers import PageResponse
from wacht._protocol.revisions import Query
from wacht._protocol.windows import Window

CONTEXTS = 3000
AGE = 900.0  # seconds: how long ago the list was at rest

Change = Literal["add", "activity", "deletion", "status"]

CHANGES: dict[Change, LiteralString] = {
    "add": "INSERT INTO contexts"
    " SELECT max(id) + 1, 'idle', %(time)s, %(time)s FROM contexts",
    "activity": "UPDATE contexts SET last_activity_at = %(time)s WHERE id = %(id)s",
    "deletion": "DELETE FROM contexts WHERE id = %(id)s",
    "status": "UPDATE contexts SET last_activity_at = %(time)s,"
    " status = CASE status WHEN 'idle' THEN 'running' ELSE 'idle' END"
    " WHERE id = %(id)s",
}


LISTS: dict[str, LiteralString] = {
    "created_at": "SELECT id, status, created_at, last_activity_at FROM contexts"
    " WHERE status = coalesce(%s, status) ORDER BY created_at DESC LIMIT %s OFFSET %s",
    "last_activity_at": "SELECT id, status, created_at, last_activity_at FROM contexts"
    " WHERE status = coalesce(%s, status)"
    " ORDER BY last_activity_at DESC LIMIT %s OFFSET %s",
}


@frozen
class Case:
    """What happens to a list while it is read."""

    title: str
    changes: Sequence[Change] = ()  # after each answer
    status: str | None = None  # the filter
    tied: int = 1  # contexts share each time
    hidden: int = 0  # in a hundred contexts: they are left out of each page
    gap: float = 1.0  # seconds between two times
    tick: float = 0.3  # seconds between two changes: two an answer, 100 a minute
    kind: Kind = "offset"
    order: Order = ACTIVITY
    most: float = 1.15  # requests, in multiples of the least


GROWS, MOVES, SHRINKS = ("add", "add"), ("activity", "activity"), ("deletion",) * 2
CASES = (
    Case("nothing"),
    Case("new contexts", GROWS),
    Case("activity (jumps to the top)", MOVES),
    Case("deletions", SHRINKS),
    Case("status filter, statuses change", ("status",) * 2, status="idle", most=1.2),
    Case("nothing, but 40 share one `last_activity_at`", tied=40, most=1.8),
    Case("nothing, but hundreds share one `last_activity_at`", tied=700),
)
BY_PAGE = tuple(
    evolve(
        case,
        title=f"{case.title}, by {CREATED.time}",
        kind="page",
        order=CREATED,
        most=1.25,
    )
    for case in CASES[:4]
)
HARD = (
    *(
        Case(f"activity, and {n} share each time", MOVES, tied=n, most=4.2)
        for n in (100, 120, 150, 200)
    ),
    *(
        Case(f"activity, and {n} % are left out of pages", MOVES, hidden=n, most=1.5)
        for n in (5, 20)
    ),
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


class PostgresService(StandIn):
    """
    The service on a table that changes after each answer.

    Attributes:
        requests: How many windows were listed.
        least: How many it takes to list all that there is at first.

    """

    def __init__(
        self, connection: psycopg.Connection[Any], case: Case, seed: int = 0
    ) -> None:
        super().__init__(case.kind)
        self.revision = REVISIONS[case.kind]
        self.requests = 0
        self._connection = connection
        self._case = case
        self._random = Random(seed)
        self._start = datetime.now(UTC) - timedelta(seconds=AGE)
        connection.execute("DROP TABLE IF EXISTS contexts")
        connection.execute(
            "CREATE TABLE contexts AS SELECT number AS id,"
            " (ARRAY['idle', 'running'])[1 + number %% 2] AS status,"
            " time AS created_at, time AS last_activity_at"
            " FROM generate_series(0, %s) AS number, LATERAL"
            " (SELECT %s - interval '1 s' * %s * (number / %s) AS time) AS times",
            (CONTEXTS - 1, self._start, case.gap, case.tied),
        )
        connection.execute("ANALYZE contexts")
        self._stayed = self._ids()
        self.least = ceil(len(self._stayed) / (1 - case.hidden / 100) / 100)
        self._changes = 0

    def answer(self, query: Query) -> PageResponse:
        """Answer a query, then change the table."""
        window = self.window(query)
        contexts, has_more = self.listing(window)
        return PageResponse(
            contexts, has_more, window if self.kind == "offset" else None
        )

    def listing(self, window: Window) -> tuple[list[AiExecutionContext], bool]:
        """List a window with the query of the reference service."""
        self.requests += 1
        rows = self._connection.execute(
            LISTS[self._case.order.time],
            (self._case.status, window.limit + 1, window.offset),
        ).fetchall()
        for change in self._case.changes:
            self._change(change)
        contexts = [
            AiExecutionContext(
                id=str(id_), status=status, created_at=created, last_activity_at=active
            )
            for id_, status, created, active in rows[: window.limit]
            if not self._leaves_out(id_)
        ]
        contexts = [self._case.order.shown(context) for context in contexts]
        return contexts, len(rows) > window.limit

    def stayed(self) -> set[str]:
        """Return the ids that are in the list and were there from the beginning on."""
        return self._stayed & self._ids()

    def _leaves_out(self, id_: int) -> bool:
        return id_ * 37 % 100 < self._case.hidden

    def _ids(self) -> set[str]:
        rows = self._connection.execute(
            "SELECT id FROM contexts WHERE status = coalesce(%s, status)",
            (self._case.status,),
        )
        return {str(id_) for (id_,) in rows if not self._leaves_out(id_)}

    def _change(self, change: Change) -> None:
        id_ = self._random.randrange(CONTEXTS)
        self._changes += 1
        if change == "status":
            self._stayed.discard(str(id_))
        time = self._start + timedelta(seconds=self._case.tick * self._changes)
        self._connection.execute(CHANGES[change], {"time": time, "id": id_})


def plain_loop(service: PostgresService) -> set[str | None]:
    """Read page by page, as a script without this library would."""
    got: set[str | None] = set()
    offset, has_more = 0, True
    while has_more:
        contexts, has_more = service.listing(Window(offset, 100))
        got |= {context.id for context in contexts}
        offset += 100
    return got
