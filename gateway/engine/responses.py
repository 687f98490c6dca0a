"""Responses: answers given again as they are, for as long as all data that they were made from is what is known.

An answer is found by the very bytes of its request, else by document, operation and variables; always for one tenant.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from gateway.access.evidence import Evidence
from gateway.cache.shelf import Roster
from gateway.engine.accounts import Account
from gateway.engine.answers import Answer
from gateway.engine.operations import Named
from gateway.engine.writing import Written
from gateway.identity import Tenant

# An answer that takes a larger share of the space would push out too many others.
_LARGEST_SHARE = 1 / 8
# What an answer takes in the tables beside its bytes and those of its keys.
_PLACE_BYTES = 500
_UNNAMED = Named()

Key = tuple[Tenant, Hashable]


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """An answer without errors, the operation and what it was made from; `tag` changes with its data.

    `account` is what the audit log tells of it, where there is one.
    """

    data: Written
    evidence: Evidence
    tag: str
    keys: tuple[Key, ...]
    bytes: int
    account: Account | None = None
    named: Named = _UNNAMED


class Responses:
    """The answers given last, within `capacity` bytes; with none nothing is kept."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Kept, None] = OrderedDict()
        self._found: dict[Key, Kept] = {}
        self.bytes = 0

    @property
    def capacity(self) -> int:
        """Return the bytes that may be taken."""
        return self._capacity

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, tenant: Tenant, name: Hashable, roster: Roster, now: float) -> Kept | None:
        """Return the answer to a request if everything it was made from still stands."""
        kept = self._found.get((tenant, name))
        if kept is None:
            return None
        if not kept.evidence.stands(roster, now):
            self._drop(kept)
            return None
        self._kept.move_to_end(kept)
        return kept

    def keep(
        self,
        tenant: Tenant,
        names: Iterable[Hashable],
        answer: Answer,
        evidence: Evidence,
        account: Account | None = None,
        named: Named = _UNNAMED,
    ) -> Kept | None:
        """Keep an answer under the names of its request, if it is not too large; its data becomes bytes."""
        if not self._capacity:
            return None
        if not isinstance(answer.data, Written):
            answer.data = Written([msgspec.json.encode(answer.data)])
        data: Written = answer.data
        keys = tuple((tenant, name) for name in names)
        size = sum(map(len, data.chunks)) + sum(map(_size, keys)) + _PLACE_BYTES
        kept = Kept(data, evidence, _tag(data), keys, size, account, named)
        if size <= self._capacity * _LARGEST_SHARE:
            for key in keys:
                if (before := self._found.get(key)) is not None:
                    self._drop(before)
                self._found[key] = kept
            self._kept[kept] = None
            self.bytes += size
            while self.bytes > self._capacity:
                self._drop(next(iter(self._kept)))
        return kept

    def _drop(self, kept: Kept) -> None:
        if self._kept.pop(kept, self) is None:
            self.bytes -= kept.bytes
            for key in kept.keys:
                if self._found.get(key) is kept:
                    del self._found[key]


def canonical(document: str, operation: str | None, variables: Any) -> Hashable:
    """Return what names a request whatever its spelling as JSON."""
    return document, operation, msgspec.json.encode(variables or {}, order="sorted")


def _size(key: Key) -> int:
    parts = key[1] if isinstance(key[1], tuple) else (key[1],)
    return sum(len(part) for part in parts if isinstance(part, str | bytes))


def _tag(data: Written) -> str:
    digest = blake2b(digest_size=12)
    for chunk in data.chunks:
        digest.update(chunk)
    return digest.hexdigest()
