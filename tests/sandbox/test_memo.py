"""Large answers are kept, within bounds."""

from gateway.sandbox.answers import HTML, Answer
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
