"""`apikey`: a key that works, shown once, and an entry that holds its hash alone."""

import json

import pytest

from gateway.web.api_keys import hashed, read_entries
from tests.cli.conftest import Invoke

DISTRICT = "58da8a43cc70ab00017a1a87"


def test_it_prints_a_new_key_and_its_entry(invoke: Invoke) -> None:
    options = ["--permission", "explain", "--permission", "refresh", "--expires", "2027-06-30"]
    said = [invoke("apikey", "reports", "--district", DISTRICT, *options) for _ in range(2)]

    keys = [one.out.splitlines()[1].strip() for one in said]
    entries = [json.loads(one.out.splitlines()[3]) for one in said]
    assert [(one.status, one.err) for one in said] == [(0, "")] * 2
    assert keys[0] != keys[1]
    assert entries[0] == {
        "name": "reports",
        "sha256": hashed(keys[0]),
        "district": DISTRICT,
        "permissions": ["explain", "refresh"],
        "expires": "2027-06-30",
    }
    assert keys[0] not in said[0].out.replace(keys[0], "", 1)
    assert read_entries(json.dumps([entries[0]]).encode()).keys() == {hashed(keys[0])}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reports", "--district", "x"], "the district is not Clever's id of one"),
        (["", "--district", DISTRICT], "the key has no name that can be logged"),
        (["reports", "--district", DISTRICT, "--permission", "all"], "there are: explain, refresh"),
        (["reports", "--district", DISTRICT, "--expires", "soon"], "2027-06-30"),
    ],
    ids=str,
)
def test_what_cannot_be_an_entry_is_refused(invoke: Invoke, arguments: list[str], words: str) -> None:
    said = invoke("apikey", *arguments)

    assert (said.status, said.out) == (2, "")
    assert words in said.err
    assert len(said.err.splitlines()) == 1
