"""Link: the way to Redis. Every exchange is short and bounded; after failures Redis is left alone until it is back."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.cache.redis import scripts
from gateway.cache.redis.events import Outcome, RedisDone
from gateway.cache.redis.names import Names

T = TypeVar("T")

# A process is heard so many times before its silence means something; one that lost Redis looks twice as often.
_BEATS = 5
# So many exchanges that took too long, one after another, are no accident.
_TIMEOUTS = 3
# A process is gone when it has been silent for so many times as long as makes it silent; calls that Redis does not know
# of count for a little more than a minute.
_FORGOTTEN, _BEFORE = 60, 15
_CONNECTIONS = 16
# Once Redis has no room, nothing is put there for a while.
_FULL_S = 2.0


class Unreachable(Exception):
    """Redis cannot be asked now: go on without it."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """The processes that Redis has heard of lately, this one among them: `count` of them, known for `known_s`.

    `member_s` is for how long this one has been among them without a break.
    """

    count: int
    known_s: float
    member_s: float


class RedisLink:
    """One process's way to Redis, kept up in the background. Use as an async context manager.

    `on_up` hears when Redis can be asked (again), `on_news` every message on the channel, and None after messages
    may have been missed. `on_lack` hears of a moment on the monotonic clock since which Redis may lack what it was to
    be told, negative infinity where it has been emptied.
    """

    def __init__(
        self,
        url: str,
        names: Names,
        *,
        timeout_s: float = 0.25,
        on_redis: Callable[[RedisDone], None] = lambda _done: None,
        silent_s: float = 5.0,
    ) -> None:
        self.names = names
        self.replica = f"r{secrets.token_hex(6)}"
        self.timeout_s = timeout_s
        self.on_redis = on_redis
        self.on_up: list[Callable[[], None]] = []
        self.on_news: list[Callable[[bytes | None], None]] = []
        self.on_lack: list[Callable[[float], None]] = []
        self.up = False
        # Since when, on the monotonic clock, Redis cannot be asked.
        self.lost_at: float | None = time.monotonic()
        # What was heard last of the processes, however old; None where Redis has never been heard of.
        self.replicas: Replicas | None = None
        self.silent_s = silent_s
        # How often it looks whether Redis is there.
        self.beat_s = silent_s / _BEATS
        self._before_until = 0.0
        # When Redis' table of processes was begun, in ms of its own clock.
        self._born = 0
        self._timeouts = 0
        self._full_until = 0.0
        self._failed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            # Whoever asks waits no longer than for an answer.
            timeout=None,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        # Typed as it is used: half of its methods are not.
        self._redis: Any = Redis(connection_pool=pool)

    async def __aenter__(self) -> Self:
        with contextlib.suppress(Unreachable):
            await self._beat()
        self._tasks = [asyncio.create_task(self._keep_up()), asyncio.create_task(self._listen())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = set(self._tasks)
        while left:
            # A client that is reconnecting may take being cancelled for something else.
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=self.timeout_s)
        with contextlib.suppress(Unreachable):
            own = (self.replica, f"j{self.replica}", f"o{self.replica}")
            await self.command("beat", "HDEL", self.names.replicas, *own)
        # Whatever still comes to ask, finds it gone.
        self.up = False
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(self.timeout_s):
                await self._redis.aclose()
                await self._redis.connection_pool.disconnect()

    @property
    def has_room(self) -> bool:
        """Say whether it is worth putting something there."""
        return self.up and time.monotonic() >= self._full_until

    async def run(
        self,
        action: str,
        exchange: Callable[[Any], Awaitable[T]],
        *,
        size: int = 0,
        probing: bool = False,
        slow: float = 1.0,
    ) -> T:
        """Exchange something with Redis within its time, `slow` times as long where it is large.

        Raises Unreachable, at once where Redis is left alone.
        """
        if not self.up and not probing:
            raise Unreachable
        started = time.perf_counter()
        outcome: Outcome = "error"
        try:
            async with asyncio.timeout(self.timeout_s * slow):
                found = await exchange(self._redis)
            outcome = "ok"
        except (TimeoutError, RedisTimeoutError):
            outcome = "timeout"
            self._timeouts += 1
            if self._timeouts >= _TIMEOUTS:
                self._lose()
            raise Unreachable from None
        except OutOfMemoryError:
            outcome = "full"
            self._full_until = time.monotonic() + _FULL_S
            raise Unreachable from None
        except (RedisError, OSError):
            self._lose()
            raise Unreachable from None
        finally:
            self.on_redis(RedisDone(action, outcome, time.perf_counter() - started, size))
        self._timeouts = 0
        return found

    async def command(self, action: str, *parts: Any, **how: Any) -> Any:
        """Send a single command. Raises Unreachable."""
        return await self.run(action, lambda redis: redis.execute_command(*parts), **how)

    async def script(self, action: str, script: scripts.Script, keys: list[str], values: list[Any], **how: Any) -> Any:
        """Run a script, sending its text where Redis does not have it. Raises Unreachable."""
        size = sum(len(value) for value in values if isinstance(value, bytes))
        return await self.run(action, lambda redis: script.run(redis, keys, values), size=size, **how)

    def _lose(self) -> None:
        if self.up:
            self.up = False
            self.lost_at = time.monotonic()
            self._failed.set()
            self.on_redis(RedisDone("link", "down"))

    async def _beat(self) -> None:
        """Say that this process is alive, and hear how many others are. Raises Unreachable."""
        silent_ms = round(self.silent_s * 1000)
        emptied, lost_at = False, self.lost_at
        while True:
            said = [self.replica, silent_ms, _FORGOTTEN * silent_ms, int(time.monotonic() < self._before_until)]
            answer = await self.script("beat", scripts.BEAT, [self.names.replicas], said, probing=True)
            count, known, member, born = answer
            heard, self.replicas = self.replicas, Replicas(count, known / 1000, member / 1000)
            alone = lost_at is not None and time.monotonic() - lost_at > self.silent_s / 2
            emptied = emptied or (heard is not None and born > self._born)
            self._born = born
            if said[-1] or not (alone if heard is None else emptied):
                break
            # It went by itself until now, or Redis has forgotten what it was told: that must be known at once.
            self._before_until = time.monotonic() + _BEFORE * self.silent_s
        if not self.up:
            self.up = True
            self.lost_at = None
            self._timeouts = 0
            self.on_redis(RedisDone("link", "up"))
            for hear in self.on_up:
                hear()
        if emptied or lost_at is not None:
            for hear_lack in self.on_lack:
                hear_lack(float("-inf") if emptied or lost_at is None else lost_at)

    async def _keep_up(self) -> None:
        while True:
            if self.up:
                self._failed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.beat_s):
                        await self._failed.wait()
            if not self.up:
                await asyncio.sleep(self.beat_s / 2)
            with contextlib.suppress(Unreachable):
                await self._beat()

    async def _listen(self) -> None:
        while True:
            pubsub = self._redis.pubsub()
            try:
                if self.up:
                    await pubsub.subscribe(self.names.channel)
                    while self.up:
                        # The answer to `subscribe` comes first: from then on nothing is missed.
                        message = await pubsub.get_message(timeout=self.beat_s)
                        if message is not None:
                            self._hear(message["data"] if message["type"] == "message" else None)
            except (RedisError, OSError, TimeoutError):
                pass
            finally:
                with contextlib.suppress(RedisError, OSError, TimeoutError):
                    await pubsub.aclose()
            await asyncio.sleep(self.beat_s / 4)

    def _hear(self, message: bytes | None) -> None:
        for hear in self.on_news:
            hear(message)
