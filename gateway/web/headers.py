"""The headers of a request, put into a table once instead of being looked through for each."""

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers


class RequestHeaders(Headers):
    """Starlette's headers with a `table` of their bytes; of a header that was sent twice the first one counts."""

    def __init__(self, sent: Sequence[tuple[bytes, bytes]]) -> None:
        self._list = sent if isinstance(sent, list) else list(sent)
        self.table = dict(reversed(self._list))

    def __getitem__(self, key: str) -> str:
        try:
            return self.table[key.lower().encode("latin-1")].decode("latin-1")
        except KeyError:
            raise KeyError(key) from None

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a header, or `default`."""
        found = self.table.get(key.lower().encode("latin-1"))
        return default if found is None else found.decode("latin-1")

    def __contains__(self, key: Any) -> bool:
        return key.lower().encode("latin-1") in self.table

    def joined(self, name: bytes) -> bytes:
        """Return the value of a list-valued header, all that were sent of it put together."""
        if len(self.table) == len(self._list):
            return self.table.get(name, b"")
        return b",".join(value for one, value in self._list if one == name)
