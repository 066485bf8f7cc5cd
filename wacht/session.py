"""The session: settings in, pages and contexts out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NoReturn, Self, Unpack

from ._contexts import PATH
from ._http.settings import Settings
from ._keywords import (
    WALK_KEYWORDS,
    WalkOptions,
    merge_filters,
    merge_update_filters,
    with_keywords_of,
)
from ._pagination.progress import open_report
from ._protocol.credentials import ApiKey
from .models import (
    AiExecutionContext,
    ExecutionContextListResponse,
    ListExecutionContextsOptions,
    ListFilters,
    UpdateFilters,
    UpdatePage,
    WalkKeywords,
    WalkProgress,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import datetime

    import requests
    import urllib3

    # Not at run time: jedi, the completion of notebooks, fails on a property that is
    # known to return a `Literal`, and then offers nothing after `session.`.
    from ._http.settings import Pagination
    from ._pagination.walk import Walk
    from .throttle import SupportsSlot


class Session:
    """
    A client for Wacht's AI execution contexts; threads may share one.

    A throttle paces every attempt, the retry policy repeats failed ones, and answers
    are bounded in size and time. The key is sent in the `Authorization` header and
    appears nowhere else: not in errors, logs or representations.

    Args:
        api_key: The key; by default `WACHT_API_KEY` from the environment.
        base_url: Where the service is; by default `WACHT_BASE_URL`, or else
            `https://api.wacht.dev`. Plain `http://` only to a loopback host.
        timeout: Seconds, one number or (connect, read), as in requests. Connecting as
            a whole, to all addresses of the host and with TLS, must succeed within the
            first. The headers, and then the body, must arrive within three times the
            second. Looking up the host's name can't be interrupted.
        retry: The policy. By default at most 6 attempts, for 429, every 5xx, broken
            connections, timeouts and broken bodies, with back-off and jitter. If the
            service asks to wait for more than 120 s, that is an error at once.
        throttle: Paces the requests. By default 20 a second and 100 a minute, the
            service's documented limits, shared by all sessions of the process with the
            same key and base URL. None for no pacing, or your own throttle.
        http: Your own `requests.Session`, with proxies, CA bundle, adapters or
            headers. It is neither changed nor closed. Its adapters shouldn't retry, and
            limit each read, not the whole. Make a new one in the child of a fork, and
            after an exception of a signal handler, which may leave it locked.
        pagination: The revision of the endpoint, `"page"` or `"offset"`; `"auto"`
            learns it from the answers. An older build of the offset revision, which
            doesn't say what it applied, needs `"offset"`.
        max_response_bytes: The longest body to accept, decompressed; 64 MiB by
            default.
        allow_plain_http: Send the key unencrypted to other hosts as well.
        path: Where the list is, below the base URL.

    Raises:
        ConfigError: A setting is unusable.

    Example:
        >>> import wacht
        >>> with wacht.Session() as session:
        ...     for context in session.iter_execution_contexts():
        ...         print(context.id, context.created_at)

    """

    _base_url = "an unknown service"  # until the settings are checked

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
        path: str = PATH,
    ) -> None:
        # requests is the largest part of our import time: it comes with a session, and
        # so does the rest. Later, there may be no file descriptor to import it with.
        from ._fetch import fetch_page  # noqa: PLC0415
        from ._http.endpoint import Endpoint  # noqa: PLC0415
        from ._pagination.updates import Updates  # noqa: PLC0415
        from ._pagination.walk import Walk  # noqa: PLC0415

        key = ApiKey(api_key)
        del api_key  # no frame of a traceback should hold it
        key.check()  # after that, for the same reason
        settings = Settings(
            allow_plain_http=allow_plain_http,
            base_url=base_url,
            timeout=timeout,
            retry=retry,
            throttle=throttle,
            http=http,
            pagination=pagination,
            max_response_bytes=max_response_bytes,
            path=path,
        )
        self._base_url = settings.base_url
        self._endpoint = Endpoint(settings, key)
        self._fetch_page, self._make_walk = fetch_page, Walk
        self._make_updates = Updates

    def __repr__(self) -> str:
        return f"<wacht.Session for {self._base_url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Session holds a key and open connections and can't be pickled: make one "
            "where you need it"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def pagination(self) -> Pagination:
        """The revision of the endpoint, `"auto"` until an answer shows it."""
        revision = self._endpoint.revision
        return "auto" if revision is None else revision.name

    def close(self) -> None:
        """Close all but your own `http`; a later request opens new connections."""
        self._endpoint.close()

    @with_keywords_of(ListExecutionContextsOptions)
    def _walk(  # noqa: PLR0913 - all by keyword
        self,
        options: ListExecutionContextsOptions | None,
        /,
        *,
        limit: int | None = None,
        exhaustive: bool | None = None,
        active_since: datetime | None = None,
        prefetch: int = 0,
        deadline: float | None = None,
        progress: bool | Callable[[WalkProgress], object] = False,
        **filters: Unpack[ListFilters],
    ) -> Walk:
        walk = WalkOptions(limit, exhaustive, active_since, prefetch, deadline)
        options = merge_filters(options, WALK_KEYWORDS, **filters)
        report = open_report(progress, limit)
        return self._make_walk(self._endpoint, options, walk, report)

    @with_keywords_of(ListExecutionContextsOptions)
    def fetch_execution_contexts(
        self,
        options: ListExecutionContextsOptions | None = None,
        /,
        **filters: Unpack[ListFilters],
    ) -> ExecutionContextListResponse:
        """
        Fetch one page.

        This takes one request, or two while the session doesn't know yet in which way
        the service pages.

        Args:
            options: Which page of which contexts.
            filters: The fields of the options as keywords; they override `options`.

        Returns:
            The page: `data`, and `has_more`.

        Raises:
            InvalidRequestError: An option is out of its range.
            ApiError: The service refused; it has a subclass for each usual status.
            RequestError: No whole answer came.
            DecodeError: The answer doesn't have the promised shape.
            PaginationError: The service ignored a filter, or the page asked for.

        """
        return self._fetch_page(self._endpoint, merge_filters(options, **filters))

    @with_keywords_of(_walk)
    def iter_execution_contexts(
        self,
        options: ListExecutionContextsOptions | None = None,
        /,
        **keywords: Unpack[WalkKeywords],
    ) -> Generator[AiExecutionContext, None, None]:
        """
        Walk through all contexts.

        Arguments are checked at the call. The first request is sent at the first
        `next()`, and each further one when the contexts before it are used up.

        On a service that lists by activity, each context that stays in the list is
        given exactly once, even if it moves meanwhile; otherwise the walk ends with a
        `PaginationError`. On one that lists by page, that holds with `exhaustive=True`.
        A walk that begins at a later page covers the list from that place down.

        Args:
            options: Which contexts, and the page to start at. 100 contexts a page,
                unless `per_page` says otherwise.
            limit: At most this many contexts. No more is requested than that takes.
            exhaustive: Whether to prove that no context is missing. By default: yes if
                the service lists by activity, and plain pages otherwise, which prove
                nothing. True: by page as well, for a sixth more requests, or one to
                three more for up to 1,000 contexts. That needs a list that is sorted by
                a time which its contexts show; else there is a `PaginationError` after
                the last context. False: one request a page and no second look.
            active_since: Only contexts with a `last_activity_at` at or after this
                time, which must have a time zone. Only for a service that lists by
                activity.
            prefetch: How many pages to request ahead, in threads; up to 100.
            deadline: Seconds for the whole walk, waits included.
            progress: True for a bar (needs the extra `notebook`), or a function that is
                called with a `WalkProgress` after each page and before each wait of a
                second or more. With `prefetch` it is called from several threads, but
                never twice at once. It must not send requests.
            filters: The fields of the options as keywords; they override `options`.

        Yields:
            In the service's order; what moved meanwhile comes last.

        Raises:
            InvalidRequestError: An argument is out of its range.
            DeadlineExceededError: The deadline passed.
            PaginationError: The service repeats pages or ignored a filter, or contexts
                may be missing.
            WachtError: As `fetch_execution_contexts`. Every error that ends the walk
                carries `resume`: the options for a walk that goes on from there.

        """
        return self._walk(options, **keywords).contexts()

    @with_keywords_of(iter_execution_contexts)
    def iter_execution_context_pages(
        self,
        options: ListExecutionContextsOptions | None = None,
        /,
        **keywords: Unpack[WalkKeywords],
    ) -> Generator[ExecutionContextListResponse, None, None]:
        """
        Walk as `iter_execution_contexts` does, with the same arguments; yield pages.

        A page comes without the contexts that an earlier page had. If nothing is left
        of it, it isn't yielded; an empty list gives one empty page. With `limit`, the
        last page is cut.
        """
        return self._walk(options, **keywords).pages()

    @with_keywords_of(ListExecutionContextsOptions, without="page")
    def iter_execution_context_updates(
        self,
        state: str | None = None,
        /,
        *,
        exhaustive: bool | None = None,
        prefetch: int = 0,
        deadline: float | None = None,
        progress: bool | Callable[[WalkProgress], object] = False,
        **filters: Unpack[UpdateFilters],
    ) -> Generator[UpdatePage, None, None]:
        """
        Bring a copy of the list up to date.

        Write `page.data` by id and store `page.state` in one transaction; the process
        may be killed at any moment. A context may come again on a later page. Arguments
        and state are checked at the call.

        Without a state, a run reads everything. From a stored state it goes on there
        or, once a run has ended, reads what was active since that run began; by page,
        it reads everything each time. Where the state doesn't fit the list any more,
        the same call begins a new run.

        Args:
            state: The `state` of the last page that was stored; None for a new copy.
            exhaustive: As for `iter_execution_contexts`. Where each run is a proof, it
                ends with a page that has `complete=True`, or in a `PaginationError`.
            prefetch: How many pages to request ahead, in threads; up to 100.
            deadline: Seconds for this call, waits included.
            progress: As for `iter_execution_contexts`.
            filters: Which contexts to copy: the same as when the state was made.
                `per_page` may be another.

        Yields:
            One `UpdatePage` or more; the last may be empty.

        Raises:
            InvalidRequestError: An argument is out of its range, or the state belongs
                to another service or other filters: begin with `state=None`.
            WachtError: As `iter_execution_contexts`, but `resume` is None: go on from
                the last stored state.

        """
        walk = WalkOptions(None, exhaustive, None, prefetch, deadline)
        options = merge_update_filters(**filters)
        report = open_report(progress)
        return self._make_updates(self._endpoint, options, walk, report, state).pages()
