"""The same seed gives the same bytes, in any process."""

import os
import subprocess
import sys
from pathlib import Path

from gateway.sandbox import create_app

from .conftest import app_of

ROOT = Path(__file__).resolve().parents[2]
DIGEST = """
import hashlib
from gateway.sandbox import create_app
app = create_app("tiny", 3, rate_limit=None)
digest = hashlib.sha256()
for version in ("v3.0", "v3.1"):
    for token in ("TEST_TOKEN", "TEST_TOKEN_2", "TEST_TOKEN_3"):
        for path in ("districts", "schools", "terms", "courses", "sections", "users", "resources"):
            digest.update(app.respond({
                "type": "http", "method": "GET", "path": f"/{version}/{path}",
                "query_string": b"limit=10000",
                "headers": [(b"authorization", b"Bearer " + token.encode())],
            })[2])
digest.update(repr((app.user_tokens, app.describe())).encode())
print(digest.hexdigest())
"""


def digest_under(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True, timeout=50
    )
    return ran.stdout


def test_two_processes_with_different_hash_seeds_answer_the_same_bytes() -> None:
    first, second = digest_under("1"), digest_under("4242")
    assert first == second
    assert len(first.strip()) == 64


def test_another_seed_is_another_district() -> None:
    names = [app_of("tiny", seed).describe()[0].name for seed in (1, 2, 3)]
    assert len(set(names)) == 3


def test_a_tiny_district_does_not_depend_on_the_size_of_the_first() -> None:
    assert app_of("tiny").records("TEST_TOKEN_2") == app_of("sandbox").records("TEST_TOKEN_2")


def test_ids_do_not_change_with_the_number_of_districts() -> None:
    alone = create_app("tiny", 1, districts=1, rate_limit=None)
    assert alone.records("TEST_TOKEN") == app_of("tiny").records("TEST_TOKEN")


def test_records_handed_out_are_copies() -> None:
    app = app_of("tiny")
    next(iter(app.records("TEST_TOKEN")["users"].values()))["name"] = "changed"
    assert all(user["name"] != "changed" for user in app.records("TEST_TOKEN")["users"].values())
