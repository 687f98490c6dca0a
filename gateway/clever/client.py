"""CleverClient: one call in, records out. It alone knows HTTP, the version, and where Clever is.

Redirects are never followed and `next` links never leave their list; every wait is inside the caller's allowance. An
answer that cannot be Clever's is asked for again, as one that failed is: both may pass.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Generic, Literal, Self, TypeVar

import httpx

from gateway import __version__
from gateway.clever.allowance import Allowance, out_of_time
from gateway.clever.body import Bodies, TooLarge, read_aside
from gateway.clever.breaker import FAILURES, Breaker
from gateway.clever.budget import Budget, Place, WindowBudget
from gateway.clever.calls import Call, CountCall, ListCall, RecordCall
from gateway.clever.checks import Districts, Walk, check_link, rows_beyond
from gateway.clever.decode import LargePage, NotClever, Page, decode_count, decode_page, decode_record, not_clever
from gateway.clever.events import CallSent, Fault, Misread
from gateway.clever.records import Record
from gateway.clever.retry import RETRYABLE, Backoff
from gateway.clever.tally import Tally
from gateway.clever.transport import open_transport
from gateway.errors import (
    Unauthenticated,
    UpstreamError,
    UpstreamInvalidResponse,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnavailable,
    bare,
)
from gateway.identity import Tenant

Version = Literal["v3.0", "v3.1"]
V = TypeVar("V")

# A body of more bytes is read so long at a time.
_LARGE_BYTES = 500_000
_SLICE_S = 0.01
# So many tries has an answer that is too large: most likely the next one is, too, and it costs the most to read.
_TRIES_OF_TOO_LARGE = 2
# Rows that a page may hold to count as quick to put together.
_LARGE_PAGE = 1_000

_HEADERS = (
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip"),
    (b"user-agent", f"clever-graphql-gateway/{__version__}".encode()),
)


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How long one call may take, how many may be under way at once, and how large an answer may be.

    Half of the time may pass without anything coming, but before a large page, which Clever may take long to put
    together. After so many `failures` in a row Clever is left alone for a while.
    """

    timeout_s: float = 20.0
    concurrency: int = 32
    max_bytes: int = 64 * 1024 * 1024
    backoff: Backoff = field(default_factory=Backoff)
    failures: int = FAILURES


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    # Of a 200 alone.
    body: bytes
    size: int
    # Seconds that a 429 asks to wait.
    wait: float


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[V]):
    answer: _Answer
    # What a 200 said.
    value: V | None


