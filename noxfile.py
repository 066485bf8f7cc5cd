"""
The tests on each Python of the machine, with the oldest and the newest versions.

    python -m pip install nox && nox
"""

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
@nox.parametrize("versions", ["oldest", "newest"])
def tests(session: nox.Session, versions: str) -> None:
    """
    Run the tests with every warning an error, in Python's development mode.
    """
    constraints = ["-c", ".ci/oldest.txt"] if versions == "oldest" else []
    session.install("-e", ".[test]", *constraints)
    session.run("python", "-X", "dev", "-W", "error", "-m", "pytest", *session.posargs)
