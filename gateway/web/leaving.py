"""Leaving: callers hang up while they are being answered, and what is done for them alone is done for nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from gateway.clever.allowance import Allowance
from gateway.web.parsing import ClientGone


@asynccontextmanager
async def while_wanted(receive: Receive, allowance: Allowance) -> AsyncIterator[None]:
    """Cancel what is inside, and abandon its allowance, when the caller hangs up; raises ClientGone then.

    The request's body must have been received.
    """
    task = asyncio.current_task()
    gone = False

    async def watch() -> None:
        nonlocal gone
        ends = 0
        while (message := await receive())["type"] != "http.disconnect":
            ends += not message.get("more_body", False)
            if ends > 1:
                # This server says that again and again, and not when the caller hangs up.
                return
        gone = True
        allowance.abandon()
        if task is not None:
            task.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        # Whoever else cancels the task means it.
        if gone and task is not None and task.uncancel() == 0:
            raise ClientGone from None
        raise
    finally:
        watching.cancel()
