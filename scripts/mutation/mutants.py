"""Mutants: one place of a file changed, as a replacement of text that shows as a small diff.

The operators are our own. Measured on this library, cosmic-ray's make 2,665 mutants, of which
three quarters put an operator in the place of any other (``+`` by ``<<``), which the first call
refuses; mutmut leaves decorated functions alone, which here are all nine losses and their
constructors. Neither removes a check, drops a cast, exchanges arguments or renames a spelling, and
both start a test command for each mutant, where starting Paddle costs more than the checks do.

Not mutated, because no row can tell: docstrings, annotations and aliases of types, imports,
``__all__``, wording of messages (texts with a space and f-strings; the contract asks that they name
what was expected and received, and the exchange of those two is a mutant), ``stacklevel``, and
conversions to the type that a value has already (``tuple``, ``list``, ``bool``, ``str``), or to
one that only forbids writing (``MappingProxyType``).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable, Union

Edit = tuple[int, int, str]
"""Start and end in bytes, and what stands there instead."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Args:
        file: the file, relative to the package's folder.
        operator: the kind of change.
        function: the qualified name of the function or class around it; empty at module level.
        lines: the first and the last line of the statement that is changed, or of its header.
        old: the changed lines as they were, joined by single spaces.
        new: the same lines after the change.
        text: the whole file after the change.
    """

    file: str
    operator: str
    function: str
    lines: tuple[int, int]
    old: str
    new: str
    text: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names the mutant as long as these lines stay as they are."""
        return self.file, self.function, self.old, self.new


class Source:
    """A file's text and its tree, with the places of nodes in it."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self.tree = ast.parse(text)
        self.starts = [0]
        for line in self.data.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.parents = {
            child: parent
            for parent in ast.walk(self.tree)
            for child in ast.iter_child_nodes(parent)
        }

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where a node starts and ends, in bytes."""
        place: ast.expr = node  # type: ignore[assignment]
        assert place.end_lineno is not None
        assert place.end_col_offset is not None
        start = self.starts[place.lineno - 1] + place.col_offset
        return start, self.starts[place.end_lineno - 1] + place.end_col_offset

    def text(self, node: ast.AST) -> str:
        """A node's source, in brackets where it could fall apart elsewhere."""
        start, end = self.span(node)
        found = self.data[start:end].decode()
        return found if isinstance(node, ATOMS) else f"({found})"

    def replaced(self, node: ast.AST, text: str) -> Edit:
        """Something in the place of a node."""
        return (*self.span(node), text)

    def swapped(self, first: ast.AST, second: ast.AST) -> Edit:
        """Two nodes of one list, each in the other's place."""
        (a, b), (c, d) = self.span(first), self.span(second)
        text = self.data[c:d] + self.data[b:c] + self.data[a:b]
        return a, d, text.decode()

    def between(self, left: ast.AST, right: ast.AST, old: str, new: str) -> Edit:
        """Another operator between two operands."""
        start, end = self.span(left)[1], self.span(right)[0]
        gap = self.data[start:end].decode()
        edge = r"\b" if old[0].isalpha() else ""
        found = re.search(edge + r"\s+".join(map(re.escape, old.split())) + edge, gap)
        assert found is not None, gap
        offset = start + len(gap[: found.start()].encode())
        return offset, offset + len(found[0].encode()), new

    def without(self, nodes: list[ast.AST], index: int) -> Edit:
        """A list of nodes, one of them and its comma left out."""
        start, end = self.span(nodes[index])
        if index + 1 < len(nodes):
            return start, self.span(nodes[index + 1])[0], ""
        return self.span(nodes[index - 1])[1] if index else start, end, ""


ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Constant, ast.Subscript, ast.List, ast.Dict)

Operator = Callable[[Source, ast.AST], Iterator[Edit]]

