"""What documents cost: the first time, when they are known, and in memory over many different ones.

    python -m tests.bench.documents [--documents 100000]

Prints the resident memory while ever new documents are parsed, checked, compiled and run. It grows until the bounds
of the caches are met, and must be flat from then on.
"""

import argparse
import asyncio
import gc
import time
from pathlib import Path

from gateway.engine.executor import Engine, Request
from gateway.schema.build import build_schema
from tests.bench.engine import Memory, context

PAGE = 4096


def resident() -> float:
    """Return the process's resident memory in megabytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE / 1e6


def document(number: int) -> str:
    """Return a document like no other."""
    return f"query Q{number} {{ a{number}: courses(first: 1) {{ nodes {{ b{number}: name cleverId }} }} }}"


async def measure(documents: int) -> None:
    """Send documents, each once, and print ten times how it goes; then send the last one again."""
    memory, engine = Memory(), Engine(build_schema()._schema)
    each = max(1, documents // 10)
    print(f"{'documents':>10} {'MB':>7} {'us/document':>12}")
    for start in range(0, documents, each):
        began = time.perf_counter()
        for number in range(start, start + each):
            await engine.execute(engine.prepare(Request(document(number))), context(memory))
        took = (time.perf_counter() - began) / each
        gc.collect()
        print(f"{start + each:>10} {resident():>7.1f} {took * 1e6:>12.0f}", flush=True)
    began = time.perf_counter()
    for _ in range(1_000):
        engine.prepare(Request(document(documents - 1)))
    print(f"a known document: {(time.perf_counter() - began) * 1e3:.1f} us")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    asyncio.run(measure(parser.parse_args().documents))


if __name__ == "__main__":
    main()
