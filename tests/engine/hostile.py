"""Documents made to cost much, by what they abuse; each small enough to be sent, and most of them valid GraphQL."""

from graphql import get_introspection_query


def each(count: int, text: str) -> str:
    """Return a text over and over, `#` in it being the number of the copy."""
    return " ".join(text.replace("#", str(number)) for number in range(count))


def spelled(levels: int, below: str, last: str) -> str:
    """Return fragments each of which spreads the next one twice, as `below` has it at `@`."""
    chain = [f"fragment F{n} on District {{ {below.replace('@', f'...F{n + 1} ...F{n + 1}')} }}" for n in range(levels)]
    return f"{{ district {{ ...F0 }} }} {' '.join(chain)} fragment F{levels} on District {{ {last} }}"


# Each with a part of the sentence that refuses it.
REFUSED = {
    "500 aliased connections": (f"{{ {each(500, 'a#: schools { nodes { id } }')} }}", "500 connections; at most 100"),
    "500 connections below": (
        f"{{ district {{ {each(500, 'a#: schools { nodes { id } }')} }} }}",
        "500 connections; at most 100",
    ),
    "1000 aliased __typename": (f"{{ {each(1000, 'a#: __typename')} }}", "1000 root fields"),
    "600 repeats of a field": (f"{{ district {{ {each(600, 'name')} }} }}", "599 fields of one object"),
    "600 repeats of a root field": (f"{{ {each(600, 'district { name }')} }}", "600 root fields"),
    "600 repeats in fragments without a name": (f"{{ district {{ {each(600, '... { name }')} }} }}", "599 fields of one object"),
    "600 repeats by a spread": (
        f"{{ district {{ {each(600, '...F')} }} }} fragment F on District {{ name }}",
        "1198 fields of one object",
    ),
    "1000 operations": (each(1000, "query A# { __typename }"), "1000 operations; at most 50"),
    "1001 look-ups": (f"{{ {each(1001, 'a#: user(id: 1) { id }')} }}", "tokens"),
    "9000 fields": (f"{{ {each(9000, 'a#')} }}", "9000 root fields"),
    "3000 aliases below": (f"{{ district {{ {each(3000, 'a#: name')} }} }}", "2999 fields of one object"),
    "20000 tokens": (f"{{ {each(20_000, 'a')} }}", "20002 tokens; at most 10000"),
    "100001 characters": ("{ __typename }" + " " * 100_000, "100014 characters; at most 100000"),
    "1000 fragments": (f"{{ __typename }} {each(1000, 'fragment F# on Query { __typename }')}", "1000 fragments; at most 200"),
    "1500 directives": (f"{{ __typename {each(1500, '@skip(if: false)')} }}", "tokens"),
    "300 directives": (f"{{ __typename {each(300, '@skip(if: false)')} }}", "300 directives; at most 200"),
    "2000 variables": (f"query ({each(2000, '$a#: Int')}) {{ __typename }}", "2000 variables; at most 200"),
    "fragments that spell billions of fields": (spelled(100, "@", "name"), "fields of one object"),
    "fragments that spell hundreds of connections": (
        spelled(5, "a: schools { nodes { district { @ } } } b: schools { nodes { district { @ } } }", "name"),
        "connections; at most 100",
    ),
    "fragments that spell depth": (spelled(30, "schools { nodes { district { @ } } }", "name"), "levels of nested fields"),
    "a chain of fragments": (
        f"{{ ...F0 }} {' '.join(f'fragment F{n} on Query {{ ...F{n + 1} }}' for n in range(199))} fragment F199 on Query {{ __typename }}",
        "151 levels of nested fields and fragments",
    ),
    "deep nesting": ("{" + " district { schools { nodes {" * 15 + " id" + "}" * 46, "levels of nested fields"),
    "lists within lists": ("{" + " sections { nodes { students { nodes {" * 4 + " id" + "}" * 17, "8 levels of lists within lists; at most 6"),
    "deep introspection": (
        "{ __schema { types {" + " fields { type {" * 4 + " name" + "}" * 11,
        "4 levels of lists within lists of the schema's own; at most 2",
    ),
    "deep introspection in fragments": (
        "{ __schema { types { ...A } } } fragment A on __Type { fields { type { ...B } } } "
        "fragment B on __Type { fields { type { fields { name } } } }",
        "3 levels of lists within lists of the schema's own",
    ),
}  # fmt: skip

