"""Validity: what we call valid is what graphql-core calls valid, document by document."""

import pytest
from graphql import GraphQLSchema, parse, validate
from graphql.validation import MaxIntrospectionDepthRule, specified_rules
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine.documents import DocumentCache
from gateway.engine.merging import Conflict
from gateway.engine.reading import read_document
from gateway.engine.tokens import Tokens
from gateway.engine.types import Types
from gateway.engine.validity import Invalid, check_validity
from gateway.schema.build import build_schema
from tests.engine.generated import SCHEMA, Author

# Levels of introspection are a limit of ours.
RULES = [rule for rule in specified_rules if rule is not MaxIntrospectionDepthRule]
OURS = build_schema()._schema


def is_valid(text: str, schema: GraphQLSchema = SCHEMA) -> bool:
    try:
        check_validity(Types(schema), read_document(Tokens(text)))
    except (Invalid, Conflict):
        return False
    return True


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**64))
def test_documents_made_by_chance_are_judged_as_graphql_core_judges_them(seed: int) -> None:
    text = Author(seed).document()
    errors = validate(SCHEMA, parse(text), RULES)

    assert is_valid(text) is (errors == []), (text, errors)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("{ name }", True),
        ("{ }", True),
        ("{ name name name }", True),
        ("{ name: required }", True),
        ("{ name name: required }", False),
        ("{ count(of: 1) count(of: 1) }", True),
        ("{ count(of: 1) count(of: 2) }", False),
        ('{ node(id: "a") { id } node(id: "a") { name } }', True),
        ('{ node(id: "1") { id } node(id: 1) { id } }', False),
        ('{ node(id: """a""") { id } node(id: "a") { id } }', False),
        ("{ node(id: 1, at: 2) { id } node(at: 2, id: 1) { id } }", True),
        ("{ node(id: 1) { ... on Dog { barks } ... on Cat { barks } } }", False),
        ("{ node(id: 1) { ... on Dog { age } ... on Cat { age } } }", False),
        ("{ node(id: 1) { ... on Dog { a: name } ... on Cat { a: id } } }", False),
        ("{ node(id: 1) { ... on Dog { friends(first: 1) { id } } ... on Cat { friends(first: 2) { id } } } }", True),
        ("{ node(id: 1) { ... on Dog { self { a: id } } ... on Cat { self { a: name } } } }", False),
        ("{ self { ...A ...B } } fragment A on Query { a: name } fragment B on Query { a: names }", False),
        ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", False),
        ("query ($a: [Kind!]) { pets(kinds: $a) { id } }", True),
        ("query ($a: [Kind]) { pets(kinds: $a) { id } }", False),
        ("query ($a: Int = 1) { count(of: $a) }", True),
        ("query ($a: Int = null) { count(of: $a) }", False),
        ("query ($a: Dog) { name }", False),
        ("query A { name } { names }", False),
        ("query A { ...F } query B { names } fragment F on Query { name }", True),
        ("query A($a: Int) { ...F } query B { ...F } fragment F on Query { pets(first: $a) { id } }", False),
        ("mutation { name }", False),
        ("subscription { name }", False),
        ("type A { a: Int }", False),
        ("{ name @include(if: true) @include(if: true) }", False),
        ("{ pets(first: 1, first: 1) { id } }", False),
        ("{ pets(first: {a: 1}) { id } }", False),
        ('{ __schema { types { name } } __type(name: "Dog") { name } }', True),
        ("{ self { __schema { types { name } } } }", True),
        ("{ dog { __schema { types { name } } } }", False),
    ],
)
def test_the_corners_of_the_rules(text: str, valid: bool) -> None:
    assert (validate(SCHEMA, parse(text), RULES) == []) is valid
    if not text.startswith("type"):
        assert is_valid(text) is valid
    assert (DocumentCacheOf(SCHEMA).errors(text) == []) is valid


class DocumentCacheOf(DocumentCache):
    def errors(self, text: str) -> list[str]:
        return [error.message for error in self.prepare(text).errors]


class TestMessages:
    def test_a_small_document_is_told_what_graphql_core_says(self) -> None:
        assert DocumentCacheOf(OURS).errors("{ distrikt { name } }") == [
            "Cannot query field 'distrikt' on type 'Query'. Did you mean 'district' or 'districts'?"
        ]

    def test_suggestions_can_be_left_out(self) -> None:
        cache = DocumentCacheOf(OURS, suggestions=False)

        assert cache.errors("{ distrikt { name } }") == ["Cannot query field 'distrikt' on type 'Query'."]
        assert "Did you mean" not in str(cache.errors("{ users(rol: STUDENT) { nodes { id } } }"))
        assert "Did you mean" not in str(cache.errors("{ users(role: STUDNT) { nodes { id } } }"))
        assert "Did you mean" not in str(cache.errors("{ node(id: 1) { nam } }"))

    def test_a_large_one_is_told_where(self) -> None:
        text = "{ district {" + " name" * 50 + " }\n distrikt { name } " + 'user(id: "1") { id } ' * 150 + "}"
        (error,) = DocumentCache(OURS).prepare(text).errors

        assert error.message == (
            "The document does not fit the schema here. A document of at most 1000 tokens is told why."
        )
        assert error.locations
        assert (error.locations[0].line, error.locations[0].column) == (2, 2)

    def test_fields_that_cannot_be_merged_are_pointed_at(self) -> None:
        (error,) = DocumentCache(OURS).prepare('{ user(id: "1") { id } user(id: "2") { id } }').errors

        assert error.message == "Two fields of one name ask for different things here. Give one of them an alias."
        assert [place.column for place in error.locations or ()] == [3, 24]