BOUNDARIES: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<", "<=", ">="),
    ast.LtE: ("<=", "<", ">"),
    ast.Gt: (">", ">=", "<="),
    ast.GtE: (">=", ">", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Pow: ("**", "*"),
    ast.BitOr: ("|", "&"),
}
AUGMENTED = {ast.Add: ("+=", "-="), ast.Sub: ("-=", "+="), ast.Mult: ("*=", "+=")}
STRINGS = {
    "none": "mean",
    "mean": "sum",
    "sum": "none",
    "float64": "float32",
    "float32": "float64",
    "int64": "int32",
    "int32": "int64",
    "inf": "-inf",
    "-inf": "inf",
}
DTYPES = {
    "float16": "float32",
    "bfloat16": "float32",
    "float32": "float64",
    "float64": "float32",
    "int8": "uint8",
    "uint8": "int8",
    "int16": "int32",
    "int32": "int64",
    "int64": "int32",
    "bool": "int32",
}
_PAIRS = (
    ("sum", "mean"),
    ("maximum", "minimum"),
    ("max", "min"),
    ("amax", "amin"),
    ("any", "all"),
    ("logical_and", "logical_or"),
    ("isnan", "isinf"),
    ("log1p", "log"),
    ("unsqueeze", "squeeze"),
    ("ceil", "floor"),
    ("lower", "upper"),
    ("reject_value", "reject_type"),
    ("check_real_label", "check_class_label"),
    ("check_same_rank", "check_broadcast"),
)
FUNCTIONS = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}
FUNCTIONS.update(isfinite="isnan", rpartition="partition", clamp_passing="shut")
NAMES = {
    "ValueError": "TypeError",
    "TypeError": "ValueError",
    "UserWarning": "DeprecationWarning",
    "DeprecationWarning": "UserWarning",
}
COMMUTATIVE = {"maximum", "minimum", "max", "min", "logical_and", "logical_or"}
COMMUTATIVE |= {"may_equal", "may_be_equal", "product_error"}
CONVERSIONS = {"tuple", "list", "bool", "str", "dict", "MappingProxyType"}
OTHERS = {"full", "len", "range", "repr", "type", "isinstance", "getattr", "zip", "enumerate"}
"""Functions whose first argument is nothing like their result."""
MODULES = {"paddle", "F", "np", "math", "inspect", "functools", "warnings", "_checks"}
NAMING = {"torch_names", "result_dtype"}
"""Functions that make more than a message of the names of their keywords."""


def comparison(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``<`` as ``<=`` and as ``>=``, ``==`` as ``!=``."""
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for left, kind, right in zip(operands, node.ops, operands[1:]):
            old, *others = BOUNDARIES[type(kind)]
            for new in others:
                yield source.between(left, right, old, new)


def arithmetic(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``+`` as ``-``, ``*`` as ``/``."""
    if isinstance(node, ast.BinOp):
        yield source.between(node.left, node.right, *ARITHMETIC[type(node.op)])
    elif isinstance(node, ast.AugAssign):
        yield source.between(node.target, node.value, *AUGMENTED[type(node.op)])


def unary(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``-x`` and ``not x`` as ``x``."""
    if isinstance(node, ast.UnaryOp):
        yield source.replaced(node, source.text(node.operand))


def boolean(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``and`` as ``or``."""
    if isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:]):
            yield source.between(left, right, old, new)


def operand(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``a and b`` as ``a`` and as ``b``."""
    if isinstance(node, ast.BoolOp):
        old = " and " if isinstance(node.op, ast.And) else " or "
        for index in range(len(node.values)):
            left = [source.text(each) for each in node.values]
            del left[index]
            yield source.replaced(node, old.join(left))


def condition(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``if c`` as ``if not c``, where no other operator does that."""
    if isinstance(node, (ast.If, ast.IfExp)):
        single = isinstance(node.test, ast.Compare) and len(node.test.ops) == 1
        if not single and not isinstance(node.test, ast.UnaryOp):
            yield source.replaced(node.test, f"not {source.text(node.test)}")


def number(source: Source, node: ast.AST) -> Iterator[Edit]:
    """An integer one more and one less, any other number twice as large."""
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return
    if isinstance(node.value, int):
        yield source.replaced(node, str(node.value + 1))
        if node.value > 0:
            yield source.replaced(node, str(node.value - 1))
    elif isinstance(node.value, float):
        yield source.replaced(node, repr(2 * node.value or 1.0))


def constant(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``True`` as ``False``, ``None`` as ``0``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, type(None))):
        parent = source.parents[node]
        if not isinstance(parent, ast.Compare):
            yield source.replaced(node, "0" if node.value is None else str(not node.value))