class CleverClient:
    """Reads Clever's Data API for any tenant. Use as an async context manager."""

    def __init__(
        self,
        origin: str,
        version: Version,
        *,
        limits: ClientLimits | None = None,
        budget: Budget | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        on_call: Callable[[CallSent], None] = lambda _sent: None,
        on_misread: Callable[[Misread], None] = lambda _misread: None,
    ) -> None:
        self.origin = origin.rstrip("/")
        self.version = version
        self._limits = limits or ClientLimits()
        self._on_call, self._on_misread = on_call, on_misread
        self._slots = asyncio.Semaphore(self._limits.concurrency)
        self._budget = WindowBudget(at_once=self._limits.concurrency) if budget is None else budget
        self._breaker = Breaker(self._limits.failures)
        self._http = transport or open_transport(self.origin, self._limits.concurrency)
        self._districts = Districts()
        self._bodies = Bodies(self._limits.max_bytes)
        self._base = f"{self.origin}/{version}"
        # Calls that wait for their turn, and calls under way.
        self.waiting, self.under_way = Tally(), Tally()
        self.concurrency = self._limits.concurrency
        self._idle_s = self._limits.timeout_s / 2
        patient = httpx.Timeout(self._limits.timeout_s, connect=self._idle_s)
        self._patient = {"timeout": patient.as_dict()}
        self._quick = {"timeout": {**patient.as_dict(), "read": self._idle_s}}

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    @property
    def left_alone(self) -> bool:
        """Say whether Clever is left alone for a while after many failures."""
        return self._breaker.is_open

    def calls_left(self, tenant: Tenant) -> int:
        """Return how many calls a token has left in this minute."""
        return self._budget.left(tenant)

    async def record(self, tenant: Tenant, call: RecordCall, allowance: Allowance) -> Record | None:
        """Look one record up; None where Clever has none to show (404).

        Raises Unauthenticated, UpstreamError and its kinds, DeadlineExceeded, QueryTooComplex.
        """
        return await self._get(tenant, call, allowance, partial(self._record, tenant, call))

    async def page(self, tenant: Tenant, call: ListCall, allowance: Allowance) -> Page | None:
        """Read one page; None where Clever shows no such list (404). Raises as `record` does."""
        opened = await self._get(tenant, call, allowance, partial(self._open, call))
        return None if opened is None else await self._rows(tenant, call, allowance, opened)

    async def pages(self, tenant: Tenant, call: ListCall, allowance: Allowance) -> AsyncGenerator[Page | None]:
        """Read a list from `call` to its end, each page being asked for while the one before it is read.

        A None stands for a list that Clever does not show (404). Raises as `record` does.
        """
        walk = Walk()
        ahead = asyncio.ensure_future(self._get(tenant, call, allowance, partial(self._open, call)))
        try:
            while (opened := await ahead) is not None:
                read, onward = call, opened.onward
                if onward is not None:
                    call = replace(call, after=onward)
                    ahead = asyncio.ensure_future(self._get(tenant, call, allowance, partial(self._open, call)))
                page = await self._rows(tenant, read, allowance, opened)
                with self._judged(read):
                    walk.take(read, page.records, onward)
                yield page
                if onward is None:
                    return
            yield None
        finally:
            ahead.cancel()
            # Whoever looks at it or not, its failure is no news any more.
            ahead.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def count(self, tenant: Tenant, call: CountCall, allowance: Allowance) -> int | None:
        """Ask for the size of a collection; None where Clever shows no such list (404). Raises as `record` does."""
        return await self._get(tenant, call, allowance, decode_count)

    def _record(self, tenant: Tenant, call: RecordCall, body: bytes) -> Record:
        """Read a record. Raises where it is another one than the one asked for, or of another district."""
        found = decode_record(call.rows, body)
        if found.id != call.id:
            raise UpstreamInvalidResponse(
                f"Clever answered GET {call.template} with another record than the one asked."
            )
        self._districts.check(tenant, (found,))
        return found

    def _open(self, call: ListCall, body: bytes) -> Page | LargePage:
        """Read a page's envelope, and the records of a small one. Raises where a link leads away or back."""
        path = f"/{self.version}{call.path}"
        onward: Literal["next", "prev"] = "prev" if call.before else "next"
        kind = LargePage if len(body) > _LARGE_BYTES else decode_page
        page: Page | LargePage = kind(call.rows, body, path, onward)
        check_link(call, page.onward)
        return page

    async def _rows(self, tenant: Tenant, call: ListCall, allowance: Allowance, opened: Page | LargePage) -> Page:
        """Return the records of a page; where they cannot be those asked for, ask once more."""
        try:
            return await self._checked(tenant, call, opened)
        except UpstreamInvalidResponse as error:
            again = await self._get(tenant, call, allowance, partial(self._open, call))
            if again is None or again.onward != opened.onward:
                raise bare(error) from None
        try:
            return await self._checked(tenant, call, again)
        except UpstreamInvalidResponse as error:
            raise bare(error) from None

    async def _checked(self, tenant: Tenant, call: ListCall, opened: Page | LargePage) -> Page:
        with self._judged(call):
            page = rows_beyond(call, await _read(opened))
            self._districts.check(tenant, page.records)
        return page

    async def _get(self, tenant: Tenant, call: Call, allowance: Allowance, read: Callable[[bytes], V]) -> V | None:
        """Return what `read` makes of a good answer, None for 404; try again where that can help."""
        backoff = self._limits.backoff
        for attempt in range(1, backoff.tries + 1):
            last = attempt == backoff.tries
            try:
                outcome = await self._send(tenant, call, allowance, attempt, read)
            except (UpstreamTimeout, UpstreamUnavailable, UpstreamInvalidResponse) as error:
                last = last or (isinstance(error, TooLarge) and attempt == _TRIES_OF_TOO_LARGE)
                if last or not await self._pause(attempt, allowance):
                    raise bare(error) from None
                continue
            answer = outcome.answer
            if answer.status == 429:
                if last or answer.wait >= allowance.seconds_left:
                    raise UpstreamRateLimited(answer.wait)
            elif last or answer.status not in RETRYABLE or not await self._pause(attempt, allowance):
                _check_status(answer.status, call)
                return outcome.value
        raise AssertionError("unreachable: the last try returns or raises")

    async def _send(
        self, tenant: Tenant, call: Call, allowance: Allowance, attempt: int, read: Callable[[bytes], V]
    ) -> _Outcome[V]:
        """Send one GET within this call's own time and the request's, and read what a 200 says."""
        async with self._turn(tenant, allowance) as place:
            with self._breaker.call() as tell:
                try:
                    answer = await self._timed(tenant, call, allowance, attempt, place)
                    with self._judged(call, attempt):
                        if 300 <= answer.status < 400 or 200 < answer.status < 300:
                            raise not_clever()
                        value = read(answer.body) if answer.status == 200 else None
                except NotClever:
                    # Whatever it is that answers, it is as good as nobody.
                    tell(502)
                    raise
                except UpstreamInvalidResponse:
                    tell(200)
                    raise
                tell(answer.status)
                return _Outcome(answer, value)

    @contextmanager
    def _judged(self, call: Call, attempt: int = 1) -> Iterator[None]:
        """Tell of an answer that turns out to be of no use: its status does not say so."""
        try:
            yield
        except UpstreamInvalidResponse as error:
            fault: Fault = "not_clever" if isinstance(error, NotClever) else "mismatch"
            self._on_misread(Misread(call.template, fault, attempt))
            raise

    async def _timed(self, tenant: Tenant, call: Call, allowance: Allowance, attempt: int, place: Place) -> _Answer:
        allowance.spend_call()
        place.sent()
        seconds = min(self._limits.timeout_s, allowance.seconds_left)
        started = time.perf_counter()
        status: int | None = None
        size = 0
        failure = ""
        try:
            async with asyncio.timeout(seconds):
                answer = await self._exchange(tenant, call, place)
            status, size = answer.status, answer.size
        except TimeoutError:
            failure = "timeout"
            if seconds < self._limits.timeout_s:
                raise out_of_time() from None
            raise self._too_slow(call) from None
        except httpx.TimeoutException:
            failure = "timeout"
            raise self._too_slow(call) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            failure = type(error).__name__
            raise UpstreamUnavailable(
                f"Clever could not be reached at {self.origin} ({type(error).__name__}). "
                "Check that GATEWAY_CLEVER_URL is right and that the network lets the gateway through."
            ) from None
        except UpstreamError as error:
            failure = type(error).__name__
            raise
        finally:
            took = time.perf_counter() - started
            allowance.hear(size, took)
            self._on_call(CallSent(call.template, status, took, size, attempt, call.kind, failure))
        return answer

    async def _exchange(self, tenant: Tenant, call: Call, place: Place) -> _Answer:
        headers = [*_HEADERS, (b"authorization", tenant.authorization)]
        large = isinstance(call, ListCall) and (call.limit or 0) > _LARGE_PAGE
        extensions = self._patient if large else self._quick
        request = httpx.Request("GET", self._base + call.target, headers=headers, extensions=extensions)
        # The transport is called as it is: httpx's client above it costs nearly as much again, for redirects and
        # cookies that must not be.
        async with aclosing(await self._http.handle_async_request(request)) as response:
            wait = 0.0
            if response.status_code == 429:
                wait = self._limits.backoff.after_limit(response.headers)
                place.refused(wait)
            else:
                place.report(response.headers)
            if response.status_code != 200:
                return _Answer(response.status_code, b"", await read_aside(response), wait)
            body = await self._bodies.read(response, self._idle_s)
            return _Answer(200, body, len(body), wait)

    def _too_slow(self, call: Call) -> UpstreamTimeout:
        return UpstreamTimeout(
            f"Clever sent nothing for too long when asked to GET {call.template}, or did not end within "
            f"{self._limits.timeout_s:g} s. Try again, or raise GATEWAY_UPSTREAM_TIMEOUT."
        )

    @asynccontextmanager
    async def _turn(self, tenant: Tenant, allowance: Allowance) -> AsyncIterator[Place]:
        """Hold a place in the tenant's budget, then a slot, both taken within the request's time."""
        while True:
            with self.waiting:
                place = await self._budget.acquire(tenant, allowance)
            try:
                async with self._slot(allowance):
                    if place.stands:
                        yield place
                        return
            finally:
                place.end()

    @asynccontextmanager
    async def _slot(self, allowance: Allowance) -> AsyncIterator[None]:
        try:
            with self.waiting:
                async with asyncio.timeout(allowance.seconds_left):
                    await self._slots.acquire()
        except TimeoutError:
            raise out_of_time() from None
        try:
            with self.under_way:
                yield
        finally:
            self._slots.release()

    async def _pause(self, attempt: int, allowance: Allowance) -> bool:
        """Wait before another try; False, at once, where there is no time for it or Clever is left alone."""
        seconds = self._limits.backoff.after_failure(attempt)
        if self._breaker.is_open or seconds >= allowance.seconds_left:
            return False
        await asyncio.sleep(seconds)
        return True


async def _read(opened: Page | LargePage) -> Page:
    """Read the records of a page, a while at a time."""
    if isinstance(opened, Page):
        return opened
    for _ in opened.read(_SLICE_S):
        await asyncio.sleep(0)
    return opened.page()


def _check_status(status: int, call: Call) -> None:
    """Raise what a status other than 200 and 404 means for the caller."""
    if status in (200, 404):
        return
    if status == 401:
        raise Unauthenticated(
            "Clever does not accept this token. Check that it is a current district-app token of the Clever that "
            "GATEWAY_CLEVER_URL names."
        )
    if status >= 500:
        raise UpstreamUnavailable(
            f"Clever answered GET {call.template} with status {status}, more than once. Try again later; "
            "https://status.clever.com tells of outages."
        )
    raise UpstreamInvalidResponse(f"Clever refused GET {call.template} with status {status}.")
