"""A gateway that may make few calls a minute."""

from tests.resilience.conftest import Ask
from tests.resilience.faulty import Faulty
from tests.resilience.roster import NORTH

QUERY = f'{{ school(id: "{NORTH}") {{ id phone }} }}'


async def test_calls_beyond_the_minutes_ration_are_not_sent(faulty: Faulty, ask: Ask) -> None:
    answers = [await ask(QUERY, kind="rationed") for _ in range(3)]
    another = await ask(QUERY, kind="rationed", token="another-token")

    assert [answer.body.get("errors") for answer in (*answers[:2], another)] == [None] * 3
    (error,) = answers[2].body["errors"]
    assert error["extensions"]["code"] == "UPSTREAM_RATE_LIMITED"
    assert 50 < error["extensions"]["retryAfter"] <= 60
    assert len(faulty.asked) == 3
