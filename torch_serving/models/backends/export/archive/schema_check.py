"""A program's JSON is checked against its schema before anything is made of it.

Whoever reads a document that was checked finds each field that the schema names, of its type. Other
fields are let through.
"""

import re
from collections.abc import Callable
from typing import Any

from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.archive.schema import RECORDS, UNIONS
from torch_serving.models.backends.export.archive.targets import problem_with_target
from torch_serving.models.identifiers import is_utf8

MAX_NESTING = 24  # graphs and arguments inside arguments
MAX_WHOLE = 1 << 64
MAX_SHOWN = 60  # characters of a value in a message
MAX_PLACE = 200  # characters of the keys that lead to it
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SPELLED_FLOATS = ("Infinity", "-Infinity", "NaN")

Check = Callable[[Any], None]
NESTING = ("Graph", "Argument")


class Mismatch(Exception):
    """A value of another type; `path` leads to it, the innermost key first."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.path: list[str | int] = []


def check_document(document: Any) -> None:
    """Raise InvalidServable for a program that is not what torch.export writes."""
    try:
        Checker().check("ExportedProgram")(document)
        check_counts(document["graph_module"])
    except Mismatch as error:
        where = "".join(
            f"[{key}]" if isinstance(key, int) else f".{key[:MAX_SHOWN]}"
            for key in reversed(error.path)
        )
        if len(where) > MAX_PLACE:
            where = f".…{where[-MAX_PLACE:]}"
        shown = where.removeprefix(".").encode("unicode_escape").decode() or "it"
        raise InvalidServable(
            f"its program is no output of torch.export.save: {shown}: {error}"
        ) from None


def check_counts(module: Any) -> None:
    """The signature tells of each input and output of the graph, in their order."""
    graph, signature = module["graph"], module["signature"]
    for kind in ("input", "output"):
        count, told = len(graph[f"{kind}s"]), len(signature[f"{kind}_specs"])
        if count != told:
            raise Mismatch(f"{kind}_specs has {told} of the {count} {kind}s of the graph")


class Checker:
    """Makes a function for each type, which raises Mismatch. For one document."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {
            "str": check_text, "int": check_whole, "float": check_number, "bool": check_truth,
            "target": check_target, "expression": check_text, "name": check_name,
            "name or none": check_name_or_none,
        }  # fmt: skip
        self._depth = 0

    def check(self, kind: str) -> Check:
        found = self._checks.get(kind)
        if found is None:
            # a type may hold itself: until its function is there, it is looked up when called
            self._checks[kind] = lambda value: self._checks[kind](value)
            found = self._checks[kind] = self._make(kind)
        return found

    def _make(self, kind: str) -> Check:
        if kind.endswith("?"):
            return self._nullable(self.check(kind[:-1]))
        if kind.startswith("["):
            return self._list(self.check(kind[1:-1]))
        if kind.startswith("{"):
            return self._table(self.check(kind[1:-1]))
        check = self._union(kind) if kind in UNIONS else self._record(kind)
        return self._nested(check) if kind in NESTING else check

    def _nullable(self, check: Check) -> Check:
        def check_nullable(value: Any) -> None:
            if value is not None:
                check(value)

        return check_nullable

    def _list(self, check: Check) -> Check:
        def check_list(values: Any) -> None:
            if not isinstance(values, list):
                raise wrong("a list", values)
            at = 0
            try:
                for at, value in enumerate(values):  # noqa: B007
                    check(value)
            except Mismatch as error:
                error.path.append(at)
                raise

        return check_list

    def _table(self, check: Check) -> Check:
        def check_table(values: Any) -> None:
            if not isinstance(values, dict):
                raise wrong("an object", values)
            for key, value in values.items():
                self._field(key, check, value)

        return check_table

    def _record(self, kind: str) -> Check:
        fields = [
            (name.rstrip("?"), not name.endswith("?"), self.check(field))
            for name, field in RECORDS[kind].items()
        ]

        def check_record(value: Any) -> None:
            if not isinstance(value, dict):
                raise wrong("an object", value)
            for name, is_required, check in fields:
                if name in value:
                    self._field(name, check, value[name])
                elif is_required:
                    raise Mismatch(f"{name} is missing")

        return check_record

    def _union(self, kind: str) -> Check:
        members = {name: self.check(field) for name, field in UNIONS[kind].items()}

        def check_union(value: Any) -> None:
            if not isinstance(value, dict) or len(value) != 1:
                raise wrong("an object with one key", value)
            ((name, inner),) = value.items()
            if name not in members:
                raise wrong(f"a known kind of {kind}", name)
            self._field(name, members[name], inner)

        return check_union

    def _nested(self, check: Check) -> Check:
        def check_nested(value: Any) -> None:
            self._depth += 1
            if self._depth > MAX_NESTING:
                raise Mismatch("nested too deep")
            check(value)
            self._depth -= 1

        return check_nested

    @staticmethod
    def _field(name: str, check: Check, value: Any) -> None:
        try:
            check(value)
        except Mismatch as error:
            error.path.append(name)
            raise


def wrong(expected: str, value: Any) -> Mismatch:
    return Mismatch(f"expected {expected}, got {shown(value)}")


def shown(value: Any) -> str:
    if isinstance(value, dict):
        return f"an object of {len(value)} keys"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, int) and abs(value) >= MAX_WHOLE:
        return "a number of more than 64 bits"
    text = ascii(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def check_text(value: Any) -> None:
    if not isinstance(value, str) or (value and not is_utf8(value)):
        raise wrong("a string of Unicode", value)


def check_name(value: Any) -> None:
    """Names become those of variables in source, of TorchScript or of Python."""
    if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
        raise wrong("a name of letters, digits and underscores", value)


def check_name_or_none(value: Any) -> None:
    if value != "":
        check_name(value)


def check_whole(value: Any) -> None:
    if type(value) is not int or not -MAX_WHOLE < value < MAX_WHOLE:
        raise wrong("a whole number", value)


def check_number(value: Any) -> None:
    if type(value) not in (int, float) and value not in SPELLED_FLOATS:
        raise wrong("a number", value)


def check_truth(value: Any) -> None:
    if not isinstance(value, bool):
        raise wrong("true or false", value)


def check_target(value: Any) -> None:
    check_text(value)
    if problem := problem_with_target(value):
        raise Mismatch(problem)
