"""Documents: read once, kept within bounds, never mixed up; and what is no document is said, not crashed upon."""

from collections.abc import Callable

import pytest
from graphql import GraphQLSchema, build_schema

from gateway.engine import documents
from gateway.engine.documents import Document, DocumentCache, only_introspects
from gateway.errors import RequestRefused

SCHEMA = build_schema("type Query { self: Query name(of: Int): String names: [String] }")


class CountingCache(DocumentCache):
    """A cache that counts how often it had to read."""

    def __init__(self, schema: GraphQLSchema = SCHEMA) -> None:
        super().__init__(schema)
        self.read: list[str] = []

    def _read(self, text: str) -> Document:
        self.read.append(text)
        return super()._read(text)


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], CountingCache]:
    def make(number: int, characters: int) -> CountingCache:
        monkeypatch.setattr(documents, "_MOST_DOCUMENTS", number)
        monkeypatch.setattr(documents, "_MOST_CHARACTERS", characters)
        return CountingCache()

    return make


def code_of(text: str) -> str:
    with pytest.raises(RequestRefused) as refused:
        DocumentCache(SCHEMA).prepare(text)
    return refused.value.public_code


class TestKeeping:
    def test_a_document_is_read_once(self) -> None:
        cache = CountingCache()

        assert cache.prepare("{ name }") is cache.prepare("{ name }")
        assert cache.read == ["{ name }"]

    def test_documents_that_differ_in_anything_are_different(self) -> None:
        cache = CountingCache()
        texts = [
            "{ name }",
            "{name}",
            "{ name } ",
            "{ name(of: 1) }",
            "{ name(of: 2) }",
            "{ name } # a",
            "{ name } # b",
        ]

        assert len({id(cache.prepare(text).ast) for text in texts}) == len(texts)
        assert cache.read == texts

    def test_an_invalid_document_stays_invalid_and_spoils_no_other(self) -> None:
        cache = CountingCache()
        for _ in range(2):
            assert [error.message for error in cache.prepare("{ nothing }").errors]
            assert cache.prepare("{ name }").errors == []

        assert cache.read == ["{ nothing }", "{ name }"]

    def test_what_is_no_document_is_not_kept(self) -> None:
        cache = CountingCache()
        for _ in range(2):
            with pytest.raises(RequestRefused):
                cache.prepare("{ name")

        assert cache.read == ["{ name", "{ name"]

    def test_the_one_used_longest_ago_goes_first(self, bounded: Callable[[int, int], CountingCache]) -> None:
        cache = bounded(2, 1_000)
        for text in ("{a:name}", "{b:name}", "{a:name}", "{c:name}", "{a:name}", "{b:name}"):
            cache.prepare(text)

        assert cache.read == ["{a:name}", "{b:name}", "{c:name}", "{b:name}"]

    def test_it_is_bounded_in_characters_too(self, bounded: Callable[[int, int], CountingCache]) -> None:
        cache = bounded(100, 30)
        one, two, three = ("{ " + name + ": name }" for name in ("aaa", "bbb", "ccc"))
        for text in (one, two, three, three, two, one):
            cache.prepare(text)

        assert cache.read == [one, two, three, one]

    def test_a_document_larger_than_the_bound_is_answered_and_not_kept(
        self, bounded: Callable[[int, int], CountingCache]
    ) -> None:
        cache = bounded(100, 30)
        large = "{ name }" + " " * 30
        for text in (large, large, "{ name }", "{ name }"):
            assert cache.prepare(text).errors == []

        assert cache.read == [large, large, "{ name }"]


class TestWhatIsNoDocument:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "# only a comment",
            "{",
            "}",
            "{ name",
            "query {",
            "\0",
            '{ name(of: "',
            "{ name } }",
            "\ufeff\ufeff",
        ],
    )
    def test_it_is_refused_as_no_graphql(self, text: str) -> None:
        assert code_of(text) == "GRAPHQL_PARSE_FAILED"

    @pytest.mark.parametrize(
        "text",
        [
            "{ self " * 3_000,
            "{ self " * 3_000 + "}" * 3_000,
            "{ name(of: " + "[" * 4_000 + "]" * 4_000 + ") }",
            "{ name(of: " + "{a:" * 3_000,
            "query ($a: " + "[" * 4_000 + "Int" + "]" * 4_000 + ") { name }",
            "{" + "... { " * 3_000 + "name" + "}" * 3_001,
        ],
        ids=["unclosed", "fields", "lists", "objects", "types", "fragments"],
    )
    def test_so_is_what_is_nested_too_deeply(self, text: str) -> None:
        assert code_of(text) == "GRAPHQL_PARSE_FAILED"

    def test_what_would_take_too_long_to_check_is_told_so(self) -> None:
        chain = " ".join(f"fragment F{i} on Query {{ self {{ ...F{i + 1} }} }}" for i in range(1_000))
        text = "{ ...F0 } " + chain + " fragment F1000 on Query { name }"
        (error,) = DocumentCache(SCHEMA, trusted={text}).prepare(text).errors

        assert error.message == "The document is too large or too deeply nested to be checked. Send it in parts."

    def test_fragments_in_a_circle_are_invalid(self) -> None:
        text = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"

        assert DocumentCache(SCHEMA).prepare(text).errors

    def test_a_flood_of_mistakes_is_cut_short(self) -> None:
        errors = DocumentCache(SCHEMA).prepare("{" + " ".join(f"wrong{i}" for i in range(100)) + "}").errors

        assert 0 < len(errors) < 30


class TestOperations:
    TWO = "query A { name } query B { names } fragment F on Query { name }"

    def choose(self, text: str, name: str | None) -> str:
        operation = DocumentCache(SCHEMA).prepare(text).operation(name)
        return operation.name.value if operation.name else ""

    def test_the_only_one_needs_no_name(self) -> None:
        assert self.choose("{ name }", None) == self.choose("{ name }", "") == ""
        assert self.choose("query A { name }", None) == "A"

    def test_of_several_the_named_one_is_chosen(self) -> None:
        assert self.choose(self.TWO, "A") == "A"
        assert self.choose(self.TWO, "B") == "B"

    @pytest.mark.parametrize(
        ("text", "name", "sentence"),
        [
            (TWO, None, "The document has several operations: say in `operationName` which one to run."),
            (TWO, "", "The document has several operations: say in `operationName` which one to run."),
            (TWO, "C", "The document has no operation of the name that `operationName` gives."),
            (TWO, "F", "The document has no operation of the name that `operationName` gives."),
            ("{ name }", "A", "The document has no operation of the name that `operationName` gives."),
            ("fragment F on Query { name }", None, "The document has no operation to run."),
        ],
    )
    def test_anything_else_is_refused_in_a_sentence(self, text: str, name: str | None, sentence: str) -> None:
        with pytest.raises(RequestRefused, match=sentence):
            self.choose(text, name)


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("{ __typename }", True),
        ('{ __schema { types { name } } __type(name: "Query") { name } a: __typename }', True),
        ("{ __typename name }", False),
        ("{ __schema: name }", False),
        ("{ ... { __typename } }", False),
        ("{ ...F } fragment F on Query { name }", False),
    ],
)
def test_what_asks_for_the_schema_alone_is_known(text: str, alone: bool) -> None:
    assert only_introspects(DocumentCache(SCHEMA).prepare(text).operation(None)) is alone
