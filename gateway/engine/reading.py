"""From a document's text to graphql-core's nodes, three times as fast as graphql-core's own parser.

Nodes are made without the constructors of frozen dataclasses. What this does not read is no executable document; a test
compares the nodes with those of `graphql.parse`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    Lexer,
    ListTypeNode,
    ListValueNode,
    Location,
    NamedTypeNode,
    NameNode,
    Node,
    NonNullTypeNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    Source,
    StringValueNode,
    Token,
    TokenKind,
    VariableDefinitionNode,
    VariableNode,
)

from gateway.engine.tokens import Tokens, Unread

T = TypeVar("T", bound=Node)

_DEEPEST = 200
# Nodes are frozen dataclasses over a plain `__dict__`; what is left out of it has the class's default. Names have no
# place of their own: no message points at a name rather than at what it names.
_set = object.__setattr__
_OPERATIONS = {kind.value: kind for kind in OperationType}


class Place(Location):
    """Where a node stands; the tokens, which hardly anybody asks for, are made when they are."""

    __slots__ = ()

    def __init__(self, start: int, end: int, source: Source) -> None:
        self.start = start
        self.end = end
        self.source = source

    @property
    def start_token(self) -> Token:  # type: ignore[override]
        """Return the first token."""
        place = self.source.get_location(self.start)
        return Token(TokenKind.NAME, self.start, self.end, place.line, place.column)

    @property
    def end_token(self) -> Token:  # type: ignore[override]
        """Return the last token."""
        return self.start_token


def read_document(tokens: Tokens) -> DocumentNode:
    """Return the document of some tokens. Raises Unread, GraphQLSyntaxError and RecursionError."""
    return _Reader(tokens).document()


class _Reader:
    def __init__(self, tokens: Tokens) -> None:
        self._kinds = tokens.kinds
        self._values = tokens.values
        self._starts = tokens.starts
        self._ends = tokens.ends
        self._source = Source(tokens.text)
        self._at = 0
        self._level = 0

    def document(self) -> DocumentNode:
        definitions = [self._definition()]
        while self._kinds[self._at] != "end":
            definitions.append(self._definition())
        loc = Place(0, self._ends[-1], self._source)
        attributes = {"definitions": tuple(definitions), "loc": loc, "token_count": len(self._kinds) - 1}
        node = DocumentNode.__new__(DocumentNode)
        _set(node, "__dict__", attributes)
        return node

    def _make(self, kind: type[T], start: int, **attributes: Any) -> T:
        """Make a node that began at the token `start` and ends before the one at hand."""
        node = kind.__new__(kind)
        attributes["loc"] = Place(self._starts[start], self._ends[self._at - 1], self._source)
        _set(node, "__dict__", attributes)
        return node

    def _unread(self) -> Unread:
        return Unread(self._starts[self._at])

    def _expect(self, kind: str) -> None:
        if self._kinds[self._at] != kind:
            raise self._unread()
        self._at += 1

    def _take(self, kind: str) -> bool:
        if self._kinds[self._at] == kind:
            self._at += 1
            return True
        return False

    def _keyword(self, word: str) -> None:
        if self._kinds[self._at] != "n" or self._values[self._at] != word:
            raise self._unread()
        self._at += 1

    def _deeper(self) -> None:
        self._level += 1
        if self._level > _DEEPEST:
            raise RecursionError

    def _name(self) -> NameNode:
        at = self._at
        if self._kinds[at] != "n":
            raise Unread(self._starts[at])
        self._at = at + 1
        node = NameNode.__new__(NameNode)
        _set(node, "__dict__", {"value": self._values[at]})
        return node

    def _definition(self) -> OperationDefinitionNode | FragmentDefinitionNode:
        start = self._at
        if self._kinds[start] == "{":
            return self._make_operation(start, OperationType.QUERY, None, None, None, None)
        description = self._string() if self._kinds[start] in ("s", "b") else None
        if self._kinds[self._at] != "n":
            raise self._unread()
        word = self._values[self._at]
        if word == "fragment":
            return self._fragment(start, description)
        if word not in _OPERATIONS:
            raise self._unread()
        self._at += 1
        name = self._name() if self._kinds[self._at] == "n" else None
        variables = self._many("(", ")", self._variable_definition)
        return self._make_operation(start, _OPERATIONS[word], description, name, variables, self._directives(False))

    def _make_operation(self, start: int, operation: OperationType, *parts: Any) -> OperationDefinitionNode:
        description, name, variables, directives = parts
        selection_set = self._selection_set()
        return self._make(
            OperationDefinitionNode,
            start,
            operation=operation,
            description=description,
            name=name,
            variable_definitions=variables,
            directives=directives,
            selection_set=selection_set,
        )

    def _fragment(self, start: int, description: StringValueNode | None) -> FragmentDefinitionNode:
        self._at += 1
        if self._values[self._at] == "on":
            raise self._unread()
        name = self._name()
        self._keyword("on")
        condition, directives, selection_set = self._named_type(), self._directives(False), self._selection_set()
        return self._make(
            FragmentDefinitionNode,
            start,
            description=description,
            name=name,
            variable_definitions=(),
            type_condition=condition,
            directives=directives,
            selection_set=selection_set,
        )

    def _variable_definition(self) -> VariableDefinitionNode:
        start = self._at
        description = self._string() if self._kinds[start] in ("s", "b") else None
        variable = self._variable()
        self._expect(":")
        kind = self._type()
        default = self._value(True) if self._take("=") else None
        directives = self._directives(True)
        return self._make(
            VariableDefinitionNode,
            start,
            description=description,
            variable=variable,
            type=kind,
            default_value=default,
            directives=directives,
        )

    def _variable(self) -> VariableNode:
        start = self._at
        self._expect("$")
        name = self._name()
        return self._make(VariableNode, start, name=name)

    def _type(self) -> Any:
        start = self._at
        if self._take("["):
            self._deeper()
            inner = self._type()
            self._level -= 1
            self._expect("]")
            kind: Any = self._make(ListTypeNode, start, type=inner)
        else:
            kind = self._named_type()
        return self._make(NonNullTypeNode, start, type=kind) if self._take("!") else kind

    def _named_type(self) -> NamedTypeNode:
        start = self._at
        name = self._name()
        return self._make(NamedTypeNode, start, name=name)

    def _selection_set(self) -> SelectionSetNode:
        self._deeper()
        start = self._at
        self._expect("{")
        kinds = self._kinds
        selections: list[Any] = []
        while (kind := kinds[self._at]) != "}":
            selections.append(self._field() if kind == "n" else self._spread())
        self._at += 1
        self._level -= 1
        return self._make(SelectionSetNode, start, selections=tuple(selections))

    def _field(self) -> FieldNode:
        start = self._at
        name, alias = self._name(), None
        kind = self._kinds[self._at]
        if kind == ":":
            self._at += 1
            name, alias = self._name(), name
            kind = self._kinds[self._at]
        arguments = directives = selection_set = None
        if kind == "(":
            arguments = self._many("(", ")", self._argument)
            kind = self._kinds[self._at]
        if kind == "@":
            directives = self._directives(False)
            kind = self._kinds[self._at]
        if kind == "{":
            selection_set = self._selection_set()
        node = FieldNode.__new__(FieldNode)
        attributes = {
            "alias": alias,
            "name": name,
            "arguments": arguments,
            "directives": directives,
            "selection_set": selection_set,
            "loc": Place(self._starts[start], self._ends[self._at - 1], self._source),
        }
        _set(node, "__dict__", attributes)
        return node

    def _spread(self) -> FragmentSpreadNode | InlineFragmentNode:
        start = self._at
        self._expect("...")
        is_name = self._kinds[self._at] == "n"
        if is_name and self._values[self._at] != "on":
            name, directives = self._name(), self._directives(False)
            return self._make(FragmentSpreadNode, start, name=name, directives=directives)
        if is_name:
            self._at += 1
        condition = self._named_type() if is_name else None
        directives, selection_set = self._directives(False), self._selection_set()
        return self._make(
            InlineFragmentNode, start, type_condition=condition, directives=directives, selection_set=selection_set
        )

    def _many(self, opening: str, closing: str, read: Callable[[], T]) -> tuple[T, ...] | None:
        if not self._take(opening):
            return None
        nodes = [read()]
        while not self._take(closing):
            nodes.append(read())
        return tuple(nodes)

    def _argument(self, is_const: bool = False) -> ArgumentNode:
        start = self._at
        name = self._name()
        self._expect(":")
        value = self._value(is_const)
        return self._make(ArgumentNode, start, name=name, value=value)

    def _const_argument(self) -> ArgumentNode:
        return self._argument(True)

    def _directives(self, is_const: bool) -> tuple[DirectiveNode, ...] | None:
        directives = []
        while self._kinds[self._at] == "@":
            start = self._at
            self._at += 1
            name = self._name()
            arguments = self._many("(", ")", self._const_argument if is_const else self._argument)
            directives.append(self._make(DirectiveNode, start, name=name, arguments=arguments))
        return tuple(directives) or None

    def _value(self, is_const: bool) -> Any:
        start = self._at
        kind, value = self._kinds[start], self._values[start]
        if kind in ("s", "b"):
            return self._string()
        if kind == "[" or kind == "{":
            return self._list(start, is_const) if kind == "[" else self._object(start, is_const)
        if kind == "$" and not is_const:
            return self._variable()
        if kind not in ("n", "i", "f"):
            raise self._unread()
        self._at += 1
        if kind == "i":
            return self._make(IntValueNode, start, value=value)
        if kind == "f":
            return self._make(FloatValueNode, start, value=value)
        if value in ("true", "false"):
            return self._make(BooleanValueNode, start, value=value == "true")
        return self._make(NullValueNode, start) if value == "null" else self._make(EnumValueNode, start, value=value)

    def _string(self) -> StringValueNode:
        start = self._at
        self._at += 1
        is_block = self._kinds[start] == "b"
        value = self._values[start][1:-1]
        if is_block:
            value = Lexer(self._source).read_block_string(self._starts[start]).value or ""
        elif "\\" in value:
            value = Lexer(self._source).read_string(self._starts[start]).value or ""
        return self._make(StringValueNode, start, value=value, block=is_block)

    def _list(self, start: int, is_const: bool) -> ListValueNode:
        self._deeper()
        self._at += 1
        values = []
        while not self._take("]"):
            values.append(self._value(is_const))
        self._level -= 1
        return self._make(ListValueNode, start, values=tuple(values))

    def _object(self, start: int, is_const: bool) -> ObjectValueNode:
        self._deeper()
        self._at += 1
        fields = []
        while not self._take("}"):
            begin = self._at
            name = self._name()
            self._expect(":")
            value = self._value(is_const)
            fields.append(self._make(ObjectFieldNode, begin, name=name, value=value))
        self._level -= 1
        return self._make(ObjectValueNode, start, fields=tuple(fields))
