"""
The service's protocol without any I/O: what to ask, and what an answer means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from ._json import MisfitError, parse_json
from ._reply import error_of, redacted
from .errors import DecodeError, PaginationError, shown

if TYPE_CHECKING:
    from ._reply import Reply
    from ._secret import Secret
    from .models import ExecutionContextListResponse, ListExecutionContextsOptions

Revision = Literal["page", "offset"]
Query = dict[str, str]

PATH = "/ai/execution-contexts"
PER_PAGE = 20  # the service's default
_SAID_LENGTH = 200

# The filters that each revision applies; it silently ignores the others.
FILTERS: dict[Revision, tuple[str, ...]] = {
    "page": ("agent_id", "workflow_id"),
    "offset": ("status", "context_group"),
}
_ALL_FILTERS = tuple(name for names in FILTERS.values() for name in names)


@frozen
class Echo:
    """
    What the offset revision says it applied.
    """

    limit: int
    offset: int

    def __str__(self) -> str:
        return f"limit={shown(self.limit)}, offset={shown(self.offset)}"


@frozen
class Answer:
    """
    A page, and what came with it.
    """

    page: ExecutionContextListResponse
    echo: Echo | None


def query_of(options: ListExecutionContextsOptions, revision: Revision) -> Query:
    """
    Write options as a revision's query; what is left out is not sent.
    """
    place = _limits(options) if revision == "offset" else _page_numbers(options)
    filters = {name: getattr(options, name) for name in _ALL_FILTERS}
    query = {**place, **filters}
    return {name: _written(value) for name, value in query.items() if value is not None}


def _written(value: int | str) -> str:
    # An enum, say, is an int or a str with a str() of its own.
    return int.__repr__(value) if isinstance(value, int) else str.__str__(value)


def _page_numbers(options: ListExecutionContextsOptions) -> dict[str, int | None]:
    return {"page": options.page, "per_page": options.per_page}


def _limits(options: ListExecutionContextsOptions) -> dict[str, int]:
    expected = expected_echo(options)
    return {"limit": expected.limit, "offset": expected.offset}


def expected_echo(options: ListExecutionContextsOptions) -> Echo:
    """
    Say which contexts a page means, in the words of the offset revision.
    """
    per_page = options.per_page or PER_PAGE
    return Echo(per_page, ((options.page or 1) - 1) * per_page)


def answer_of(reply: Reply, *, attempts: int, secret: Secret) -> Answer:
    """
    Read a reply.

    Raises:
        ApiError: The status is not one of success.
        DecodeError: The body is not what was promised.

    """
    if not reply.succeeded:
        raise error_of(reply, attempts=attempts, secret=secret)
    try:
        return _read(reply, secret)
    except MisfitError as misfit:
        message = secret.redact_text(str(misfit))
        error = DecodeError(message, redacted(reply, secret).body)
    raise error


def _read(reply: Reply, secret: Secret) -> Answer:
    from ._convert import structure_page  # noqa: PLC0415 - cattrs, a tenth of the start

    document = _document(reply, secret)
    page = structure_page(document, secret.redact_text)
    return Answer(page, _echo_of(document))


def _document(reply: Reply, secret: Secret) -> Any:
    if reply.cut_at is not None:
        raise MisfitError(f"the body: expected at most {reply.cut_at} bytes, got more")
    try:
        return parse_json(reply.body)
    except (ValueError, RecursionError) as error:
        said = "nested too deep" if isinstance(error, RecursionError) else str(error)
    text = secret.redact(reply.body).decode(errors="replace")
    got = shown(text) if text else "nothing"
    raise MisfitError(f"the body: expected JSON, got {got} ({said[:_SAID_LENGTH]})")


def _echo_of(document: dict[str, Any]) -> Echo | None:
    limit, offset = document.get("limit"), document.get("offset")
    if type(limit) is int and type(offset) is int:
        return Echo(limit, offset)
    return None


def check_filters(
    answer: Answer, options: ListExecutionContextsOptions, revision: Revision
) -> None:
    """
    Hold the contexts of a page against the filters that were asked for.

    A context may leave a field out. But where a caller says "offset" and no echo bears
    it out, a field that is left out may be one that the service does not know.

    Raises:
        PaginationError: The service ignored a filter.

    """
    doubtful = revision == "offset" and answer.echo is None
    for name in _ALL_FILTERS:
        asked = getattr(options, name)
        if asked is None or not answer.page.data:
            continue
        if name not in FILTERS[revision]:
            raise PaginationError(_unsupported(name, asked, revision))
        misfit = _first_misfit(answer, name, (asked,) if doubtful else (asked, None))
        if misfit:
            raise PaginationError(
                f"the service ignored the filter {name}={shown(asked)}: {misfit}"
            )


def _first_misfit(
    answer: Answer, name: str, fitting: tuple[str | None, ...]
) -> str | None:
    # What came stays in this frame: the key may be in it, and a traceback shows frames.
    for index, context in enumerate(answer.page.data):
        if (got := getattr(context, name)) not in fitting:
            how = "missing" if got is None else "another"
            return f"data[{index}].{name} is {how}"
    return None


def _unsupported(name: str, asked: str, revision: Revision) -> str:
    other = "offset" if revision == "page" else "page"
    return (
        f"the service ignored the filter {name}={shown(asked)}: its {revision} "
        f"revision does not know it; only the {other} revision does "
        f"(Session(pagination={other!r}), if yours is that one)"
    )
