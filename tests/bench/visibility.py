"""What it costs to cut the graph to a viewer: CPU of a teacher's queries against the same data in pass-through.

    python -m tests.bench.visibility

Q3 is the roster of a school with everybody in its sections: scoped, it holds the teacher's own sections alone, so that
the fair comparison is the second one, in which both answers are the same bytes. Scoped and not,
a query takes turns run by run, so that what else the machine does falls on both; the garbage collector is set as
`serve` sets it, or it would go through the sandbox in this process again and again.
"""

import asyncio
import statistics
import time
from collections.abc import Callable

from gateway.access.executor import Access
from gateway.access.scoped import ScopedAccess
from gateway.access.sight import Sight
from gateway.app import open_client, open_engine, open_persisted, open_source
from gateway.clever.allowance import Allowance
from gateway.cli.serving import settle
from gateway.engine.executor import Request
from gateway.identity import Tenant, Viewer
from gateway.loaders import Loaders
from gateway.observability.metrics import Metrics
from gateway.sandbox import create_app as create_sandbox
from gateway.schema.context import Context
from gateway.settings import Settings
from tests.conftest import TOKEN, Upstream
from tests.servers import running

TIMES = 600
SECTIONS = (
    "sections(first: 10000) { nodes { id: cleverId name teachers { id: cleverId name { first last } } "
    "students(first: 10000) { nodes { id: cleverId name { first last } student { grade } } } } }"
)
Q3 = f"query ($id: ID!) {{ school(id: $id) {{ id: cleverId name {SECTIONS} }} }}"
OWN = f"query ($id: ID!) {{ user(id: $id) {{ id: cleverId {SECTIONS} }} }}"
QUERIES = {"Q3": Q3, "own sections": OWN}

Open = Callable[[Allowance], tuple[Access, Loaders]]


async def measure(origin: str, teacher: str, school: str) -> None:
    """Run all four in turn and print medians and ratios."""
    settings = Settings(clever_url=origin)
    async with open_client(settings) as client:
        source = open_source(settings, client)
        engine = open_engine(settings, open_persisted(settings), Metrics())
        tenant = Tenant(TOKEN, "a-district")

        def plain(allowance: Allowance) -> tuple[Access, Loaders]:
            access = Access(source, tenant, allowance)
            return access, Loaders(access)

        def scoped(allowance: Allowance) -> tuple[Access, Loaders]:
            access = Access(source, tenant, allowance)
            return access, Loaders(ScopedAccess(access, Sight(access, Viewer(teacher))))

        async def run(open_access: Open, document: str, key: str) -> tuple[int, int]:
            allowance = Allowance(60, 1200)
            access, loaders = open_access(allowance)
            try:
                prepared = engine.prepare(Request(document, None, {"id": key}))
                answer = await engine.execute(prepared, Context("v3.1", loaders, allowance))
                return sum(map(len, answer.chunks())), allowance.used
            finally:
                access.close()

        cases = {
            f"{name}, {who}": (open_access, document, teacher if name == "own sections" else school)
            for name, document in QUERIES.items()
            for who, open_access in (("teacher", scoped), ("pass-through", plain))
        }
        sizes = {name: await run(*case) for name, case in cases.items()}
        spent: dict[str, list[float]] = {name: [] for name in cases}
        settle()
        for query in QUERIES:
            for _ in range(TIMES):
                for name in (f"{query}, teacher", f"{query}, pass-through"):
                    began = time.thread_time()
                    await run(*cases[name])
                    spent[name].append((time.thread_time() - began) * 1000)
        await source.aclose()
    for name, (size, calls) in sizes.items():
        print(f"{name:28} {statistics.median(spent[name]):7.3f} ms CPU   {size:8,} bytes   {calls:3} calls when new")
    for name in QUERIES:
        pairs = zip(spent[f"{name}, teacher"], spent[f"{name}, pass-through"], strict=True)
        print(f"{name}: {statistics.median(a / b for a, b in pairs):.2f}x pass-through")


def main() -> None:
    """Serve a district and measure the teacher with the most sections."""
    app = create_sandbox("sandbox", rate_limit=None)
    with running(app) as origin:
        joins = Upstream(origin, app).oracle()
        teachers = [key for key, user in joins.users.items() if set(user["roles"]) == {"teacher"}]
        teacher = max(teachers, key=lambda key: len(joins.user_sections(key)))
        asyncio.run(measure(origin, teacher, joins.users[teacher]["roles"]["teacher"]["school"]))


if __name__ == "__main__":
    main()
