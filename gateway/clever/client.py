"""CleverClient: one call in, records out. It alone knows HTTP, the version, and where Clever is.

Redirects are never followed and `next` links never leave their list; every wait is inside the caller's allowance.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Literal, Self

import httpx
import msgspec

from gateway import __version__
from gateway.clever.allowance import Allowance, out_of_time
from gateway.clever.breaker import FAILURES, Breaker
from gateway.clever.budget import Budget, Place, WindowBudget
from gateway.clever.calls import LAST, Call, CountCall, Kind, ListCall, RecordCall
from gateway.clever.decode import LargePage, Page, decode_count, decode_page, decode_record, not_clever
from gateway.clever.records import Record
from gateway.clever.retry import RETRYABLE, Backoff
from gateway.clever.transport import open_transport
from gateway.errors import (
    Unauthenticated,
    UpstreamInvalidResponse,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.identity import Tenant

Version = Literal["v3.0", "v3.1"]

# A body of more bytes is read so many records at a time, about 10 ms each.
_LARGE_BYTES = 500_000
_SLICE = 1_500

_HEADERS = (
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip"),
    (b"user-agent", f"clever-graphql-gateway/{__version__}".encode()),
)


@dataclass(frozen=True, slots=True)
class CallSent:
    """What subscribers hear of one call sent: never an id, a token or a body.

    `status` is None where none came; then `failure` says why, or is empty where nobody waited to the end.
    """

    template: str
    status: int | None
    seconds: float
    bytes: int
    attempt: int
    kind: Kind
    failure: str = ""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How long one call may take, how many may be under way at once, and how large an answer may be.

    After so many `failures` in a row Clever is left alone for a while.
    """

    timeout_s: float = 20.0
    concurrency: int = 32
    max_bytes: int = 64 * 1024 * 1024
    backoff: Backoff = field(default_factory=Backoff)
    failures: int = FAILURES


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    # Seconds that a 429 asks to wait.
    wait: float


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
    ) -> None:
        self.origin = origin.rstrip("/")
        self.version = version
        self._limits = limits or ClientLimits()
        self._on_call = on_call
        self._slots = asyncio.Semaphore(self._limits.concurrency)
        self._budget = WindowBudget(at_once=self._limits.concurrency) if budget is None else budget
        self._breaker = Breaker(self._limits.failures)
        self._http = transport or open_transport(self.origin, self._limits.concurrency)
        self._base = f"{self.origin}/{version}"
        # Calls that wait for their turn, and calls under way.
        self.waiting = 0
        self.under_way = 0
        self._extensions = {"timeout": httpx.Timeout(self._limits.timeout_s).as_dict()}

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    @property
    def concurrency(self) -> int:
        """Return how many calls may be under way at once."""
        return self._limits.concurrency

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
        body = await self._get(tenant, call, allowance)
        if body is None:
            return None
        found = decode_record(call.rows, body)
        if found.id != call.id:
            raise UpstreamInvalidResponse(
                f"Clever answered GET {call.template} with another record than the one asked."
            )
        return found

    async def page(self, tenant: Tenant, call: ListCall, allowance: Allowance) -> Page | None:
        """Read one page; None where Clever shows no such list (404). Raises as `record` does."""
        body = await self._get(tenant, call, allowance)
        return None if body is None else await _read(self._open(call, body))

    async def pages(self, tenant: Tenant, call: ListCall, allowance: Allowance) -> AsyncGenerator[Page | None]:
        """Read a list from `call` to its end, each page being asked for while the one before it is read.

        A None stands for a list that Clever does not show (404). Raises as `record` does.
        """
        ahead = asyncio.ensure_future(self._get(tenant, call, allowance))
        try:
            while (body := await ahead) is not None:
                opened = self._open(call, body)
                if opened.onward is not None:
                    call = replace(call, after=opened.onward)
                    ahead = asyncio.ensure_future(self._get(tenant, call, allowance))
                yield await _read(opened)
                if opened.onward is None:
                    return
            yield None
        finally:
            ahead.cancel()
            # Whoever looks at it or not, its failure is no news any more.
            ahead.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _open(self, call: ListCall, body: bytes) -> Page | LargePage:
        """Read a page's envelope, and the records of a small one. Raises where a link leads back."""
        path = f"/{self.version}{call.path}"
        onward: Literal["next", "prev"] = "prev" if call.before else "next"
        page: Page | LargePage | None = None
        if len(body) > _LARGE_BYTES:
            # A page with odd elements is read as a small one is, which copes with them.
            with suppress(msgspec.ValidationError):
                page = LargePage(call.rows, body, path, onward)
        if page is None:
            page = decode_page(call.rows, body, path, onward)
        if page.onward is not None and _leads_back(page.onward, call):
            raise UpstreamInvalidResponse("A list of pages led back to an earlier page; it was not followed.")
        return page

    async def count(self, tenant: Tenant, call: CountCall, allowance: Allowance) -> int | None:
        """Ask for the size of a collection; None where Clever shows no such list (404). Raises as `record` does."""
        body = await self._get(tenant, call, allowance)
        return None if body is None else decode_count(body)

    async def _get(self, tenant: Tenant, call: Call, allowance: Allowance) -> bytes | None:
        """Return the body of a good answer, None for 404; try again where that can help."""
        backoff = self._limits.backoff
        for attempt in range(1, backoff.tries + 1):
            last = attempt == backoff.tries
            try:
                answer = await self._send(tenant, call, allowance, attempt)
            except (UpstreamTimeout, UpstreamUnavailable):
                if last or self._breaker.is_open or allowance.seconds_left <= 0:
                    raise
                await self._pause(backoff.after_failure(attempt), allowance)
                continue
            if answer.status == 429:
                if last or answer.wait >= allowance.seconds_left:
                    raise UpstreamRateLimited(answer.wait)
            elif answer.status in RETRYABLE and not (last or self._breaker.is_open):
                await self._pause(backoff.after_failure(attempt), allowance)
            else:
                return _good_body(answer, call)
        raise AssertionError("unreachable: the last try returns or raises")

    async def _send(self, tenant: Tenant, call: Call, allowance: Allowance, attempt: int) -> _Answer:
        """Send one GET within this call's own time and the request's."""
        async with self._turn(tenant, allowance) as place:
            with self._breaker.call() as tell:
                answer = await self._timed(tenant, call, allowance, attempt, place)
                tell(answer.status)
                return answer

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
            status, size = answer.status, len(answer.body)
        except TimeoutError:
            failure = "timeout"
            if seconds < self._limits.timeout_s:
                raise out_of_time() from None
            raise self._too_slow(call) from None
        except httpx.TimeoutException:
            failure = "timeout"
            raise self._too_slow(call) from None
        except httpx.DecodingError:
            failure = "unreadable"
            raise not_clever() from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            failure = type(error).__name__
            raise UpstreamUnavailable(
                f"Clever could not be reached at {self.origin} ({type(error).__name__}). "
                "Check that GATEWAY_CLEVER_URL is right and that the network lets the gateway through."
            ) from None
        except UpstreamInvalidResponse:
            failure = "too large"
            raise
        finally:
            took = time.perf_counter() - started
            allowance.hear(size, took)
            self._on_call(CallSent(call.template, status, took, size, attempt, call.kind, failure))
        return answer

    async def _exchange(self, tenant: Tenant, call: Call, place: Place) -> _Answer:
        headers = [*_HEADERS, (b"authorization", tenant.authorization)]
        request = httpx.Request("GET", self._base + call.target, headers=headers, extensions=self._extensions)
        # The transport is called as it is: httpx's client above it costs nearly as much again, for redirects and
        # cookies that must not be.
        async with aclosing(await self._http.handle_async_request(request)) as response:
            wait = 0.0
            if response.status_code == 429:
                wait = self._limits.backoff.after_limit(response.headers)
                place.refused(wait)
            else:
                place.report(response.headers)
            chunks: list[bytes] = []
            size = 0
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > self._limits.max_bytes:
                    raise UpstreamInvalidResponse(
                        f"An answer was larger than {self._limits.max_bytes} bytes (GET {call.template}). Ask for "
                        "smaller pages, or raise GATEWAY_UPSTREAM_MAX_BYTES."
                    )
                chunks.append(chunk)
            return _Answer(response.status_code, b"".join(chunks), wait)

    def _too_slow(self, call: Call) -> UpstreamTimeout:
        return UpstreamTimeout(
            f"Clever did not answer GET {call.template} within {self._limits.timeout_s:g} s. Try again, or raise "
            "GATEWAY_UPSTREAM_TIMEOUT."
        )

    @asynccontextmanager
    async def _turn(self, tenant: Tenant, allowance: Allowance) -> AsyncIterator[Place]:
        """Hold a place in the tenant's budget, then a slot, both taken within the request's time."""
        while True:
            with self._waits():
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
            with self._waits():
                async with asyncio.timeout(allowance.seconds_left):
                    await self._slots.acquire()
        except TimeoutError:
            raise out_of_time() from None
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._slots.release()

    @contextmanager
    def _waits(self) -> Iterator[None]:
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    async def _pause(self, seconds: float, allowance: Allowance) -> None:
        await asyncio.sleep(min(seconds, allowance.seconds_left))


async def _read(opened: Page | LargePage) -> Page:
    """Read the records of a page, a slice at a time."""
    if isinstance(opened, Page):
        return opened
    for _ in opened.read(_SLICE):
        await asyncio.sleep(0)
    return opened.page()


def _leads_back(onward: str, call: ListCall) -> bool:
    if call.before:
        return call.before != LAST and onward >= call.before
    return call.after is not None and onward <= call.after


def _good_body(answer: _Answer, call: Call) -> bytes | None:
    """Return the body of a 200, None for a 404. Anything else raises what it means for the caller."""
    if answer.status == 200:
        return answer.body
    if answer.status == 404:
        return None
    if answer.status == 401:
        raise Unauthenticated(
            "Clever does not accept this token. Check that it is a current district-app token of the Clever that "
            "GATEWAY_CLEVER_URL names."
        )
    if answer.status >= 500:
        raise UpstreamUnavailable(
            f"Clever answered GET {call.template} with status {answer.status}, more than once. Try again later; "
            "https://status.clever.com tells of outages."
        )
    if answer.status >= 400:
        raise UpstreamInvalidResponse(f"Clever refused GET {call.template} with status {answer.status}.")
    raise not_clever()
