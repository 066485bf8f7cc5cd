"""What the service may send and a caller may pass, for hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, IntEnum
from typing import Any, TypeAlias

from hypothesis import strategies as st

from wacht import AiExecutionContext, ListExecutionContextsOptions
from wacht._contexts import FILTERS, MAX_PAGE, MAX_PER_PAGE
from wacht._protocol.decoding import structure_page
from wacht.models import FIELD_NAMES, KINDS

Json: TypeAlias = Any


class Agents(str, Enum):  # noqa: UP042 - the one whose str() isn't its value
    FIRST = "agent_123"


class Sizes(IntEnum):
    SMALL = 7

    def __str__(self) -> str:
        return "small"


# Lone surrogates too: JSON can spell them, though UTF-8 cannot.
texts = st.text(st.characters(exclude_categories=()), max_size=20)
texts_in_utf8 = st.text(min_size=1, max_size=20)
snowflakes = st.integers(1, 2**63 - 1).map(str)
api_keys = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)


def json_values(max_leaves: int = 10) -> st.SearchStrategy[Json]:
    """Any JSON."""
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
        ),
        max_leaves=max_leaves,
    )


@st.composite
def timestamps_and_times(draw: st.DrawFn) -> tuple[str, datetime]:
    """RFC 3339 in all its forms, and its time in whole microseconds."""
    minutes = draw(st.none() | st.integers(-23 * 60 - 59, 23 * 60 + 59))
    zone = UTC if minutes is None else timezone(timedelta(minutes=minutes))
    within = {"min_value": datetime(2, 1, 1), "max_value": datetime(9998, 1, 1)}  # noqa: DTZ001 - what hypothesis takes
    time = draw(st.datetimes(**within, timezones=st.just(zone)))
    digits = draw(st.integers(0, 9))
    nanoseconds = f"{time.microsecond * 1000 + draw(st.integers(0, 999)):09}"
    fraction = nanoseconds[:digits]
    offset = draw(st.sampled_from("Zz")) if minutes is None else time.isoformat()[-6:]
    separator = draw(st.sampled_from("Tt "))
    text = f"{time:%H:%M:%S}{'.' * bool(digits)}{fraction}{offset}"
    meant = time.replace(microsecond=int(fraction.ljust(9, "0")) // 1000)
    return f"{time.date().isoformat()}{separator}{text}", meant


integers = st.integers(-(2**63), 2**63 - 1)
SENT: dict[str, st.SearchStrategy[Json]] = {  # by the service, for a kind of field
    "str": texts,
    "Id": texts | integers,
    "datetime": timestamps_and_times().map(lambda pair: pair[0]),
    "int": integers,
    "bool": st.booleans(),
    "Any": json_values(4),
}


def contexts(identity: st.SearchStrategy[Json] = snowflakes) -> st.SearchStrategy[Json]:
    """Contexts as the service sends them: any field may be null, absent or unknown."""
    known = {name: st.none() | SENT[kind] for name, kind in KINDS.items()}
    known["id"] = st.none() | identity
    fields = st.fixed_dictionaries({}, optional=known)
    unknown = texts.filter(lambda name: name not in known)
    extra = st.dictionaries(unknown, json_values(3), max_size=3)
    return st.builds(lambda fields, extra: {**fields, **extra}, fields, extra)


def decoded_contexts() -> st.SearchStrategy[AiExecutionContext]:
    """Contexts as a caller gets them."""
    return contexts().map(
        lambda one: structure_page({"data": [one], "has_more": False}, str).data[0]
    )


def pages(max_size: int = 4) -> st.SearchStrategy[dict[str, Json]]:
    """Answers of either revision, parsed."""
    parts: dict[str, st.SearchStrategy[Json]] = {
        "data": st.lists(contexts(), max_size=max_size),
        "has_more": st.booleans(),
    }
    echo: dict[str, st.SearchStrategy[Json]] = {
        "limit": st.integers(1, MAX_PER_PAGE),
        "offset": st.integers(0, MAX_PAGE),
    }
    return st.fixed_dictionaries(parts) | st.fixed_dictionaries({**parts, **echo})


@st.composite
def almost_pages(draw: st.DrawFn) -> Json:
    """Answers with any JSON in one place."""
    document, value = draw(pages()), draw(json_values())
    name = draw(st.sampled_from([*FIELD_NAMES, *document]))
    if name in document:
        return {**document, name: value}
    return {**document, "data": [*document["data"], {name: value}]}


def options() -> st.SearchStrategy[ListExecutionContextsOptions]:
    """Any options that a caller may pass."""
    return st.builds(
        ListExecutionContextsOptions,
        page=st.none() | st.integers(1, MAX_PAGE),
        per_page=st.none() | st.integers(1, MAX_PER_PAGE),
        **dict.fromkeys(FILTERS, st.none() | texts_in_utf8),
    )
