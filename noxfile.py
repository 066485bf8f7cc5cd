"""
The checks, each in an environment of its own.

`nox` runs those that `.ci/run` runs, `nox -s NAME` one of them, and `nox --list` names
them all. They need nox with uv:

    python -m pip install 'nox[uv]'
"""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
OLDEST, NEWEST_HERE = "3.11", "3.13"  # 3.14 is tested by the workflows
USER_SCRIPT = Path("tests/typing/user_script.py").resolve()

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "layers", "types", "docs", "package", "browser"]


@nox.session(python=PYTHONS)
@nox.parametrize("versions", [nox.param(v, id=v) for v in ("oldest", "newest")])
def tests(session: nox.Session, versions: str) -> None:
    """Run the tests with the oldest or the newest versions that we support."""
    arguments = session.posargs
    if versions == "oldest":
        session.env["UV_CONSTRAINT"] = None  # CI's, which pins newer ones
        lowest = "--resolution=lowest-direct"
        session.install("-e", ".[cli,notebook,speed]", lowest)
        arguments = ["--hypothesis-profile=quick", *arguments]  # enough for versions
    session.install("-e", ".[test]")  # keeps what is there and new enough
    session.run("python", "-X", "dev", "-m", "pytest", *arguments)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and workflows."""
    session.install("--group", "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("zizmor", "--offline", "--no-progress", "--pedantic", ".")


@nox.session
def layers(session: nox.Session) -> None:
    """Check that imports point down."""
    session.install("-e", ".[cli,notebook,speed]", "--group", "layers")
    session.run("lint-imports", "--no-logo")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, and that a script in another folder sees them."""
    session.install("-e", ".[cli,notebook,speed]", "--group", "types")
    session.run("mypy")
    session.run("mypy", "--platform=win32")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "wacht", "--ignoreexternal")
    with session.chdir(session.create_tmp()):
        session.run("mypy", "--strict", "--cache-dir=mypy", str(USER_SCRIPT))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, with every warning an error."""
    session.install("-e", ".[cli,notebook]", "--group", "docs")
    site = session.posargs or [str(Path(session.create_tmp(), "site"))]
    session.run("sphinx-build", "-q", "-W", "-n", "-b", "html", "docs", *site)


@nox.session
def browser(session: nox.Session) -> None:
    """Run what needs more packages: examples, notebook, libraries, a real browser."""
    groups = [f"--group={name}" for name in ("browser", "examples", "libraries")]
    session.install("-e", ".[test]", *groups)
    files = ["unit/test_dataframe", "integration/test_documentation"]
    files += ["integration/test_notebook", "integration/test_browser"]
    files += ["integration/test_other_libraries", "integration/test_sync_recipes"]
    paths = [f"tests/{file}.py" for file in files]
    report = str(session.run("python", "-m", "pytest", "-n0", *paths, silent=True))
    session.log(report)
    if " skipped" in report.splitlines()[-1]:
        session.error("nothing may be skipped here")


@nox.session
def package(session: nox.Session) -> None:
    """Build the package, check it, and run it on the oldest and the newest Python."""
    session.install("--group", "package")
    dist = Path(session.create_tmp(), "dist").resolve()
    build = ["python", "-m", "build", "--installer=uv", f"--outdir={dist}"]
    session.run(*build, silent=True)
    files = sorted(dist.iterdir())
    session.run("twine", "check", "--strict", *map(str, files))
    session.run("check-wheel-contents", str(dist))
    session.run("check-manifest", "--no-build-isolation")
    for file in files:
        for python in (OLDEST, NEWEST_HERE):
            alone = ["uv", "run", "--isolated", "--no-project", f"--python={python}"]
            wacht = ["--with", f"wacht[cli] @ {file.as_uri()}", "wacht"]
            session.run(*alone, *wacht, "demo", silent=True)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Look for an answer that ends in anything but a page or one of our errors."""
    session.install("-e", ".[test]", "--group", "fuzz")
    limits = session.posargs or ["-max_total_time=300"]
    session.run("python", "tests/fuzz/fuzz_protocol.py", *limits)


@nox.session
def walks(session: nox.Session) -> None:
    """Walk through lists that change at random, until it is stopped."""
    session.install("-e", ".[test]")
    session.run("python", "tests/random_lists.py", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """
    Change the code place by place, and list the changes that no test notices.

    The arguments are the file to change and words in the names of the tests to run;
    without them, all files in `[tool.mutmut]` of `pyproject.toml` and all their tests.
    """
    session.install("-e", ".[test]", "--group", "mutation")
    file, *words = session.posargs or ["wacht/*"]
    mutants = file.removesuffix(".py").replace("/", ".") + ".*"
    select = f"-k '{' or '.join(words)}'"
    environment = {"CI": "1", "PYTEST_ADDOPTS": select}  # the same examples each time
    rmtree("mutants", ignore_errors=True)  # it may hold tests that are gone
    session.run("mutmut", "run", mutants, env=environment)
    report = str(session.run("mutmut", "results", silent=True))
    survivors = [line for line in report.splitlines() if "not checked" not in line]
    session.log("\n".join(["not killed:", *survivors]))
