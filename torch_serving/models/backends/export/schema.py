"""The shape of a program's JSON: what torch wrote is checked before anything is made of it.

Whoever reads a document that was checked finds each field that the tables name, of its type. Fields
that a later torch added are let through: it adds none that an older one must know.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.targets import problem_with_target

MAX_NESTING = 24  # graphs and arguments inside arguments
MAX_WHOLE = 1 << 64
MAX_SHOWN = 60  # characters of a value in a message
MAX_PLACE = 200  # characters of the keys that lead to it
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SPELLED_FLOATS = ("Infinity", "-Infinity", "NaN")

Check = Callable[[Any], None]

# Type -> its fields. `?` after a field: it may be missing. A type is a name of these tables, or
# `[T]` a list, `{T}` an object with any keys, `T?` a T or null.
RECORDS: Mapping[str, Mapping[str, str]] = {
    "Device": {"type": "str", "index?": "int?"},
    "SymExpr": {"expr_str": "expression", "hint?": "SymExprHint?"},
    "TensorMeta": {
        "dtype": "int", "sizes": "[SymInt]", "requires_grad": "bool", "device": "Device",
        "strides": "[SymInt]", "storage_offset": "SymInt", "layout": "int",
    },
    "Named": {"name": "name"},
    "GraphArgument": {"name": "name", "graph": "Graph"},
    "CustomObjArgument": {"name": "name", "class_fqn": "str"},
    "ComplexValue": {"real": "float", "imag": "float"},
    "NamedArgument": {"name": "name or none", "arg": "Argument", "kind?": "int?"},
    "Node": {
        "target": "target", "inputs": "[NamedArgument]", "outputs": "[Argument]",
        "metadata": "{str}", "is_hop_single_tensor_return?": "bool?", "name?": "name?",
    },
    "Graph": {
        "inputs": "[Argument]", "outputs": "[Argument]", "nodes": "[Node]",
        "tensor_values": "{TensorMeta}", "sym_int_values": "{SymInt}",
        "sym_bool_values": "{SymBool}", "is_single_tensor_return?": "bool",
        "custom_obj_values?": "{CustomObjArgument}", "sym_float_values?": "{SymFloat}",
    },
    "Argued": {"arg": "Argument"},
    "ArguedName": {"arg": "Named"},
    "Constant": {"name": "name", "value": "ConstantValue"},
    "Parameter": {"arg": "Named", "parameter_name": "str"},
    "Buffer": {"arg": "Named", "buffer_name": "str", "persistent": "bool"},
    "BufferMutation": {"arg": "Named", "buffer_name": "str"},
    "TensorConstant": {"arg": "Named", "tensor_constant_name": "str"},
    "CustomObj": {"arg": "CustomObjArgument", "custom_obj_name": "str"},
    "UserInputMutation": {"arg": "Named", "user_input_name": "str"},
    "GraphSignature": {"input_specs": "[InputSpec]", "output_specs": "[OutputSpec]"},
    "RangeConstraint": {"min_val?": "int?", "max_val?": "int?"},
    "ModuleCallSignature": {
        "inputs": "[Argument]", "outputs": "[Argument]", "in_spec": "str", "out_spec": "str",
        "forward_arg_names?": "[str]?",
    },
    "ModuleCallEntry": {"fqn": "str", "signature?": "ModuleCallSignature?"},
    "NamedTupleDef": {"field_names": "[str]"},
    "GraphModule": {
        "graph": "Graph", "signature": "GraphSignature", "module_call_graph": "[ModuleCallEntry]",
        "metadata?": "{str}", "treespec_namedtuple_fields?": "{NamedTupleDef}",
    },
    "SchemaVersion": {"major": "int", "minor": "int"},
    "ExportedProgram": {
        "graph_module": "GraphModule", "opset_version": "{int}",
        "range_constraints": "{RangeConstraint}", "schema_version": "SchemaVersion",
        "verifiers?": "[str]", "torch_version?": "str", "guards_code?": "[str]",
    },
}  # fmt: skip
# Type -> the kinds of value of which it is exactly one, as its only key.
UNIONS: Mapping[str, Mapping[str, str]] = {
    "SymExprHint": {"as_int": "int", "as_bool": "bool", "as_float": "float"},
    "SymInt": {"as_expr": "SymExpr", "as_int": "int"},
    "SymFloat": {"as_expr": "SymExpr", "as_float": "float"},
    "SymBool": {"as_expr": "SymExpr", "as_bool": "bool"},
    "SymIntArgument": {"as_name": "name", "as_int": "int"},
    "SymFloatArgument": {"as_name": "name", "as_float": "float"},
    "SymBoolArgument": {"as_name": "name", "as_bool": "bool"},
    "OptionalTensorArgument": {"as_tensor": "Named", "as_none": "bool"},
    "Argument": {
        "as_none": "bool", "as_tensor": "Named", "as_tensors": "[Named]", "as_int": "int",
        "as_ints": "[int]", "as_float": "float", "as_floats": "[float]", "as_string": "str",
        "as_strings": "[str]", "as_sym_int": "SymIntArgument", "as_sym_ints": "[SymIntArgument]",
        "as_scalar_type": "int", "as_memory_format": "int", "as_layout": "int",
        "as_device": "Device", "as_bool": "bool", "as_bools": "[bool]",
        "as_sym_bool": "SymBoolArgument", "as_sym_bools": "[SymBoolArgument]",
        "as_graph": "GraphArgument", "as_optional_tensors": "[OptionalTensorArgument]",
        "as_custom_obj": "CustomObjArgument", "as_operator": "target",
        "as_sym_float": "SymFloatArgument", "as_sym_floats": "[SymFloatArgument]",
        "as_optional_tensor": "OptionalTensorArgument", "as_complex": "ComplexValue",
        "as_nested_tensors": "[[Named]]", "as_int_lists": "[[int]]",
        "as_string_to_argument": "{Argument}", "as_float_lists": "[[float]]",
    },
    "ConstantValue": {
        "as_none": "bool", "as_int": "int", "as_float": "float", "as_string": "str",
        "as_bool": "bool",
    },
    "InputSpec": {
        "user_input": "Argued", "parameter": "Parameter", "buffer": "Buffer",
        "tensor_constant": "TensorConstant", "custom_obj": "CustomObj", "token": "ArguedName",
        "constant_input": "Constant",
    },
    "OutputSpec": {
        "user_output": "Argued", "loss_output": "ArguedName", "buffer_mutation": "BufferMutation",
        "gradient_to_parameter": "Parameter", "gradient_to_user_input": "UserInputMutation",
        "user_input_mutation": "UserInputMutation", "token": "ArguedName",
        "parameter_mutation": "Parameter",
    },
}  # fmt: skip
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
    if not isinstance(value, str):
        raise wrong("a string", value)


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
