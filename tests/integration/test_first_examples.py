"""The three examples with which the service documents its endpoint, in Python."""

from __future__ import annotations

from http import HTTPStatus

import pytest

import wacht
from wacht.sandbox import Sandbox


def test_example__list_all() -> None:
    """The contexts of a first page have ids, agents and times."""
    with Sandbox() as sandbox, sandbox.session() as session:
        contexts = session.fetch_execution_contexts()
    assert len(contexts.data) == 20
    for context in contexts.data:
        assert context.id
        assert context.agent_id
        assert context.created_at


def test_example__filter_and_loop() -> None:
    """A hand-written loop over pages of 50 gives the same contexts as the walk."""
    with Sandbox(500) as sandbox, sandbox.session() as session:
        agent = session.fetch_execution_contexts()[0].agent_id
        options = wacht.ListExecutionContextsOptions(per_page=50, agent_id=agent)
        all_contexts: list[wacht.AiExecutionContext] = []
        current_page = 1
        while True:
            response = session.fetch_execution_contexts(options, page=current_page)
            all_contexts.extend(response.data)
            if not response.has_more:
                break
            current_page += 1
        assert {context.agent_id for context in all_contexts} == {agent}
        assert all_contexts == list(session.iter_execution_contexts(agent_id=agent))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (HTTPStatus.UNAUTHORIZED, wacht.AuthenticationError),
        (HTTPStatus.FORBIDDEN, wacht.PermissionDeniedError),
        (HTTPStatus.CONFLICT, wacht.ApiError),
    ],
)
def test_example__errors_by_status(status: int, kind: type[wacht.ApiError]) -> None:
    """An error of the service has a status, and a type for it."""
    with Sandbox() as sandbox, sandbox.session() as session:
        sandbox.answer(status, "no")
        with pytest.raises(kind, match="no") as caught:
            session.fetch_execution_contexts()
    assert caught.value.status == status
    assert type(caught.value) is kind