# Answered, or told what is wrong with them: a part of the first message, nothing where they are valid.
JUDGED = {
    "900 times the same look-up": (f"{{ {each(900, 'user(id: 1) { id }')} }}", ""),
    "700 look-ups": (f"{{ {each(700, 'a#: user(id: 1) { id }')} }}", ""),
    "500 look-ups of the benchmark": (
        "query Q5 { " + each(500, 'u#: user(id: "a#") { id: cleverId name { first last } email }') + " }",
        "",
    ),
    "look-ups that repeat each other": (
        f"{{ {each(60, 'user(id: 1) { student { school { name name } school { name name } } }')} }}",
        "",
    ),
    "look-ups that contradict each other": (f"{{ {each(900, 'user(id: #) { id }')} }}", "Two fields of one name"),
    "9000 ids": (f"{{ nodes(ids: [{each(9000, '#')}]) {{ id }} }}", ""),
    "a circle": ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "Cannot spread fragment"),
    "4000 unknown fields": (f"{{ district {{ {each(4000, 'a#')} }} }}", "The document does not fit the schema here"),
    "9000 fields of nothing": (f"{{ a {{ {each(9000, 'a#')} }} }}", "The document does not fit the schema here"),
    "3000 arguments": (f"{{ user(id: 1 {each(3000, 'a#: 1')}) {{ id }} }}", "The document does not fit the schema here"),
    "the same argument 3000 times": (f"{{ user({each(3000, 'id: 1')}) {{ id }} }}", "The document does not fit the schema"),
    "200 variables": (
        f"query ({each(200, '$a#: ID!')}) {{ {each(200, 'b#: user(id: $a#) { id }')} }}",
        "",
    ),
    "50 operations over one fragment": (
        f"{each(50, 'query A#($a: ID! $b: ID!) { ...F }')} fragment F on Query {{ {each(600, 'b#: user(id: $a) { id }')} }}",
        "The document does not fit the schema here",
    ),
    "a string of 98000 characters": ('{ user(id: "' + "x" * 98_000 + '") { id } }', ""),
    "a block of 40000 lines": ('{ user(id: """x' + "\n" * 40_000 + '""") { id } }', ""),
    "a string of 15000 escapes": ('{ user(id: "' + "\\u0041" * 15_000 + '") { id } }', ""),
    "an Int of 98000 digits": (f"{{ users(first: {'9' * 98_000}) {{ nodes {{ id }} }} }}", "Expected value of type 'Int'"),
    "an id of 98000 digits": (f"{{ user(id: {'9' * 98_000}) {{ id }} }}", ""),
    "98000 spaces": (" " * 98_000 + "{ __typename }", ""),
    "comments": ("#\n" * 40_000 + "{ __typename }", ""),
    "a name of 90000 letters": (f"{{ {'a' * 90_000} }}", "Cannot query field"),
    "introspection": (get_introspection_query(), ""),
}  # fmt: skip

UNREAD = {
    "braces": "{" * 9_000,
    "brackets": "{ nodes(ids: " + "[" * 9_000,
    "an end that never comes": "{" + "\n" * 98_000 + " a",
    "a string that never ends": '{ user(id: "' + "x" * 98_000,
    "a block that never ends": '{ user(id: """' + 'x"' * 45_000,
    "escapes that are none": '{ user(id: "' + "\\q" * 45_000 + '") { id } }',
    "quotes": '"' * 9_001,
    "types": f"type A {{ {each(3000, 'a#: Int')} }}",
    "dots": "." * 98_000,
    "digits and letters": f"{{ user(id: {'9' * 50_000}a) }}",
    "nested lists of types": "query ($a: " + "[" * 4_000 + "Int" + "]" * 4_000 + ") { __typename }",
}
