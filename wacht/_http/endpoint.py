"""The endpoint: from a query to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urllib3 import Retry

from wacht._protocol.answers import Answer, TooLargeError, read_answer
from wacht._protocol.revisions import REVISIONS
from wacht.errors import ServerError

from .transport import Transport

if TYPE_CHECKING:
    from wacht._protocol.revisions import Query, Revision
    from wacht._settings import Settings
    from wacht._waiting import RequestBudget
    from wacht.throttle import SupportsSlot

    from .credentials import ApiKey

_GATEWAY_TIMEOUT = 504


class Endpoint:
    """
    Ask the service for pages.

    Attributes:
        revision: The revision that the caller fixed or that an answer showed; None
            until then.
        fixed: Whether the caller fixed it.

    """

    def __init__(
        self, settings: Settings, api_key: ApiKey, throttle: SupportsSlot
    ) -> None:
        self.fixed = settings.pagination != "auto"
        self.revision: Revision | None = (
            None if settings.pagination == "auto" else REVISIONS[settings.pagination]
        )
        self._transport = Transport(settings, api_key, throttle)
        self._redactor = api_key

    def close(self) -> None:
        """Close the connections, unless they are the caller's."""
        self._transport.close()

    def ask(self, query: Query, budget: RequestBudget, *, retry: bool = True) -> Answer:
        """
        Send a query and read its answer.

        Raises:
            WachtError: There is no answer, or it isn't a page.
            TooLargeError: The same, and a smaller page may succeed.

        """
        policy = self._transport.retry if retry else Retry(0)
        reply, attempts = self._transport.get(query, budget, policy)
        try:
            return read_answer(reply, attempts=attempts, redactor=self._redactor)
        except ServerError as error:
            if error.status != _GATEWAY_TIMEOUT:
                raise
            slow = error
        raise TooLargeError(slow)
