"""Bigger presets over a real socket: the whole of every collection, and samples of every relation."""

import random

import pytest

from .conftest import Served
from .test_paths import TO_MANY

pytestmark = pytest.mark.parametrize("served", ["sandbox", "median"], indirect=True)


@pytest.mark.parametrize("version", ["v3.0", "v3.1"])
def test_whole_collections_are_served(served: Served, version: str) -> None:
    for collection, records in served.oracle.records.items():
        assert served.ids(f"/{version}/{collection}?limit=10000") == sorted(records)


def test_pages_of_any_size_add_up(served: Served) -> None:
    seen: list[str] = []
    path = "/v3.1/users?limit=997"
    while path:
        body = served.json(path)
        seen += [element["data"]["id"] for element in body["data"]]
        path = next((link["uri"] for link in body["links"] if link["rel"] == "next"), "")
    assert seen == sorted(served.oracle.users)


def test_samples_of_every_relation_are_joins_of_the_records(served: Served) -> None:
    chance = random.Random(7)
    for owner, name in TO_MANY:
        ids = list(served.oracle.records[owner])
        for record_id in chance.sample(ids, min(4, len(ids))):
            path = f"/v3.1/{owner}/{record_id}/{name}?limit=10000"
            assert served.ids(path) == served.oracle.relation(owner, name, record_id), path


def test_the_districts_beside_it_are_tiny(served: Served) -> None:
    for info in served.app.describe()[1:]:
        assert info.preset == "tiny"
        assert served.json("/v3.1/users?role=student&count=true", info.token)["count"] == 200
