"""
The session: settings in, pages and contexts out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NoReturn, Self, Unpack

from attrs import evolve, fields_dict

from ._endpoint import Endpoint, Pagination
from ._paging import Walk
from ._progress import reporting_to
from ._secret import Secret
from ._settings import (
    check_choice,
    check_throttle,
    checked_base_url,
    checked_deadline,
    checked_prefetch,
    checked_size,
    checked_timeout,
)
from ._waiting import Watch
from .errors import shown
from .models import ListExecutionContextsOptions, ListFilters
from .throttle import SupportsSlot, shared_throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    import requests
    import urllib3

    from .models import (
        AiExecutionContext,
        ExecutionContextListResponse,
        WalkProgress,
    )

_OPTIONS = tuple(fields_dict(ListExecutionContextsOptions))
_WALK_OPTIONS = (*_OPTIONS, "prefetch", "deadline", "progress")


class Session:
    """
    A client of Wacht's AI execution contexts; many threads may use one at once.

    Every attempt is paced by a throttle, repeated as far as the retry policy goes, and
    read whole within bounds of size and time. The key is sent in the `Authorization`
    header and shown nowhere: not in errors, logs or representations.

    Args:
        api_key: The key; else the environment's `WACHT_API_KEY`.
        base_url: Where the service is; else `WACHT_BASE_URL`, else
            `https://api.wacht.dev`. Plain `http://` only to a loopback host.
        timeout: Seconds, for both or as (connect, read), as in requests. All headers
            must arrive within three times the read timeout, and then the whole body.
        retry: The policy. By default at most 6 attempts, for 429 and every 5xx, broken
            connections, timeouts and broken bodies, with a back-off and jitter; an
            answer that asks to wait for longer than 120 s is an error at once.
        throttle: What paces the requests. By default 20 a second and 100 a minute, the
            service's documented limits, shared by all sessions of the process with the
            same key and base URL. None for no pacing; or a `Throttle` of your own.
        http: Your own `requests.Session`, with proxies, CA bundle, adapters or
            headers. It is neither changed nor closed. Its adapters read headers in
            their own time, so there `timeout` and a `deadline` hold less exactly, and
            they should retry nothing themselves.
        pagination: How the service pages, `"page"` or `"offset"`; `"auto"` learns it
            from the first answer.
        max_response_bytes: The longest answer to accept, unpacked. By default 64 MiB.
        allow_plain_http: Send the key in the clear to other hosts too.

    Raises:
        ConfigError: A setting cannot be used.

    Example:
        >>> import wacht
        >>> with wacht.Session() as session:
        ...     for context in session.iter_execution_contexts(agent_id="agent_123"):
        ...         print(context.id, context.created_at)

    """

    _base_url = "a service to be named"  # as long as it is not settled

    def __init__(  # noqa: PLR0913 - all by keyword
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | tuple[float, float] = (5.0, 30.0),
        retry: urllib3.Retry | None = None,
        throttle: SupportsSlot | Literal["shared"] | None = "shared",
        http: requests.Session | None = None,
        pagination: Pagination = "auto",
        max_response_bytes: int = 64 * 2**20,
        allow_plain_http: bool = False,
    ) -> None:
        # requests is the most of our start: it comes with the first session.
        from ._transport import Transport  # noqa: PLC0415

        secret = Secret(api_key)
        del api_key  # no frame of a traceback should hold it
        secret.check()
        self._base_url = checked_base_url(base_url, allow_plain_http=allow_plain_http)
        check_choice("pagination", pagination, ("auto", "page", "offset"))
        check_throttle(throttle)
        self._transport = Transport(
            base_url=self._base_url,
            secret=secret,
            http=http,
            timeout=checked_timeout(timeout),
            retry=retry,
            throttle=(
                shared_throttle((self._base_url, secret.digest()), user=secret)
                if throttle == "shared"
                else throttle
            ),
            max_response_bytes=checked_size(max_response_bytes),
        )
        self._endpoint = Endpoint(self._transport, secret, pagination)

    def __repr__(self) -> str:
        return f"<wacht.Session for {self._base_url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Session holds a key and open connections, and does not pickle: make "
            "one where you need it"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """
        Close the connections, unless they are those of your own `http`.

        A later request would open new ones.
        """
        self._transport.close()

    def fetch_execution_contexts(
        self,
        options: ListExecutionContextsOptions | None = None,
        /,
        **filters: Unpack[ListFilters],
    ) -> ExecutionContextListResponse:
        """
        Fetch one page, with one request.

        The very first answer of a session may show that the service pages by offset;
        then the page is asked for once more, in that way.

        Args:
            options: What to list.
            filters: The same by keyword, laid over `options`: `page`, `per_page`,
                `agent_id`, `workflow_id`, `status`, `context_group`.

        Returns:
            The page: `data`, and `has_more`.

        Raises:
            InvalidRequestError: An option is out of its range.
            ApiError: The service refused; one subclass for each status that it uses.
            RequestError: No whole answer came.
            DecodeError: The answer has not the promised shape.
            PaginationError: The service ignored a filter.

        """
        return self._endpoint.page(_laid_over(options, filters, _OPTIONS), Watch())

    def iter_execution_contexts(
        self,
        options: ListExecutionContextsOptions | None = None,
        /,
        *,
        prefetch: int = 0,
        deadline: float | None = None,
        progress: bool | Callable[[WalkProgress], object] = False,
        **filters: Unpack[ListFilters],
    ) -> Generator[AiExecutionContext, None, None]:
        """
        Walk through all contexts, page after page, each context once.

        Arguments are checked at the call; the first request is sent at the first
        `next()`, and each further page is fetched when the one before it is used up.

        Args:
            options: What to list, and where to start. 100 contexts a page, unless
                `per_page` says otherwise: a rate limit allows 100 pages a minute.
            prefetch: How many pages to ask for ahead of their turn, in threads; up to
                100.
            deadline: Seconds for the whole walk, waits included.
            progress: True for a bar (needs the extra `notebook`), or a function that is
                called with a `WalkProgress` after each page and before each wait of a
                second or more; with `prefetch`, from other threads too, one at a time.
                It must not send requests: the walk stands before it in the line.
            filters: The fields of the options by keyword, laid over `options`:
                `agent_id`, `workflow_id`, `status`, `context_group`, `page` (the
                first), `per_page`.

        Yields:
            The contexts, in the service's order.

        Raises:
            InvalidRequestError: An option is out of its range.
            DeadlineExceededError: The deadline passed.
            PaginationError: The service goes in circles, or ignored a filter.
            WachtError: As `fetch_execution_contexts`. Every error that ends the walk
                carries `resume`, the options for a next walk that goes on from there.

        """
        return self._walk(options, filters, prefetch, deadline, progress).contexts()

    def iter_execution_context_pages(
        self,
        options: ListExecutionContextsOptions | None = None,
        /,
        *,
        prefetch: int = 0,
        deadline: float | None = None,
        progress: bool | Callable[[WalkProgress], object] = False,
        **filters: Unpack[ListFilters],
    ) -> Generator[ExecutionContextListResponse, None, None]:
        """
        Walk as `iter_execution_contexts` does, and yield the pages.

        A page comes without the contexts that an earlier page had.

        Args:
            options: As there.
            prefetch: As there.
            deadline: As there.
            progress: As there.
            filters: As there.

        Yields:
            The pages, in the service's order.

        Raises:
            WachtError: As there.

        """
        return self._walk(options, filters, prefetch, deadline, progress).pages()

    def _walk(
        self,
        options: ListExecutionContextsOptions | None,
        filters: ListFilters,
        prefetch: int,
        deadline: float | None,
        progress: bool | Callable[[WalkProgress], object],  # noqa: FBT001 - the surface
    ) -> Walk:
        return Walk(
            self._endpoint.page,
            _laid_over(options, filters, _WALK_OPTIONS),
            prefetch=checked_prefetch(prefetch),
            deadline=checked_deadline(deadline),
            reporting=reporting_to(progress),
        )


def _laid_over(
    options: ListExecutionContextsOptions | None,
    filters: ListFilters,
    known: tuple[str, ...],
) -> ListExecutionContextsOptions:
    if options is None:
        options = ListExecutionContextsOptions()
    if not isinstance(options, ListExecutionContextsOptions):
        raise TypeError(
            "expected ListExecutionContextsOptions, or its fields by keyword, got "
            f"{shown(options)}"
        )
    for name in filters.keys() - set(_OPTIONS):
        raise TypeError(f"unknown option {name!r}; the options are {', '.join(known)}")
    return evolve(options, **filters)
