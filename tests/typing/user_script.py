"""A script as a user writes it: checked by mypy and pyright, never run."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, assert_type

import requests
from urllib3 import Retry

import wacht
from wacht import (
    AiExecutionContext,
    ExecutionContextListResponse,
    ListExecutionContextsOptions,
    ListFilters,
)

if TYPE_CHECKING:
    import pandas as pd


def read(session: wacht.Session) -> None:
    page = session.fetch_execution_contexts()
    assert_type(page, ExecutionContextListResponse)
    assert_type(page.data, list[AiExecutionContext])
    assert_type(page[0], AiExecutionContext)
    assert_type(page[1:], list[AiExecutionContext])
    assert_type(next(iter(page)), AiExecutionContext)

    for context in session.iter_execution_contexts(agent_id="agent_123"):
        assert_type(context.id, str | None)
        assert_type(context.created_at, datetime | None)
        assert_type(context.context, Any)

    for each in wacht.iter_execution_context_pages(per_page=50, prefetch=3):
        assert_type(each, ExecutionContextListResponse)

    now = datetime.now(UTC)
    recent = session.iter_execution_contexts(limit=10, active_since=now, deadline=60.0)
    assert_type(recent, Generator[AiExecutionContext, None, None])
    session.iter_execution_context_pages(exhaustive=None, progress=True)


def filter_by(session: wacht.Session) -> None:
    options = ListExecutionContextsOptions(page=2, per_page=100, status="failed")
    filters: ListFilters = {"agent_id": "agent_123", "workflow_id": None}
    session.fetch_execution_contexts(options, **filters)
    session.iter_execution_contexts(options, page=1, per_page=20, status="running")


def misuse(session: wacht.Session) -> None:
    """What a type checker has to find: each line is an error that is really there."""
    wacht.Sesion()  # type: ignore[attr-defined]
    session.fetch_execution_contexts(page="2")  # type: ignore[arg-type]
    session.iter_execution_contexts(agent_id=5)  # type: ignore[arg-type]
    session.iter_execution_contexts(agent="agent_123")  # type: ignore[call-arg]
    session.iter_execution_contexts(prefetch="many")  # type: ignore[arg-type]
    session.iter_execution_contexts(active_since="today")  # type: ignore[arg-type]
    session.iter_execution_contexts({"page": 1})  # type: ignore[arg-type]
    wacht.iter_execution_contexts(per_page="20")  # type: ignore[arg-type]
    ListExecutionContextsOptions(2)  # type: ignore[call-arg]
    ListExecutionContextsOptions().page = 2  # type: ignore[misc]
    AiExecutionContext().id = "1"  # type: ignore[misc]
    wacht.Session(pagination="cursor")  # type: ignore[arg-type]
    wacht.Session(timeout=None)  # type: ignore[arg-type]


def handle(session: wacht.Session) -> None:
    try:
        session.fetch_execution_contexts()
    except wacht.RateLimitError as error:
        assert_type(error.retry_after, float | None)
    except wacht.ApiError as error:
        assert_type(error.details, Any)
    except wacht.WachtError as error:
        assert_type(error.resume, ListExecutionContextsOptions | None)
        session.iter_execution_contexts(error.resume, deadline=60)
    except (ValueError, TimeoutError) as error:
        assert_type(error, ValueError | TimeoutError)  # builtins that ours are as well


def watch(progress: wacht.WalkProgress) -> None:
    assert_type(progress.waiting, float | None)


def configure() -> None:
    throttle = wacht.Throttle(per_second=10, per_minute=50)
    supports: wacht.SupportsSlot = throttle
    with wacht.Session(
        "key",
        base_url="https://api.wacht.dev",
        timeout=(5, 30),
        retry=Retry(total=2),
        throttle=supports,
        http=requests.Session(),
        pagination="offset",
        max_response_bytes=2**20,
        allow_plain_http=True,
    ) as session:
        assert_type(session, wacht.Session)
        session.iter_execution_contexts(progress=watch)
    wacht.Session(throttle=None, timeout=5)


def analyse(session: wacht.Session) -> pd.DataFrame:
    contexts = session.fetch_execution_contexts()
    wacht.to_dataframe(contexts, flatten_context=True, json="text")
    wacht.to_dataframe(contexts, json="xml")  # type: ignore[arg-type]
    return wacht.to_dataframe(session.iter_execution_contexts(prefetch=2))


def in_a_test() -> None:
    limits = wacht.sandbox.Sandbox(500, revision="offset", per_second=5, per_minute=50)
    assert_type(limits.url, str)
    with wacht.sandbox.Sandbox() as sandbox:
        assert_type(sandbox.session(), wacht.Session)
