"""Work that is begun at once, and gone on with only where it waits."""

import asyncio

import pytest

from gateway.engine.begun import Begun


async def at_once(outcome: int) -> int:
    return outcome


async def test_what_does_not_wait_is_done() -> None:
    work = Begun(at_once(3))

    assert work.done
    assert work.result == 3
    assert await work == 3


async def test_what_waits_goes_on_where_it_waits() -> None:
    gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    steps = []

    async def waiting() -> int:
        steps.append("begun")
        found = await gate
        await asyncio.sleep(0)
        steps.append("ended")
        return found

    work = Begun(waiting())
    assert (work.done, steps) == (False, ["begun"])
    gate.set_result(5)
    assert await work == 5
    assert steps == ["begun", "ended"]


async def test_a_failure_is_raised_when_it_happens() -> None:
    async def failing(waits: bool) -> None:
        if waits:
            await asyncio.sleep(0)
        raise KeyError("x")

    with pytest.raises(KeyError):
        Begun(failing(waits=False))
    with pytest.raises(KeyError):
        await Begun(failing(waits=True))


@pytest.mark.parametrize("swallows", [False, True])
async def test_a_cancellation_is_for_the_work_which_may_wait_to_clean_up(swallows: bool) -> None:
    cleaned = []

    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            cleaned.append(True)
            if not swallows:
                raise
        return "stayed"

    async def whole() -> str:
        return await Begun(work())

    task = asyncio.create_task(whole())
    await asyncio.sleep(0)
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)

    assert cleaned == [True]
    assert outcome == "stayed" if swallows else isinstance(outcome, asyncio.CancelledError)


async def test_its_own_timeouts_and_those_around_it_work() -> None:
    async def patient() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "its own"
        return "none"

    async def forever() -> None:
        async with asyncio.timeout(100):
            await asyncio.Event().wait()

    assert await Begun(patient()) == "its own"
    work = Begun(forever())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await work
