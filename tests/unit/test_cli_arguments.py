"""
The command line takes what it promises, says no in one line, and can be said again.
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wacht import __version__
from wacht._cli_arguments import command_line, parsed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def complaint_about(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> tuple[object, str]:
    with pytest.raises(SystemExit) as caught:
        parsed(arguments)
    out, complaint = capsys.readouterr()
    assert out == ""
    return caught.value.code, complaint


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:00:00", NOON),
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01t12:00:00z", NOON),
        ("2026-03-01 14:00:00+02:00", NOON),
        ("2026-03-01 12:00:00 UTC", NOON),  # as our own table has it
        ("2026-03-01T12:00:00.000Z", NOON),
    ],
)
def test_since__date_or_time(text: str, meant: datetime) -> None:
    """A time is RFC 3339 or a date, and in UTC unless it says otherwise."""
    assert parsed(["list", "--since", text]).since == meant


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--since", "soon"], "--since: expected a time such as 2026-03-01T1"),
        (["list", "--limit", "0"], "--limit: expected a whole number from 1 to"),
        (["list", "--limit", "-1"], "--limit: expected"),
        (["list", "--limit", "ten"], "--limit: expected"),
        (["list", "--per-page", "101"], "--per-page: expected a whole number from 1 t"),
        (["list", "--page", "0"], "--page: expected"),
        (["list", "--prefetch", "101"], "from 0 to 100, got '101'"),
        (["list", "--deadline", "soon"], "--deadline: invalid float value: 'soon'"),
        (["list", "--format", "xml"], "--format: invalid choice: 'xml'"),
        (
            ["list", "--agent", "a"],
            "wacht list: unrecognized arguments: --agent a (see",
        ),
        (
            ["-v", "list"],
            "arguments: -v; what is for list goes behind it (see wacht li",
        ),
        (["sandbox", "--port", "65536"], "--port: expected a whole number from 0 to 6"),
        (["sandbox", "--per-second", "0"], "--per-second: expected"),
        (["sandbox", "--revision", "no"], "--revision: invalid choice: 'no'"),
        (["nothing"], "invalid choice: 'nothing'"),
        ([], "the following arguments are required: command"),
        (["list", "\x1b[2J\n"], r"unrecognized arguments: \x1b[2J\n"),
    ],
)
def test_parsed__wrong(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be meant is refused with status 2, in one harmless line."""
    status, complaint = complaint_about(arguments, capsys)
    assert status == 2
    assert words in complaint
    assert "--help" in complaint
    assert complaint.endswith("\n")
    assert complaint[:-1].isprintable()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--api-key", "wk_live"],
        ["--api-key=wk_live", "list"],
        ["list", "--api-key", "wk_live"],
        ["list", "--agent-id", "a", "--api-key=wk_live"],
        ["list", "--api-key"],
        ["demo", "--api-key", "wk_live"],
        ["sandbox", "--api-key", "wk_live"],
    ],
)
def test_parsed__no_key(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A key as an argument is refused, not repeated, and shown where it belongs."""
    status, complaint = complaint_about(arguments, capsys)
    assert status == 2
    assert "WACHT_API_KEY" in complaint
    assert "wk_live" not in complaint


def test_parsed__version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is that of the package."""
    with pytest.raises(SystemExit) as caught:
        parsed(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"wacht {__version__}\n"


@pytest.mark.parametrize("command", [[], ["demo"], ["list"], ["sandbox"]])
def test_parsed__help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The help of each command has examples, and the examples can be meant."""
    with pytest.raises(SystemExit) as caught:
        parsed([*command, "--help"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert "api-key" not in text
    examples = [line for line in text.splitlines() if line.startswith("  wacht ")]
    assert examples
    for example in examples:
        words = shlex.split(example.partition(">")[0].partition("|")[0])
        assert parsed(words[1:]).command in example


times = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30))])
)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
list_arguments = st.fixed_dictionaries(
    {},
    optional={
        "agent_id": texts,
        "status": texts | st.sampled_from(["-x", "--page", "a b", "it's"]),
        "since": times,
        "limit": st.integers(1, 500),
        "page": st.integers(1, 500),
        "per_page": st.integers(1, 100),
        "prefetch": st.integers(0, 100),
        "deadline": st.floats(0.1, 1e6),
        "pagination": st.sampled_from(["auto", "page", "offset"]),
        "format": st.sampled_from(["table", "json", "jsonl", "csv"]),
        "verbose": st.booleans(),
    },
)


@given(list_arguments)
def test_command_line__means_the_same(changes: dict[str, object]) -> None:
    """What is written for a shell is read as the arguments that it was written for."""
    arguments = parsed(["list"])
    words = shlex.split(command_line(arguments, **changes))
    assert words[:2] == ["wacht", "list"]
    assert vars(parsed(words[1:])) == {**vars(arguments), **changes}


def test_command_line__is_short() -> None:
    """Only what is not as usual is written, as one would write it."""
    arguments = parsed(["list", "--agent-id", "a 1", "-v", "--limit", "7"])
    assert command_line(arguments, page=3, limit=None) == (
        "wacht list --agent-id 'a 1' --page 3 --verbose"
    )
