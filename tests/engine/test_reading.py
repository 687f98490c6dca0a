"""Reading: the nodes are those that graphql-core's own parser makes, and what is no document is no document to it."""

import pytest
from graphql import DocumentNode, GraphQLSyntaxError, get_introspection_query, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine.reading import read_document
from gateway.engine.tokens import Tokens, Unread
from tests.engine.generated import Author

EVERYTHING = '''"about" query Q("a" $a: [Int!]! = [1 2] @deprecated(reason: "a\\n\\u0041b"), $b: T = {a: {b: [null, true, E, 1.5e3]}})
@x(y: $a) { ...on A @skip(if: $a) { b } ... { c } ...F @y(a: -1) a: b(c: """
    block \\""" "quoted"
      more
    """, d: {}, e: [], f: "", g: 0.5, h: -0, i: "é😀") @z, {} # comment " { é
}
"""frag""" fragment F on X @a { y, z, true, null, on, query } mutation { a } subscription S { a }\ufeff'''

PIECES = (
    "{", "}", "(", ")", "[", "]", ":", "=", "!", "$", "@", "...", "a", "on", "query", "fragment", "true", "null", "1", "-1",
    "01", "1.5", "1.", ".5", "1e5", "1a", '"s"', '""', '"', '"""b"""', '"""', '"\\q"', '"\\u12"', "#c\n", "\n", ",", "&",
    "|", "..", "é", "\\", "'", "?",
)  # fmt: skip


def without_places_of_names(node: object) -> object:
    if isinstance(node, dict):
        kept = {key: without_places_of_names(value) for key, value in node.items()}
        return {key: value for key, value in kept.items() if not (key == "loc" and node["kind"] == "name")}
    return [without_places_of_names(one) for one in node] if isinstance(node, list) else node


def read(text: str) -> DocumentNode:
    return read_document(Tokens(text))


def assert_same(text: str) -> None:
    theirs, ours = parse(text), read(text)
    assert without_places_of_names(ours.to_dict(True)) == without_places_of_names(theirs.to_dict(True))
    assert ours == parse(text, no_location=True) or ours.loc


@pytest.mark.parametrize("text", [EVERYTHING, get_introspection_query(), "{a}", "\ufeff{a}", "#\r\n{a\r\nb}\r#", "{}"])
def test_the_nodes_are_those_of_graphql_core(text: str) -> None:
    assert_same(text)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**64))
def test_so_are_those_of_documents_made_by_chance(seed: int) -> None:
    assert_same(Author(seed).document())


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join), st.sampled_from(["{}", "{{a{}}}", "{{a(b:{})}}"]))
def test_what_is_no_document_is_none_to_either(inner: str, frame: str) -> None:
    text = frame.replace("{}", inner).replace("{{", "{").replace("}}", "}")
    try:
        parse(text)
    except GraphQLSyntaxError:
        with pytest.raises((Unread, GraphQLSyntaxError)):
            read(text)
    else:
        assert_same(text)


def test_a_place_knows_its_line() -> None:
    loc = read("{ a\n  b }").definitions[0].loc

    assert loc
    assert (loc.start_token.line, loc.start_token.column, loc.start, loc.end) == (1, 1, 0, 9)
    assert loc.end_token.start == 0


def test_what_is_nested_too_deeply_is_given_up() -> None:
    for text in ("{a" * 300, "{a(b:" + "[" * 300, "{a(b:" + "{c:" * 300, "query($a:" + "[" * 300):
        with pytest.raises(RecursionError):
            read(text)
