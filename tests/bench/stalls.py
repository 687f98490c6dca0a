"""The longest time that a large answer keeps the event loop from everybody else.

    python -m tests.bench.stalls [--objects 100000]

Others' work is a task that does nothing but ask for its turn; the longest wait for it is printed, with the answer's size
and the time it took. Nothing goes upstream.
"""

import argparse
import asyncio
import time

from gateway.engine.executor import Engine, Request
from gateway.schema.build import build_schema
from tests.bench.engine import Memory, context

FIELDS = "nodes { id cleverId email name { first last } student { grade gender sisId } }"


class Turns:
    """Waits for its turn over and over; `longest` is in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            self.longest = max(self.longest, now - last)
            last = now

    def stop(self) -> None:
        self._task.cancel()


async def measure(objects: int) -> None:
    """Answer a few times and print each."""
    memory, engine = Memory(), Engine(build_schema()._schema)
    parts = " ".join(f"a{number}: users(first: 2000) {{ {FIELDS} }}" for number in range(max(1, objects // 2_000)))
    prepared = engine.prepare(Request(f"{{ {parts} }}"))
    for _ in range(5):
        turns = Turns()
        await asyncio.sleep(0)
        started = time.perf_counter()
        answer = await engine.execute(prepared, context(memory))
        size = sum(map(len, answer.chunks()))
        took = time.perf_counter() - started
        del answer
        await asyncio.sleep(0)
        turns.stop()
        print(
            f"{objects} objects, {size / 1e6:.1f} MB, {took * 1000:.0f} ms, longest stall {turns.longest * 1000:.1f} ms"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    asyncio.run(measure(parser.parse_args().objects))


if __name__ == "__main__":
    main()
