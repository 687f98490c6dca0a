"""Documents made by chance, right and wrong ones, over a small schema that has every kind of output type."""

from random import Random

from graphql import build_schema

SCHEMA = build_schema("""
    type Query { self: Query! node(id: ID!, at: Int = 3): Node pets(first: Int, kinds: [Kind!]): [Pet] count(of: Int!): Int
                 name: String names: [String!] dog: Dog search: Found required: String! }
    interface Node { id: ID! name: String self: Node }
    interface Pet implements Node { id: ID! name: String self: Pet friends(first: Int): [Pet!] }
    type Dog implements Pet & Node { id: ID! name: String self: Dog friends(first: Int): [Pet!] barks: Boolean age: Int }
    type Cat implements Pet & Node { id: ID! name: String self: Cat friends(first: Int): [Pet!] barks: String age: Int! }
    type Stone { weight(unit: Kind = BIG): Float name: String! }
    union Found = Dog | Stone
    enum Kind { BIG SMALL }
""")

FIELDS = {
    "Query": ("self", "node", "pets", "count", "name", "names", "dog", "search", "required", "__typename", "__type"),
    "Node": ("id", "name", "self", "__typename"),
    "Pet": ("id", "name", "self", "friends", "__typename"),
    "Dog": ("id", "name", "self", "friends", "barks", "age"),
    "Cat": ("id", "name", "self", "friends", "barks", "age"),
    "Stone": ("weight", "name"),
    "Found": ("__typename",),
}
BELOW = {
    "self": None, "node": "Node", "pets": "Pet", "dog": "Dog", "search": "Found", "friends": "Pet", "__type": "__Type",
}  # fmt: skip
ARGUMENTS = {
    "node": (("id", ("1", '"a"', "$id", "$other", "null")), ("at", ("2", "$int", "1.5"))),
    "pets": (("first", ("1", "$int", "null", "12345678901", "true")), ("kinds", ("BIG", "[SMALL]", "[$kind]", "[HUGE]", "$kind"))),
    "count": (("of", ("1", "$int", "$other")),),
    "friends": (("first", ("1", "2", "$int")),),
    "weight": (("unit", ("BIG", "$kind", "3")),),
    "__type": (("name", ('"Dog"', "$id")),),
}  # fmt: skip
VARIABLES = ("$id: ID!", "$id: ID", "$int: Int", "$int: Int! = 3", "$int: Int = 3", "$kind: Kind!", "$other: String")
CONDITIONS = {
    "Query": ("Query",), "Node": ("Node", "Pet", "Dog", "Cat"), "Pet": ("Node", "Pet", "Dog", "Cat"),
    "Dog": ("Node", "Pet", "Dog"), "Cat": ("Node", "Pet", "Cat"), "Stone": ("Stone",), "Found": ("Dog", "Stone", "Pet"),
}  # fmt: skip
DIRECTIVES = (" @include(if: true)", " @skip(if: $flag)", " @skip", " @skip(if: 1)", " @unknown", " @deprecated")


class Author:
    """Writes one document; `wrong` is how often something arbitrary stands where it may not."""

    def __init__(self, seed: int) -> None:
        self.by = Random(seed)
        self.wrong = self.by.choice((0.0, 0.0, 0.0, 0.02, 0.1))
        names = [f"F{number}" for number in range(self.by.choice((0, 0, 1, 2, 3)))]
        self.fragments = {name: self.by.choice(("Query", "Node", "Pet", "Dog", "Cat", "Found")) for name in names}
        self.variables = [one for one in VARIABLES if self.chance(self.by.choice((0.0, 0.0, 0.3)))]

    def chance(self, of: float) -> bool:
        return self.by.random() < of

    def document(self) -> str:
        parts = [self.operation(number) for number in range(1 if self.chance(0.8) else 2)]
        for name, condition in self.fragments.items():
            condition = "Kind" if self.chance(self.wrong / 3) else condition
            parts.append(f"fragment {name} on {condition}{self.directive()} {self.selections(condition, 3)}")
        self.by.shuffle(parts)
        return " ".join(parts)

    def operation(self, number: int) -> str:
        variables = [*self.variables, *(["$flag: Boolean!"] if self.chance(self.wrong) else [])]
        declared = f"({' '.join(variables)})" if variables else ""
        name = f"A{0 if self.chance(self.wrong) else number}"
        return f"query {name}{declared}{self.directive()} {self.selections('Query', 4)}"

    def directive(self) -> str:
        return self.by.choice(DIRECTIVES) if self.chance(self.wrong / 3 + 0.01) else ""

    def selections(self, parent: str, levels: int) -> str:
        return "{ " + " ".join(self.selection(parent, levels) for _ in range(self.by.randrange(1, 4))) + " }"

    def selection(self, parent: str, levels: int) -> str:
        spreads = [
            name for name, on in self.fragments.items() if on in CONDITIONS.get(parent, ()) or self.chance(self.wrong)
        ]
        if spreads and self.chance(0.4):
            return f"...{self.by.choice(spreads)}{self.directive()}"
        if levels and self.chance(0.15):
            condition = self.by.choice(list(FIELDS) if self.chance(self.wrong) else CONDITIONS.get(parent, ("Node",)))
            return f"... on {condition}{self.directive()} {self.selections(condition, levels - 1)}"
        name = self.by.choice(
            FIELDS.get(parent, ("name",)) if not self.chance(self.wrong) else ("id", "nothing", "self")
        )
        alias = f"{self.by.choice('abc')}: " if self.chance(0.3) else ""
        return f"{alias}{name}{self.arguments(name)}{self.directive()}{self.below(parent, name, levels)}"

    def arguments(self, name: str) -> str:
        given = [
            f"{argument}: {values[0] if self.chance(0.6) else self.by.choice(self.usable(values))}"
            for position, (argument, values) in enumerate(ARGUMENTS.get(name, ()))
            if self.chance(1 - self.wrong if position == 0 else 0.3)
        ]
        return f"({' '.join(given)})" if given else ""

    def usable(self, values: tuple[str, ...]) -> list[str]:
        """Return the values whose variables are declared, and now and then the others too."""
        declared = {one.partition(":")[0] for one in self.variables}
        known = [one for one in values if "$" not in one or one.strip("[]") in declared]
        return [one for one in known if "$" in one] or [values[0]] if not self.chance(self.wrong) else list(values)

    def below(self, parent: str, name: str, levels: int) -> str:
        if name not in BELOW or self.chance(self.wrong):
            return ""
        target = BELOW[name] or parent
        return f" {self.selections(target, levels - 1)}" if levels else " { __typename }"
