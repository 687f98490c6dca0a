"""Large answers kept ready: pages of thousands of records, whose joining and digest are worth doing once."""

from collections import OrderedDict

from .answers import JSON, Answer, weak_etag

WORTH_KEEPING = 32 * 1024
ROOM = 64 * 1024 * 1024
ETAGS = 1024

Key = tuple[str, str, str]  # token, path, query


class PageMemo:
    """The large answers asked for last, up to `room` bytes, and the etags of many more.

    Records do not change, so none goes stale. A page that had to go is joined anew in less time than its digest takes.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._held: OrderedDict[Key, Answer] = OrderedDict()
        self._etags: OrderedDict[Key, bytes] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Key) -> Answer | None:
        """Return a kept answer."""
        answer = self._held.get(key)
        if answer is not None:
            self._held.move_to_end(key)
        return answer

    def keep(self, key: Key, answer: Answer) -> Answer:
        """Keep an answer if it is large and good, dropping the oldest for it; return it with its etag."""
        size = len(answer.body)
        if answer.status != 200 or answer.content_type != JSON or not WORTH_KEEPING <= size <= self._room:
            return answer
        answer = answer._replace(etag=self._etag(key, answer.body))
        # Room first, so that there is never more than `room`, whatever the caller still sends.
        while self._bytes + size > self._room:
            _, dropped = self._held.popitem(last=False)
            self._bytes -= len(dropped.body)
        self._held[key] = answer
        self._bytes += size
        return answer

    def _etag(self, key: Key, body: bytes) -> bytes:
        etag = self._etags.pop(key, b"") or weak_etag(body)
        self._etags[key] = etag
        if len(self._etags) > ETAGS:
            self._etags.popitem(last=False)
        return etag
