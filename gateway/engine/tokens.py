"""The tokens of a document, found by one regular expression."""

import re

_TOKEN = re.compile(
    r"""[ \t\n\r,\ufeff]*+(?:\#[^\n\r\ud800-\udfff]*+[ \t\n\r,\ufeff]*+)*+(?:
        (?P<p>[!$&()*:=@\[\]{|}]|\.\.\.)
        |(?P<n>[A-Za-z_][A-Za-z0-9_]*+)
        |(?P<f>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++(?:[eE][+-]?[0-9]++)?|[eE][+-]?[0-9]++)(?![0-9A-Za-z_.]))
        |(?P<i>-?(?:0|[1-9][0-9]*+)(?![0-9A-Za-z_.]))
        |(?P<b>\"{3}(?:[^"\\]|\\\"{3}|\\|"(?!""))*+\"{3})
        |(?P<s>"(?!"")(?:[^"\\\n\r\ud800-\udfff]|\\.)*+")
        |(?P<end>\Z)
        |(?P<bad>.)
    )""",
    re.VERBOSE | re.DOTALL,
)


class Unread(Exception):
    """The text is not an executable document; `position` is the character where that shows."""

    def __init__(self, position: int) -> None:
        super().__init__("unread")
        self.position = position


class Tokens:
    """The tokens of a text, without its comments: kind, value and place of each."""

    __slots__ = ("ends", "kinds", "starts", "text", "values")

    def __init__(self, text: str) -> None:
        """Find the tokens. Raises Unread at what is none."""
        self.text = text
        self.kinds: list[str] = []
        self.values: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        kinds, values, starts, ends = self.kinds.append, self.values.append, self.starts.append, self.ends.append
        for found in _TOKEN.finditer(text):
            kind = found.lastgroup or "end"
            if kind == "bad":
                raise Unread(found.start("bad"))
            value = found[kind]
            kinds(value if kind == "p" else kind)
            values(value)
            starts(found.start(kind))
            ends(found.end())
            if kind == "end":
                break

    def __len__(self) -> int:
        return len(self.kinds) - 1
