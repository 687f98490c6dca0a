"""Tally: how many are inside something at this moment."""


class Tally:
    """Counts who is inside `with tally:`; `now` is how many there are."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0

    def __enter__(self) -> None:
        self.now += 1

    def __exit__(self, *_error: object) -> None:
        self.now -= 1
