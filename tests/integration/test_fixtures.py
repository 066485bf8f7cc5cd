"""The fixtures as pytest finds them, in a run of its own."""

from __future__ import annotations

from pathlib import Path

from tests.processes import output_of

TESTS = """
import os, sys
import pytest


def test_start__imports_nothing():
    assert "pytest_wacht" in sys.modules
    assert "wacht" not in sys.modules


def test_sandbox__is_what_the_environment_names(wacht_sandbox):
    import wacht
    wacht_sandbox.hang_up()
    assert len(list(wacht.iter_execution_contexts())) == 250
    with wacht.Session() as session:
        assert len(list(session.iter_execution_contexts())) == 250
    assert len(wacht_sandbox.requests) == 4 + 3


def test_sandbox__leaves_nothing_behind():
    import wacht
    assert "WACHT_BASE_URL" not in os.environ
    with pytest.raises(wacht.ConfigError, match="no API key"):
        wacht.fetch_execution_contexts()
    assert wacht.Session("k")._endpoint._throttle.idle  # a real one
"""


def test_fixtures__in_a_run_of_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_fixtures.py").write_text(TESTS, encoding="utf-8")
    options = ["-q", "-W", "error", "--rootdir", "."]
    output_of("-m", "pytest", *options, cwd=tmp_path)