def string(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A reduction, a dtype or a name as another one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
        yield source.replaced(node, f'"{STRINGS.get(node.value, "mutant")}"')


def dtype(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``paddle.float64`` as ``paddle.float32``."""
    if isinstance(node, ast.Attribute) and node.attr in DTYPES and _is_module(node.value):
        yield source.replaced(node, f"paddle.{DTYPES[node.attr]}")


def function(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``sum`` as ``mean``, ``maximum`` as ``minimum``, ``any`` as ``all``."""
    if isinstance(node, ast.Call) and _called(node) in FUNCTIONS:
        name, end = _called(node), source.span(node.func)[1]
        yield end - len(name), end, FUNCTIONS[name]


def name(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``ValueError`` as ``TypeError``."""
    if isinstance(node, ast.Name) and node.id in NAMES:
        yield source.replaced(node, NAMES[node.id])


def call(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``f(x)`` and ``x.f()`` as ``x``, ``where(c, x, y)`` as ``x`` and as ``y``."""
    if not isinstance(node, ast.Call) or isinstance(source.parents[node], (ast.Expr, ast.Raise)):
        return
    kept: list[ast.expr] = []
    if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value):
        kept = [node.func.value]
    elif _called(node) == "where":
        kept = node.args[1:]
    elif _called(node) in COMMUTATIVE:
        kept = node.args
    elif _called(node) not in CONVERSIONS | OTHERS:
        kept = node.args[:1]
    for each in kept:
        if not isinstance(each, ast.Starred):
            yield source.replaced(node, source.text(each))


def arguments(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``f(a, b)`` as ``f(b, a)``, where both are of one kind or the results of a choice."""
    if not isinstance(node, ast.Call) or _called(node) in COMMUTATIVE:
        return
    chosen = _called(node) == "where"
    for left, right in zip(node.args[chosen:], node.args[1 + chosen :]):
        if (chosen or type(left) is type(right)) and ast.dump(left) != ast.dump(right):
            yield source.swapped(left, right)


def keyword(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``f(a, b=c)`` as ``f(a)``, and ``names(b=c)`` as ``names(mutant=c)``."""
    if not isinstance(node, ast.Call):
        return
    given: list[ast.AST] = [*node.args, *node.keywords]
    for index, each in enumerate(given):
        if isinstance(each, ast.keyword) and each.arg not in (None, "stacklevel"):
            yield source.without(given, index)
            if _called(node) in NAMING:
                assert each.arg is not None
                start = source.span(each)[0]
                yield start, start + len(each.arg), "mutant"


def element(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``(a, b)`` as ``(b,)`` and ``(a,)``, where it is a collection and not several values."""
    if not isinstance(node, (ast.Tuple, ast.List)) or len(node.elts) < 2:
        return
    parent = source.parents[node]
    several = isinstance(parent, (ast.Return, ast.Assign)) and not source.data.startswith(
        (b"(", b"["), source.span(node)[0]
    )
    if several or not isinstance(node.ctx, ast.Load) or isinstance(parent, ast.Subscript):
        return
    pair = isinstance(node, ast.Tuple) and len(node.elts) == 2
    for index in range(len(node.elts)):
        if pair:
            yield source.replaced(node, f"({source.text(node.elts[1 - index])},)")
        else:
            yield source.without(list(node.elts), index)


def statement(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A check, an assignment that overwrites, an early return or an error left out."""
    early = isinstance(node, ast.Return) and not isinstance(source.parents[node], ast.FunctionDef)
    removable = isinstance(node, (ast.AugAssign, ast.Raise, ast.Continue)) or early
    if isinstance(node, ast.Expr):
        removable = isinstance(node.value, ast.Call)
    elif isinstance(node, ast.Assign):
        removable = _overwrites(source, node)
    if removable:
        yield source.replaced(node, "pass")


def decorator(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``@d`` left out."""
    if isinstance(node, ast.FunctionDef):
        for each in node.decorator_list:
            start, end = source.span(each)
            yield start - 1, end, "#"


def parameters(source: Source, node: ast.AST) -> Iterator[Edit]:
    """``def f(a, b)`` as ``def f(b, a)``, where others call it."""
    if isinstance(node, ast.FunctionDef) and (node.decorator_list or node.name == "forward"):
        given: list[ast.AST] = [each for each in node.args.args if each.arg != "self"]
        plain = len(given) - len(node.args.defaults)
        for left, right in zip(given[:plain], given[1:plain]):
            yield source.swapped(left, right)
        for index in range(plain, len(given) - 1):
            a, c = source.span(given[index])[0], source.span(given[index + 1])[0]
            b = source.span(node.args.defaults[index - plain])[1]
            d = source.span(node.args.defaults[index - plain + 1])[1]
            yield a, d, (source.data[c:d] + source.data[b:c] + source.data[a:b]).decode()


OPERATORS: dict[str, Operator] = {
    each.__name__: each
    for each in (
        *(comparison, arithmetic, unary, boolean, operand, condition),
        *(number, constant, string, dtype, function, name),
        *(call, arguments, keyword, element, statement, decorator, parameters),
    )
}
"""By name, in the order in which a place is offered to them."""


def mutants(text: str, file: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its lines.

    Args:
        text: the file's text.
        file: its name.
    """
    source = Source(text)
    found: dict[str, Mutant] = {}
    for node, place in _places(source.tree, ()):
        for operator, edits in OPERATORS.items():
            for edit in edits(source, node):
                made = _made(source, file, operator, place, edit)
                found.setdefault(made.text, made)
    return sorted(found.values(), key=lambda each: each.lines[0])


Place = tuple[Union[ast.FunctionDef, ast.ClassDef, ast.stmt], ...]
"""The statements around a node, outermost first."""


def _places(node: ast.AST, place: Place) -> Iterator[tuple[ast.AST, Place]]:
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _left_alone(child, node):
                around = (*place, child) if isinstance(child, ast.stmt) else place
                if around:
                    yield child, around
                yield from _places(child, around)


def _left_alone(node: ast.AST, parent: ast.AST) -> bool:
    """Whether nothing in a node is to be changed."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr)):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.keyword) and node.arg == "stacklevel":
        return True
    if isinstance(node, ast.Assign) and isinstance(parent, ast.Module):
        named = isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
        return named or isinstance(node.value, ast.Subscript) or _called(node.value) == "TypeVar"
    return False


def _made(source: Source, file: str, operator: str, place: Place, edit: Edit) -> Mutant:
    start, end, new = edit
    data = source.data[:start] + new.encode() + source.data[end:]
    first = source.data.rfind(b"\n", 0, start) + 1
    last = source.data.find(b"\n", end)
    before = source.data[first : last if last >= 0 else len(source.data)]
    after = source.data[first:start] + new.encode() + source.data[end : first + len(before)]
    names = [each.name for each in place if isinstance(each, (ast.FunctionDef, ast.ClassDef))]
    return Mutant(
        file,
        operator,
        ".".join(names),
        _lines(place[-1]),
        " ".join(before.decode().split()),
        " ".join(after.decode().split()),
        data.decode(),
    )


def _lines(node: ast.stmt) -> tuple[int, int]:
    """The lines of a statement; of a compound one, those of its header."""
    body = getattr(node, "body", None)
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    if body:
        return first, max(first, body[0].lineno - 1)
    assert node.end_lineno is not None
    return first, node.end_lineno


def _called(node: ast.AST) -> str:
    """The last name of what a call calls."""
    if not isinstance(node, ast.Call):
        return ""
    called = node.func
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _is_module(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in MODULES


def _overwrites(source: Source, node: ast.Assign) -> bool:
    """Whether a name has a value without this assignment, or an attribute is set."""
    target = node.targets[0]
    if isinstance(target, ast.Attribute):
        return True
    names = {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}
    around: ast.AST = node
    while not isinstance(around, (ast.FunctionDef, ast.Module)):
        around = source.parents[around]
    if isinstance(around, ast.Module):
        return False
    given = {each.arg for each in around.args.args}
    earlier = {
        each.id
        for each in ast.walk(around)
        if isinstance(each, ast.Name)
        and isinstance(each.ctx, ast.Store)
        and (each.lineno, each.col_offset) < (node.lineno, node.col_offset)
    }
    return names <= given | earlier
