"""
Decoding: strict where the service promises something, and pointing where it fails.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import strategies
from wacht import AiExecutionContext
from wacht._convert import structure_page
from wacht._json import MisfitError
from wacht.models import FIELD_NAMES

PAYLOADS = Path(__file__).parents[1] / "payloads"
PAGE = {"data": [], "has_more": True}
WIDE_TWO = "\N{FULLWIDTH DIGIT TWO}"
PLACE = re.compile(r"(the body|data|has_more|data\[\d+\](\.[a-z_]+)?): expected .+")


def _as_it_is(text: str) -> str:
    return text


def _structured(*contexts: Any) -> list[AiExecutionContext]:
    return structure_page({"data": [*contexts], "has_more": False}, _as_it_is).data


def _context(**fields: Any) -> AiExecutionContext:
    [context] = _structured(fields)
    return context


def _complaint(document: object) -> str | None:
    try:
        structure_page(document, _as_it_is)
    except MisfitError as error:
        return str(error)
    return None


def _misfit(document: object) -> str:
    with pytest.raises(MisfitError) as caught:
        structure_page(document, _as_it_is)
    assert caught.value.__cause__ is caught.value.__context__ is None
    return str(caught.value)


def _misfit_of(**fields: Any) -> str:
    return _misfit({"data": [{}, {}, {}, fields], "has_more": True})


def _payload(name: str) -> Any:
    return json.loads((PAYLOADS / name).read_bytes())


def test_page_revision__believable_page() -> None:
    """
    A page of the page revision is decoded, field by field.
    """
    page = structure_page(_payload("page_revision.json"), _as_it_is)
    first, second, third = page
    assert page.has_more is True
    assert first == AiExecutionContext(
        id="7234501928374650881",
        agent_id="7198001122334455667",
        workflow_id="7198009988776655443",
        user_id="7101234567890123456",
        session_id="7234501928000000001",
        context={
            "topic": "quarterly report",
            "turns": 12,
            "sources": ["ledger", "forecast"],
            "draft": {"approved": False, "score": 0.75},
        },
        created_at=datetime(2025, 3, 14, 9, 26, 53, 589793, tzinfo=UTC),
    )
    assert (second.workflow_id, second.session_id) == (None, None)
    assert second.created_at == datetime(2025, 3, 14, 9, 20, tzinfo=UTC)
    assert third.context is None
    assert third.created_at == datetime(2025, 3, 14, 5, 29, 59, 500_000, tzinfo=UTC)


def test_offset_revision__believable_page() -> None:
    """
    A page of the offset revision is decoded; what is new in it goes to `extra`.
    """
    page = structure_page(_payload("offset_revision.json"), _as_it_is)
    first, second = page
    assert page.has_more is False
    assert first.status == "waiting_for_input"
    assert first.parent_context_id == "7301928374650900001"
    assert first.execution_state == {
        "step": 3,
        "pending": [{"tool": "search", "args": None}],
    }
    assert first.last_activity_at == datetime(2025, 6, 1, 0, 4, 11, 204516, tzinfo=UTC)
    assert second.status == "archived"
    assert second.extra == {"retention_days": 30}


def test_hostile_page__nothing_breaks() -> None:
    """
    Odd names, extreme values and text of ill will are data like any other.
    """
    page = structure_page(_payload("hostile.json"), _as_it_is)
    first, second, third, fourth = page
    assert page.has_more is False
    assert (first.id, first.agent_id) == ("18446744073709551615", "-1")
    assert first.created_at == datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert first.updated_at == first.created_at
    assert second.id == ""
    assert second.extra["extra"] == {"extra": "within extra"}
    assert second.extra["id\x00"] == "another id"
    assert third == AiExecutionContext()
    assert fourth.id == "the last one counts"
    for context in page:
        assert json.loads(json.dumps(context.to_dict())) == context.to_dict()
        assert repr(context).isprintable()


@given(strategies.timestamps_and_times())
def test_timestamp__every_allowed_form(pair: tuple[str, datetime]) -> None:
    """
    Each form of RFC 3339 gives its time, cut to microseconds, in its own offset.
    """
    text, meant = pair
    created_at = _context(created_at=text).created_at
    assert created_at == meant
    assert created_at is not None
    assert created_at.utcoffset() == meant.utcoffset()


@pytest.mark.parametrize(
    ("text", "in_utc"),
    [
        ("2025-03-14T09:26:53.589793238Z", "2025-03-14T09:26:53.589793+00:00"),
        ("2025-03-14T09:26:53.9999999Z", "2025-03-14T09:26:53.999999+00:00"),
        ("2025-03-14T09:26:53.1Z", "2025-03-14T09:26:53.100000+00:00"),
        ("2025-03-14t09:26:53z", "2025-03-14T09:26:53+00:00"),
        ("2025-03-14 09:26:53Z", "2025-03-14T09:26:53+00:00"),
        ("2025-03-14T09:26:53-00:00", "2025-03-14T09:26:53+00:00"),
        ("2025-03-14T14:56:53+05:30", "2025-03-14T09:26:53+00:00"),
        ("2025-03-14T00:26:53-09:00", "2025-03-14T09:26:53+00:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999+00:00"),
        ("2016-12-31T23:59:60.5Z", "2016-12-31T23:59:59.999999+00:00"),
        ("2016-12-31T15:59:60-08:00", "2016-12-31T23:59:59.999999+00:00"),
        ("2017-01-01t05:29:60.25+05:30", "2016-12-31T23:59:59.999999+00:00"),
    ],
)
def test_timestamp__examples(text: str, in_utc: str) -> None:
    """
    Fractions are cut, offsets heeded, and a leap second is the last of its day.
    """
    created_at = _context(created_at=text).created_at
    assert created_at is not None
    assert created_at.astimezone(UTC).isoformat() == in_utc


def test_timestamp__keeps_its_offset() -> None:
    """
    A time stays in the offset that the service wrote.
    """
    zone = timezone(timedelta(hours=5, minutes=30))
    created_at = _context(created_at="2025-03-14T14:56:53+05:30").created_at
    assert created_at is not None
    assert created_at.tzinfo == zone


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ("yesterday", "'yesterday'"),
        ("", "''"),
        ("2025-03-14T24:30:00Z", "'2025-03-14T24:30:00Z'"),
        ("2025-02-29T00:00:00Z", "'2025-02-29T00:00:00Z'"),
        ("2025-03-14T09:26:61Z", "'2025-03-14T09:26:61Z'"),
        ("2025-03-14T09:60:00Z", "'2025-03-14T09:60:00Z'"),
        ("2025-03-14T23:60+00:00", "'2025-03-14T23:60+00:00'"),
        ("2025-03-14T09:26:53+24:00", "'2025-03-14T09:26:53+24:00'"),
        ("0000-01-01T00:00:00Z", "'0000-01-01T00:00:00Z'"),
        ("10000-01-01T00:00:00Z", "'10000-01-01T00:00:00Z'"),
        (f"{WIDE_TWO}025-03-14T09:26:53Z", f"'{WIDE_TWO}025-03-14T09:26:53Z'"),
        ("2025-03-14T09:26:53Z\n", r"'2025-03-14T09:26:53Z\n'"),
        ("2025-03-14T09:26:53\ud800Z", r"'2025-03-14T09:26:53\ud800Z'"),
        (1741944413, "1741944413"),
        (1.5, "1.5"),
        (True, "True"),
        ([], "an array"),
        ({"$date": 0}, "an object"),
        ("x" * 10**6, f"'{'x' * 78}…"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_timestamp__refused(value: Any, got: str) -> None:
    """
    What is no time is refused, by its place and by what came.
    """
    assert _misfit_of(created_at=value) == (
        f"data[3].created_at: expected an RFC 3339 timestamp, got {got}"
    )


@pytest.mark.parametrize("text", ["2025-03-14T09:26:53", "2025-03-14"])
def test_timestamp__without_offset_refused(text: str) -> None:
    """
    A time that could be anywhere's is refused.
    """
    assert _misfit_of(completed_at=text) == (
        "data[3].completed_at: expected an RFC 3339 timestamp with an offset, "
        f"got '{text}'"
    )


IDS = [
    "id",
    "agent_id",
    "workflow_id",
    "user_id",
    "session_id",
    "deployment_id",
    "external_context_id",
    "parent_context_id",
]


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize(
    ("value", "identity"),
    [
        ("7234501928374650881", "7234501928374650881"),
        (7234501928374650881, "7234501928374650881"),
        (2**64 - 1, "18446744073709551615"),
        (0, "0"),
        (-1, "-1"),
        ("", ""),
        (None, None),
    ],
)
def test_id__string_number_or_null(name: str, value: Any, identity: str | None) -> None:
    """
    Ids stay strings, numbers become strings, and null is None.
    """
    assert getattr(_context(**{name: value}), name) == identity


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (True, "a string, got True"),
        (1e18, "a string, got 1e+18"),
        ({}, "a string, got an object"),
        ([1], "a string, got an array"),
        (2**64, "an id of at most 64 bits, got 18446744073709551616"),
        (10**5000, "an id of at most 64 bits, got <int>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_id__refused(name: str, value: Any, complaint: str) -> None:
    """
    What is neither a string nor a 64-bit number is no id.
    """
    assert _misfit_of(**{name: value}) == f"data[3].{name}: expected {complaint}"


@pytest.mark.parametrize(
    "name", ["title", "system_instructions", "context_group", "status", "source"]
)
@pytest.mark.parametrize(
    ("value", "got"), [(5, "5"), (False, "False"), ([], "an array"), ({}, "an object")]
)
def test_text__refused(name: str, value: Any, got: str) -> None:
    """
    A text is a string or null, and nothing is turned into one.
    """
    assert _misfit_of(**{name: value}) == (
        f"data[3].{name}: expected a string, got {got}"
    )


@pytest.mark.parametrize("status", ["failed", "archived", "", "FAILED", "\ud800"])
def test_status__unknown_values_stay(status: str) -> None:
    """
    A status that nobody knew is what the service said.
    """
    assert _context(status=status).status == status


@pytest.mark.parametrize(
    "value", [None, 0, "text", [], {}, [{"a": [None]}], 2**70, 1.5, "\udfff"]
)
@pytest.mark.parametrize("name", strategies.JSON_FIELDS)
def test_json__any_value(name: str, value: Any) -> None:
    """
    What is any JSON comes out as it went in.
    """
    assert getattr(_context(**{name: value}), name) == value


@given(st.lists(strategies.contexts(), max_size=4), strategies.json_values())
def test_unknown_fields__never_hurt(contexts: list[Any], value: Any) -> None:
    """
    Fields that nobody knew change nothing about the others, and are kept.
    """
    richer = [{**context, "brand_new": value} for context in contexts]
    for context, rich in zip(_structured(*contexts), _structured(*richer), strict=True):
        assert rich.extra == {**context.extra, "brand_new": value}
        for name in FIELD_NAMES:
            assert getattr(rich, name) == getattr(context, name)


@given(strategies.pages(), strategies.json_values())
def test_unknown_fields__of_a_page(document: dict[str, Any], value: Any) -> None:
    """
    A page may have fields that nobody knew.
    """
    page = structure_page(document, _as_it_is)
    assert structure_page({**document, "total": value}, _as_it_is) == page


@pytest.mark.parametrize("name", ["extra", "to_dict", "__class__", "self", "", "\x00"])
def test_unknown_fields__of_any_name(name: str) -> None:
    """
    Whatever a field is called, it lands in `extra` and comes back.
    """
    context = _context(**{name: 1})
    assert context.extra == {name: 1}
    assert context.to_dict()[name] == 1


@given(strategies.contexts())
def test_structure__to_dict_is_its_inverse(document: dict[str, Any]) -> None:
    """
    Structured, taken to JSON, and structured again, a context is the same.
    """
    [context] = _structured(document)
    again = json.loads(json.dumps(context.to_dict()))
    assert _structured(again) == [context]


@given(strategies.contexts())
def test_to_dict__says_what_the_service_said(document: dict[str, Any]) -> None:
    """
    Beside times and numeric ids, which have one form, the JSON is as it came.
    """
    [context] = _structured(document)
    back = context.to_dict()
    for name, value in document.items():
        if name == "parent_context_id" and value is not None:
            assert back[name] == str(value)
        elif name not in strategies.TIMES:
            assert back[name] == value
    assert {back[name] for name in FIELD_NAMES if name not in document} <= {None}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (None, "the body: expected an object, got null"),
        ([], "the body: expected an object, got an array"),
        ("page", "the body: expected an object, got 'page'"),
        (7, "the body: expected an object, got 7"),
        ({}, "data: expected a value, got none (and 1 more)"),
        ({"data": []}, "has_more: expected a value, got none"),
        (PAGE | {"data": None}, "data: expected an array, got null"),
        (PAGE | {"data": {}}, "data: expected an array, got an object"),
        (PAGE | {"data": "xyz"}, "data: expected an array, got 'xyz'"),
        (PAGE | {"has_more": None}, "has_more: expected a boolean, got null"),
        (PAGE | {"has_more": "false"}, "has_more: expected a boolean, got 'false'"),
        (PAGE | {"has_more": 1}, "has_more: expected a boolean, got 1"),
        (PAGE | {"data": ["x"]}, "data[0]: expected an object, got 'x'"),
        (PAGE | {"data": [{}, [[]]]}, "data[1]: expected an object, got an array"),
        (
            {"data": [None], "has_more": 1},
            "data[0]: expected an object, got null (and 1 more)",
        ),
    ],
)
def test_page__refused(document: Any, complaint: str) -> None:
    """
    What is no page is refused, by the place of the first misfit.
    """
    assert _misfit(document) == complaint


def test_misfit__first_of_several() -> None:
    """
    The message points at the first misfit of a context, and counts the others in it.
    """
    assert _misfit_of(title=1, status=[], created_at="x") == (
        "data[3].created_at: expected an RFC 3339 timestamp, got 'x' (and 2 more)"
    )


def test_misfit__the_others_are_fine() -> None:
    """
    What fits is not counted, nor is what nobody knew.
    """
    fields = {
        "id": "1",
        "agent_id": None,
        "user_id": 5,
        "title": "fine",
        "source": None,
        "created_at": "2025-03-14T09:26:53Z",
        "updated_at": None,
        "context": [1],
        "extra": 5,
        "brand_new": {},
    }
    assert _misfit_of(**fields, completed_at=5) == (
        "data[3].completed_at: expected an RFC 3339 timestamp, got 5"
    )


def test_misfit__not_looked_for_in_later_contexts() -> None:
    """
    Nobody collects what is wrong with each of a million contexts.
    """
    document = {"data": [{}, *[1] * 100_000], "has_more": True}
    assert _misfit(document) == "data[1]: expected an object, got 1"


def test_misfit__words_that_look_like_a_place() -> None:
    """
    What came is not taken for a part of the message.
    """
    assert _misfit_of(created_at="x @ .data[0].id") == (
        "data[3].created_at: expected an RFC 3339 timestamp, got 'x @ .data[0].id'"
    )


def test_misfit__redacted_before_it_is_cut() -> None:
    """
    A text is shown as it is without the key, not even with the beginning of one.
    """
    text = "x" * 70 + "wk_secret_and_long"
    with pytest.raises(MisfitError) as caught:
        structure_page(
            {"data": [{"created_at": text}], "has_more": True},
            lambda text: text.replace("wk_secret_and_long", "[***]"),
        )
    assert str(caught.value) == (
        f"data[0].created_at: expected an RFC 3339 timestamp, got '{'x' * 70}[***]'"
    )


@given(
    document=strategies.pages(),
    where=st.sampled_from([*FIELD_NAMES, "data", "has_more", None]),
    value=strategies.json_values(),
)
def test_any_json__a_page_or_a_place(
    document: dict[str, Any], where: str | None, value: Any
) -> None:
    """
    Whatever stands in whichever place, there is a page, or a misfit with the place.
    """
    spoilt: Any = {**document, where: value} if where in document else value
    if where in FIELD_NAMES:
        spoilt = {**document, "data": [*document["data"], {where: value}]}
    complaint = _complaint(spoilt)
    assert complaint is None or PLACE.fullmatch(complaint)
    assert complaint is None or len(complaint) < 500
