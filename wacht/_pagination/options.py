"""The arguments of a walk, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen
from attrs.validators import optional

from wacht._validators import aware, choice, integer, seconds
from wacht.errors import InvalidRequestError

if TYPE_CHECKING:
    from datetime import datetime

MAX_PREFETCH = 100  # pages; the service's limit of a minute


@frozen(kw_only=True)
class WalkOptions:
    """How to walk; see `Session.iter_execution_contexts`."""

    limit: int | None = field(validator=optional(integer(InvalidRequestError, 1)))
    exhaustive: bool | None = field(
        validator=choice(InvalidRequestError, None, True, False)  # noqa: FBT003
    )
    active_since: datetime | None = field(
        validator=optional(aware(InvalidRequestError))
    )
    prefetch: int = field(validator=integer(InvalidRequestError, 0, MAX_PREFETCH))
    deadline: float | None = field(validator=optional(seconds(InvalidRequestError)))
