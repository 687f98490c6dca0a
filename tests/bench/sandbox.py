"""How long the sandbox takes for a page of up to 10,000 records that nobody has asked for before.

    python -m tests.bench.sandbox [--preset large] [--passes 1]

Walks whole collections in pages of 10,000, in both versions and by role, and of each kind of sub-list the longest
ones. A time is that of making the answer (status, headers, body with its etag), without sending it. Nothing is kept
between passes. Prints pages, the largest one, and worst and median milliseconds for each kind.
"""

import argparse
import gc
import re
import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.sandbox import PRESETS, SandboxApp, create_app
from gateway.sandbox.memo import PageMemo
from gateway.sandbox.paging import NO_QUERY
from gateway.sandbox.routes import ROUTES
from gateway.sandbox.tables import VERSIONS

TOKEN = "TEST_TOKEN"
LARGEST = "limit=10000"
NEXT = re.compile(rb'"rel":"next","uri":"[^"?]*\?([^"]*)"')
# Of each kind of sub-list, so many of the longest ones, found among so many owners.
LONGEST, OWNERS = 3, 2_000


def kinds(app: SandboxApp) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Name every kind of page, with the lists to walk for it: path below the version, and query."""
    world = app._worlds[TOKEN]
    for route in ROUTES:
        if route.many is None:
            continue
        if not route.owner:
            for role in ("", *route.roles):
                query = f"role={role}&{LARGEST}" if role else LARGEST
                yield f"{route.template[1:]} {role}".rstrip(), [(route.template, query)]
            continue
        owners = world.tables[route.owner]
        step = max(1, len(owners) // OWNERS)
        sizes = {at: len(route.many(world, at, NO_QUERY)) for at in range(0, len(owners), step)}
        longest = sorted(sizes, key=sizes.__getitem__)[-LONGEST:]
        yield route.template[1:], [(route.template.replace("{id}", owners.ids[at]), LARGEST) for at in longest]


def timed(app: SandboxApp, path: str, query: str) -> tuple[float, bytes]:
    """Ask for a page; return milliseconds and body."""
    headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "headers": headers}
    scope["query_string"] = query.encode()
    started = time.perf_counter()
    status, _, body = app.respond(scope)
    taken = (time.perf_counter() - started) * 1000
    assert status == 200, body
    return taken, body


def walked(app: SandboxApp, path: str, query: str) -> Iterator[tuple[float, int]]:
    """Walk a list by its `next` links; yield milliseconds and bytes of each page."""
    following = query
    while following:
        taken, body = timed(app, path, following)
        yield taken, len(body)
        tail = body[-1000:] + body[:1000]
        found = NEXT.search(tail)
        following = found[1].decode() if found else ""


def measure(app: SandboxApp, lists: Mapping[str, list[tuple[str, str]]]) -> None:
    """Print a line for each kind of page."""
    print(f"{'version':<8} {'pages of':<28} {'pages':>5} {'largest':>9} {'worst':>9} {'median':>9}")
    worst = 0.0
    for version in VERSIONS:
        for kind, paths in lists.items():
            pages = [page for path, query in paths for page in walked(app, f"/{version}{path}", query)]
            times, sizes = zip(*pages, strict=True)
            worst = max(worst, *times)
            print(
                f"{version:<8} {kind:<28} {len(pages):>5} {max(sizes) / 1e6:>6.1f} MB {max(times):>6.1f} ms "
                f"{statistics.median(times):>6.1f} ms"
            )
    print(f"worst of all: {worst:.1f} ms")


def main() -> None:
    """Make a sandbox and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="large", choices=PRESETS)
    parser.add_argument("--passes", type=int, default=1)
    options = parser.parse_args()
    started, worked = time.perf_counter(), time.process_time()
    app = create_app(options.preset, rate_limit=None)
    taken, worked = time.perf_counter() - started, time.process_time() - worked
    print(f"start of {options.preset}: {taken:.1f} s, of which {worked:.1f} s are this process's own")
    gc.freeze()  # as the command does
    lists = dict(kinds(app))
    for _ in range(options.passes):
        app._memo = PageMemo()
        measure(app, lists)


if __name__ == "__main__":
    main()
