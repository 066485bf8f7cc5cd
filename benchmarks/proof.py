"""What the proof of a walk costs in requests: `python benchmarks/proof.py`."""

from __future__ import annotations

from wacht.sandbox import Sandbox

SIZES = (250, 1_000, 3_000, 10_000)


def counted(sandbox: Sandbox, *, exhaustive: bool) -> int:
    before = len(sandbox.requests)
    with sandbox.session(pagination=sandbox.revision) as session:
        walk = session.iter_execution_contexts(exhaustive=exhaustive)
        assert sum(1 for _ in walk) == len(sandbox.contexts)
    return len(sandbox.requests) - before


def main() -> None:
    print("| contexts | by page: plain | proof | by offset: plain | proof |")
    print(f"{'|---' * 5}|")
    for size in SIZES:
        cells = []
        for revision in ("page", "offset"):
            with Sandbox(size, revision=revision) as sandbox:
                cells += [counted(sandbox, exhaustive=proof) for proof in (False, True)]
        print(f"| {size:,} | {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
