"""Every query of the dashboard and of the alerts has an answer on a real Prometheus that scraped two gateways."""

import pytest

from tests.bench.dashboard import PROMETHEUS, check


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed")
def test_no_query_is_without_an_answer() -> None:
    outcomes = check(seconds=12)

    assert len(outcomes) > 60
    assert [outcome.query.where for outcome in outcomes if not outcome.series] == []
