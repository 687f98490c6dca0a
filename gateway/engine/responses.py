"""Responses: answers given again as they are, for as long as all data that they were made from is what is known.

An answer is found by the very bytes of its request, else by document, operation and variables; always for one tenant.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import Any

import msgspec

from gateway.access.evidence import Evidence
from gateway.engine.accounts import Account
from gateway.engine.answers import Answer
from gateway.engine.operations import Named
from gateway.engine.writing import CHUNK, Written
from gateway.identity import Tenant

# An answer that takes a larger share of the space would push out too many others.
_LARGEST_SHARE = 1 / 8
# What an answer takes in the tables beside its bytes and those of its keys.
_PLACE_BYTES = 500
_UNNAMED = Named()

# The tenant, by its own key, and the name of a request.
Key = tuple[bytes, Hashable]


@dataclass(slots=True, eq=False)
class Kept:
    """A tenant's answer without errors, the operation and what it was made from; `tag` changes with its data.

    `account` is what the audit log tells of it, where there is one; `told`: the caller may know what answers cost.

    `opened` is the body up to its data, in chunks; a body of one chunk stays whole, as it was given last.
    """

    tenant: Tenant
    opened: list[bytes]
    evidence: Evidence
    tag: str
    keys: tuple[Key, ...]
    size: int
    told: bool = True
    account: Account | None = None
    named: Named = _UNNAMED
    _data_ends: int = field(init=False)
    _last_cost: tuple[int, int] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._data_ends = len(self.opened[0])

    def body(self, calls: int, remaining: int) -> list[bytes]:
        """Return the body, in chunks, with what it cost to give it again if the caller may know."""
        if self._last_cost == (calls, remaining):
            return self.opened
        end = b"}"
        if self.told:
            cost = b',"extensions":{"clever":{"cost":{"calls":%d,"cached":%d,"remaining":%d}}}}'
            end = cost % (calls, len(self.evidence.entries), remaining)
        if len(self.opened) > 1:
            return [*self.opened, end]
        # Most answers that are given again cost the same as the last time; this one may still be on its way out.
        self.opened = [b"".join((memoryview(self.opened[0])[: self._data_ends], end))]
        self._last_cost = calls, remaining
        return self.opened


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

    def find(self, tenant: Tenant, name: Hashable, now: float) -> Kept | None:
        """Return the answer to a request if everything it was made from still stands."""
        kept = self._found.get((tenant.key, name))
        if kept is None:
            return None
        if not kept.evidence.stands(now):
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
        now: float,
        *,
        told: bool = True,
        account: Account | None = None,
        named: Named = _UNNAMED,
    ) -> Kept | None:
        """Keep an answer under the names of its request, if it is not too large; its data becomes bytes.

        Answers that nobody asks for again and that stand no more make room as others come.
        """
        if not self._capacity:
            return None
        if not isinstance(answer.data, Written):
            answer.data = Written([msgspec.json.encode(answer.data)])
        data: Written = answer.data
        keys = tuple([(tenant.key, name) for name in names])
        size = sum(map(len, data.chunks)) + sum(map(_size, keys)) + _PLACE_BYTES
        opened = _opened(data)
        kept = Kept(tenant, opened, evidence, _tag(data), keys, size, told, account, named)
        if size <= self._capacity * _LARGEST_SHARE:
            for key in keys:
                if (before := self._found.get(key)) is not None:
                    self._drop(before)
                self._found[key] = kept
            self._kept[kept] = None
            self.bytes += size
            self._make_room(now)
        return kept

    def _make_room(self, now: float) -> None:
        """Drop those used longest ago until there is room, and up to two more that stand no longer."""
        while self.bytes > self._capacity:
            self._drop(next(iter(self._kept)))
        for oldest in list(islice(self._kept, 2)):
            if not oldest.evidence.stands(now):
                self._drop(oldest)

    def _drop(self, kept: Kept) -> None:
        if self._kept.pop(kept, self) is None:
            self.bytes -= kept.size
            for key in kept.keys:
                if self._found.get(key) is kept:
                    del self._found[key]


def canonical(document: str, operation: str | None, variables: Any) -> Hashable:
    """Return what names a request whatever its spelling as JSON."""
    return document, operation, msgspec.json.encode(variables, order="sorted") if variables else b"{}"


def _size(name: object) -> int:
    if isinstance(name, tuple):
        return sum(map(_size, name))
    return len(name) if isinstance(name, str | bytes) else 0


def _opened(data: Written) -> list[bytes]:
    """Return the start of a body with this data: in one piece, unless it is large."""
    chunks = [b'{"data":', *data.chunks]
    return [b"".join(chunks)] if sum(map(len, chunks)) <= CHUNK else chunks


def _tag(data: Written) -> str:
    digest = blake2b(digest_size=12)
    for chunk in data.chunks:
        digest.update(chunk)
    return digest.hexdigest()
