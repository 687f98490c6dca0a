"""Every edge of the graph once more from memory: the same answer without a call, decoded and packed."""

from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import httpx
import msgspec
import pytest

from gateway.access.executor import Access
from gateway.access.source import Source
from gateway.cache.rows import DecodedRows, packed
from gateway.cache.shelf import Shelf
from gateway.clever.allowance import Allowance
from gateway.clever.client import CleverClient
from gateway.clever.events import CallSent
from gateway.engine.executor import Engine, Request
from gateway.identity import Tenant
from gateway.loaders import Loaders
from gateway.schema.build import build_schema
from gateway.schema.context import Context
from tests.conftest import TOKEN, Upstream
from tests.schema.test_relations import ALL, EDGES, Edge


@cache
def engine() -> Engine:
    return Engine(build_schema()._schema)


class Remembering:
    """A gateway without its edge, in the process of its upstream: it remembers, and counts its calls."""

    def __init__(self, client: CleverClient, sent: list[CallSent]) -> None:
        self.shelf = Shelf(100_000_000)
        self._source = Source(client, self.shelf)
        self._sent = sent

    async def ask(self, query: str) -> tuple[Any, int]:
        """Answer a query that must not fail; return what it says and the calls that it took."""
        self._sent.clear()
        allowance = Allowance(30, 1200)
        access = Access(self._source, Tenant(TOKEN), allowance)
        answer = await engine().execute(engine().prepare(Request(query)), Context("v3.1", Loaders(access), allowance))
        assert not answer.errors, answer.errors
        assert access.report()["cost"]["calls"] == len(self._sent)
        return msgspec.json.decode(b"".join(answer.chunks())), len(self._sent)

    def pack(self) -> None:
        for entry in self._source.roster(Tenant(TOKEN)).entries.values():
            if isinstance(entry.rows, DecodedRows) and len(entry.rows):
                entry.rows = packed(entry.resource.record, entry.rows)


@pytest.fixture
async def remembering(upstream: Upstream) -> AsyncIterator[Remembering]:
    sent: list[CallSent] = []
    transport = httpx.ASGITransport(upstream.app)
    async with CleverClient("http://sandbox", "v3.1", transport=transport, on_call=sent.append) as client:
        yield Remembering(client, sent)


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.name)
async def test_an_edge_is_answered_from_memory(remembering: Remembering, edge: Edge) -> None:
    inner = f"{{ parent: cleverId {edge.selection} }}"
    query = (
        f"{{ districts {inner} }}"
        if edge.collection == "districts"
        else f"{{ {edge.collection}({ALL}) {{ totalCount nodes {inner} }} }}"
    )
    cold, calls = await remembering.ask(query)
    assert calls > 0
    assert await remembering.ask(query) == (cold, 0)
    remembering.pack()
    assert await remembering.ask(query) == (cold, 0)


async def test_windows_and_sizes_are_cut_from_what_is_remembered(remembering: Remembering) -> None:
    everyone, _ = await remembering.ask("{ users(first: 10000) { totalCount edges { cursor node { cleverId } } } }")
    edges = everyone["data"]["users"]["edges"]
    ids = [edge["node"]["cleverId"] for edge in edges]
    middle = f'"{edges[100]["cursor"]}"'
    expected = {
        "first: 3": ids[:3],
        "last: 3": ids[-3:],
        "first: 0": [],
        f"first: 2, after: {middle}": ids[101:103],
        f"last: 2, before: {middle}": ids[98:100],
    }
    for arguments, rows in expected.items():
        answer, calls = await remembering.ask(f"{{ users({arguments}) {{ totalCount nodes {{ cleverId }} }} }}")
        users = answer["data"]["users"]
        assert [node["cleverId"] for node in users["nodes"]] == rows
        assert users["totalCount"] == len(ids)
        assert calls == 0


async def test_what_one_query_brought_serves_another(remembering: Remembering) -> None:
    await remembering.ask(
        "{ sections(first: 10000) { nodes { students { nodes { cleverId } } } } schools { nodes { name } } }"
    )
    answer, calls = await remembering.ask(
        "{ schools { nodes { sections(first: 1) { nodes { name students(first: 1) { nodes { name { last } } } } } } } }"
    )
    assert len(answer["data"]["schools"]["nodes"]) == 2
    assert calls == 0
