"""
Feed the protocol the bytes that coverage leads to: atheris drives a unit test.

    python -m pip install -e '.[test]' atheris
    python tests/fuzz/fuzz_protocol.py -max_total_time=300

Pytest does not collect it. The arguments are libFuzzer's; what breaks a promise is
written to a file `crash-…`, whose path, as the argument, runs it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))
with atheris.instrument_imports(include=["wacht", "email"]):
    from tests.unit import test_answers

test = test_answers.test_any_bytes__end_in_a_page_or_an_error
atheris.Setup(sys.argv, test.hypothesis.fuzz_one_input)
atheris.Fuzz()
