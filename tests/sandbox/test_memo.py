"""Large answers are kept, within bounds."""

import pytest

from gateway.sandbox.answers import HTML, Answer, weak_etag
from gateway.sandbox.memo import WORTH_KEEPING, PageMemo


def large(letter: bytes, size: int = WORTH_KEEPING) -> Answer:
    return Answer(200, letter * size)


def test_a_large_answer_is_kept_with_its_etag() -> None:
    memo = PageMemo()
    kept = memo.keep(("token", "/path", ""), large(b"a"))
    assert kept.etag
    assert memo.get(("token", "/path", "")) is kept
    assert memo.get(("other", "/path", "")) is None


def test_small_wrong_and_huge_answers_are_not_kept() -> None:
    memo = PageMemo(room=2 * WORTH_KEEPING)
    for answer in (
        Answer(200, b"small"),
        large(b"a")._replace(status=404),
        large(b"a")._replace(content_type=HTML),
        large(b"a", 3 * WORTH_KEEPING),
    ):
        assert memo.keep(("t", "/", ""), answer) == answer
    assert len(memo) == 0


def test_the_answer_asked_for_longest_ago_makes_room() -> None:
    memo = PageMemo(room=2 * WORTH_KEEPING)
    for name in ("a", "b"):
        memo.keep(("t", name, ""), large(name.encode()))
    memo.get(("t", "a", ""))
    memo.keep(("t", "c", ""), large(b"c"))
    assert [memo.get(("t", name, "")) is not None for name in ("a", "b", "c")] == [True, False, True]


def test_the_etag_of_an_answer_that_was_dropped_is_not_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    digested: list[int] = []

    def counting(body: bytes) -> bytes:
        digested.append(len(body))
        return weak_etag(body)

    monkeypatch.setattr("gateway.sandbox.memo.weak_etag", counting)
    memo = PageMemo(room=WORTH_KEEPING)
    first = memo.keep(("t", "a", ""), large(b"a"))
    memo.keep(("t", "b", ""), large(b"b"))
    assert memo.get(("t", "a", "")) is None
    assert memo.keep(("t", "a", ""), large(b"a")) == first
    assert len(digested) == 2


def test_etags_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sandbox.memo.ETAGS", 3)
    memo = PageMemo(room=WORTH_KEEPING)
    for number in range(10):
        memo.keep(("t", str(number), ""), large(b"a"))
    assert len(memo._etags) == 3
    assert len(memo) == 1
