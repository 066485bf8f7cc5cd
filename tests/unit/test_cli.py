"""The command line: what it accepts and lists, how it words errors, its streams."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import click
import pytest
from hypothesis import given, strategies as st

import wacht
from wacht import (
    AiExecutionContext,
    ExecutionContextListResponse,
    ListExecutionContextsOptions,
    WachtError,
    WalkProgress,
    cli,
)
from wacht.cli.commands import wacht as command
from wacht.cli.listing import Listing
from wacht.cli.output import delivered_output, report, wait_notices

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def parameters(*arguments: str) -> dict[str, Any]:
    return command.commands["list"].make_context("list", [*arguments]).params


def run_as_demo(monkeypatch: pytest.MonkeyPatch, body: Callable[[], object]) -> int:
    monkeypatch.setattr(command.commands["demo"], "callback", body)
    return cli.main(["demo"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:00:00", NOON),
        ("2026-03-01t12:00:00z", NOON),
        ("2026-03-01 14:00:00+02:00", NOON),
        ("2026-03-01 12:00:00 UTC", NOON),
        ("2d", timedelta(days=2)),
        ("12h", timedelta(hours=12)),
        ("030m", timedelta(minutes=30)),
    ],
)
def test_time__date_or_time_or_age(text: str, expected: datetime | timedelta) -> None:
    assert parameters("--since", text)["since"] == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "table"),
        (["--output", "a.csv"], "csv"),
        (["--output", "a.b.JSONL"], "jsonl"),
        (["--output", "a.json"], "json"),
        (["--output", "a.parquet"], "parquet"),
        (["--format", "csv", "--output", "a.json"], "csv"),
        (["--output", "a.txt", "--format", "table"], "table"),
    ],
)
def test_format__chosen(arguments: list[str], expected: str) -> None:
    if expected == "parquet":
        pytest.importorskip("pyarrow")
    assert parameters(*arguments)["format"] == expected


@pytest.mark.parametrize("missing", ["pandas", "pyarrow"])
def test_format__parquet_without_its_packages(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(click.UsageError, match="pip install pandas pyarrow"):
        parameters("--output", "a.parquet")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--since", "soon"], "'--since': expected a date, a time such as"),
        (["list", "--since", "2w"], "or an age such as 2d, 12h or 30m, got '2w'"),
        (["list", "--since", f"{10**9}d"], "or an age such as 2d, 12h or 30m, got '1"),
        (["list", "--limit", "0"], "'--limit': 0 is not in the range"),
        (["list", "--prefetch=101"], "101 is not in the range 0<=x<=100"),
        (["list", "--deadline", "0"], "0.0 is not in the range x>0"),
        (["list", "--format", "parquet"], "'--format': parquet needs --output"),
        (["list", "--output", "a.xlsx"], "'a.xlsx' doesn't end in .csv, .json, "),
        (["list", "--output", "a.table"], "'a.table' doesn't end in .csv, "),
        (["list", "--output", "."], "'--output': File '.' is a directory"),
        (["sandbox", "--port", "65536"], "'--port': 65536 is not in the range"),
        (["nothing"], "No such command 'nothing' (see wacht --help)"),
    ],
)
def test_arguments__wrong(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    out, line = capsys.readouterr()
    assert out == ""
    assert words in line
    assert line.startswith("wacht: ")
    assert line.endswith("--help)\n")


@pytest.mark.parametrize("line", ["--api-key wk_live", "list --api-key=wk_live"])
def test_arguments__no_key(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(line.split()) == 2
    out, message = capsys.readouterr()
    assert "others on this machine can read arguments: set WACHT_API_KEY" in message
    assert "wk_live" not in out + message


def test_arguments__version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-V"]) == 0
    assert capsys.readouterr() == (f"wacht {wacht.__version__}\n", "")


def test_completion__in_bash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_WACHT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "wacht list --format js")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert cli.main([]) == 0
    assert capsys.readouterr().out == "plain,json\nplain,jsonl\n"


def test_status__that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    """The service may know it: new ones come without notice."""
    assert parameters("--status", "faild")["status"] == "faild"
    assert capsys.readouterr().err == (
        "wacht: no such status is known: 'faild'; known are idle, running, "
        "waiting_for_input, interrupted, completed, failed\n"
    )
    parameters("--status", "failed")
    assert capsys.readouterr().err == ""


def test_output__dash_is_the_standard_output() -> None:
    assert parameters("--output", "-")["output"] is None


def test_help__of_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == cli.main(["-h"]) == 0
    assert capsys.readouterr().out.count("List execution contexts, each once.\n") == 2


def test_help__examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "--help"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for example in [line for line in lines if line.startswith("wacht ")]:
        parameters(*shlex.split(example.partition("|")[0])[2:])


NO_KEY = wacht.ConfigError("no API key: set WACHT_API_KEY or pass api_key")
NETWORK = "check the network, HTTPS_PROXY and REQUESTS_CA_BUNDLE"


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (wacht.RequestError("no"), 1, f"no; {NETWORK}"),
        (NO_KEY, 1, "t: no API key: set WACHT_API_KEY; `wacht demo` needs no key"),
        (wacht.ConfigError("use https"), 1, "wacht: use https"),
        (wacht.ApiError(404, "X or base_url, and path"), 1, "404 Not Found: X"),
        (wacht.DecodeError("X or base_url"), 1, "wacht: X"),
        (wacht.PaginationError("exhaustive=False"), 1, "wacht: --no-exhaustive"),
        (wacht.BadRequestError(400, "page=no"), 1, ": 400 Bad Request: page=no"),
        (wacht.InvalidRequestError("prefetch: -1"), 2, "wacht: prefetch: -1"),
        (KeyboardInterrupt(), 130, "wacht: interrupted"),
    ],
)
def test_main__error(
    error: BaseException,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    assert run_as_demo(monkeypatch, fail) == status
    out, message = capsys.readouterr()
    assert out == ""
    assert message.startswith("wacht: ")
    assert message.endswith(f"{words}\n")


class FullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("stdout", "words"), [(None, "Bad file descriptor"), (FullDisk(), "No space left")]
)
def test_main__unusable_output(
    stdout: io.StringIO | None,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdout", stdout)
    assert run_as_demo(monkeypatch, lambda: None) == 1
    monkeypatch.undo()
    message = f"wacht: cannot write to the standard output: {words}"
    assert capsys.readouterr().err.startswith(message)


def test_main__unusable_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", FullDisk())
    assert cli.main(["nothing"]) == 2


def test_main__reader_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        status = run_as_demo(monkeypatch, lambda: sys.stdout.write("text"))
        monkeypatch.undo()
    assert status == 141
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_import__without_the_extra(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert cli.main(["demo"]) == 1
    assert capsys.readouterr().err == (
        f"wacht: the command needs {missing}: install the extra `cli`, in a clone "
        "with pip install -e '.[cli]'\n"
    )


def test_report__one_safe_line(capsys: pytest.CaptureFixture[str]) -> None:
    report("no\r\nsuch \x1b[2J thing")
    assert capsys.readouterr().err == "wacht: no\\r\\nsuch \\x1b[2J thing\n"


def test_output__any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\r\n")
    monkeypatch.setattr(sys, "stdout", stream)
    with delivered_output():
        sys.stdout.write("ü\ud800\n")
    assert stream.buffer.getvalue() == b"\\xfc\\ud800\n"  # type: ignore[attr-defined]


def test_output__interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(KeyboardInterrupt), delivered_output():  # noqa: PT012 - all of it
            stream.write("half a row")
            raise KeyboardInterrupt
        monkeypatch.undo()
    with os.fdopen(reading, "rb") as reader:
        assert reader.read() == b""


def test_notices__each_wait_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    notice = wait_notices(always=True)
    notice(WalkProgress(pages=1))
    for seconds in (41.0, 41.9, 42.0):
        notice(WalkProgress(waiting=seconds, reason="rate limit", contexts=9_000))
    now = 142.0
    notice(WalkProgress(waiting=1.0, reason="the service answered 503"))
    assert capsys.readouterr().err == (
        "wacht: waiting 41 s: rate limit; 9,000 contexts in this run\n"
        "wacht: waiting 42 s: rate limit; 9,000 contexts in this run\n"
        "wacht: waiting 1 s: the service answered 503; 0 contexts in this run\n"
    )


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_notices__none_without_a_terminal(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    assert wait_notices(always=False) is None


def listing_of(*arguments: str) -> Listing:
    return Listing(parameters(*arguments))


def listed(
    pages: Iterable[ExecutionContextListResponse], *arguments: str
) -> tuple[Listing, list[str]]:
    file = io.StringIO()
    listing = listing_of("--format", "jsonl", *arguments)
    listing.write(pages, file)
    return listing, [json.loads(line)["id"] for line in file.getvalue().splitlines()]


def walk(sizes: list[int], asked: list[int]) -> Iterator[ExecutionContextListResponse]:
    ids = iter(range(sum(sizes)))
    for number, size in enumerate(sizes):
        asked.append(number)
        data = [AiExecutionContext(id=str(next(ids))) for _ in range(size)]
        resume = ListExecutionContextsOptions(page=4, per_page=50)
        yield ExecutionContextListResponse(data, has_more=True, resume=resume)


@given(st.lists(st.integers(0, 4)), st.none() | st.integers(1, 12))
def test_listing__limit(sizes: list[int], limit: int | None) -> None:
    asked: list[int] = []
    options = [f"--limit={limit}"] if limit else []
    listing, ids = listed(walk(sizes, asked), *options)
    assert ids == [str(number) for number in range(sum(sizes))][:limit]
    assert listing.count == len(ids)
    assert sum(sizes[: len(asked) - 1]) < (limit or 1_000)


def test_listing__since() -> None:
    hour = timedelta(hours=1)
    times = {"a": NOON - hour, "b": NOON, "c": None, "d": NOON + hour}
    data = [AiExecutionContext(id=id_, created_at=at) for id_, at in times.items()]
    pages = [ExecutionContextListResponse(data, has_more=False)]
    listing, ids = listed(pages, "--since", "2026-03-01T12:00:00Z")
    assert ids == ["b", "d"]
    assert listing.count == 2


def test_listing__nested_too_deep() -> None:
    """Threads that read ahead can decode what the one that writes can't encode."""
    deep: Any = reduce(lambda inner, _: [inner], range(100_000), [])
    data = [AiExecutionContext(context=deep)]
    with pytest.raises(WachtError, match="nested too deep to be written"):
        listed([ExecutionContextListResponse(data, has_more=False)])


@pytest.mark.parametrize(
    ("sizes", "arguments", "notes"),
    [
        ([], [], []),
        ([1], [], ["1 context listed before that; a listing with --output can go on"]),
        ([1], ["--output=f"], ["nothing was written to f"]),
    ],
)
def test_notes__how_far_it_came(
    sizes: list[int], arguments: list[str], notes: list[str]
) -> None:
    listing, _ = listed(walk(sizes, []), *arguments)
    assert list(listing.notes()) == notes


def identity(*arguments: str) -> str:
    return listing_of("--since=2d", *arguments)._identity()


def test_identity__of_service_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version may write other columns."""
    seen = [identity()]
    for name in ("WACHT_API_KEY", "WACHT_BASE_URL"):
        monkeypatch.setenv(name, "other")
        seen.append(identity())
    monkeypatch.setattr("wacht.cli.listing.__version__", "0.0")
    assert len({*seen, identity()}) == 4


def test_identity__of_the_command() -> None:
    """An age is compared, not the time that it means today."""
    assert identity("--prefetch=2", "--deadline=3", "--verbose") == identity()
    for arguments in (["--since=49h"], ["--limit=9"], ["--no-escape"]):
        assert identity(*arguments) != identity()
