"""The nodes of a program's graph -> statements. A new operator that takes graphs is a new row in
`HIGHER_ORDER`, and a function of node, writer and scope.
"""

from collections.abc import Callable, Mapping, Sequence

from torch_serving.models.backends.export.graph.operators import (
    ASSERTIONS,
    DROPPED,
    call,
    named_inputs,
)
from torch_serving.models.backends.export.graph.values import (
    Json,
    Untranslatable,
    expression,
    member_of,
)
from torch_serving.models.backends.export.graph.writer import Scope, Writer

NO_TOKEN = "None"  # tokens put operators in an order
UNSAID = '"an assertion of the program failed"'
LINALG_CHECK = "torch.ops.aten._linalg_check_errors.default"
FAILED = '": a matrix is singular, or the algorithm did not converge"'
PREFIX = "torch.ops.higher_order."


def write_nodes(nodes: Sequence[Json], writer: Writer, scope: Scope) -> None:
    """Write the statements for the nodes of a graph."""
    for node in nodes:
        target: str = node["target"]
        if target in DROPPED:
            continue
        if target in ASSERTIONS:
            write_assertion(node, writer, scope)
        elif target == LINALG_CHECK:
            write_linalg_check(node, writer, scope)
        elif target.startswith(PREFIX):
            name = target.removeprefix(PREFIX)
            if name not in HIGHER_ORDER:
                raise Untranslatable(f"the operator {name} has no twin in TorchScript")
            HIGHER_ORDER[name](node, writer, scope)
        else:
            assign(node["outputs"], call(node, scope.context), writer, scope)


def write_assertion(node: Json, writer: Writer, scope: Scope) -> None:
    """Write a check; torch's own operator would be dropped, for it gives no result."""
    condition, *message = (expression(each["arg"], scope.context) for each in node["inputs"])
    writer.line(f"assert bool({condition}), {message[0] if message else UNSAID}")


def write_linalg_check(node: Json, writer: Writer, scope: Scope) -> None:
    info, name = (expression(each, scope.context) for each in arguments_of(node)[:2])
    is_good = f"torch.ops.aten.all(torch.ops.aten.eq({info}, 0))"
    writer.line(f"assert bool({is_good}), {name} + {FAILED}")


def assign(outputs: Sequence[Json], text: str, writer: Writer, scope: Scope) -> None:
    """Write a call and bind its results."""
    lists = []
    targets = []
    for kind, value in map(member_of, outputs):
        if kind == "as_tensors":
            targets.append(scope.unnamed())
            lists.append((targets[-1], value))
        elif kind == "as_none":
            targets.append(scope.unnamed())
        else:
            targets.append(scope.new(output_name(kind, value)))
    writer.line(f"{', '.join(targets)} = {text}" if targets else text)
    for name, values in lists:
        names = [scope.new(each["name"]) for each in values]
        if names:
            writer.line(f"{', '.join(names)}{',' if len(names) == 1 else ''} = {name}")


def output_name(kind: str, value: Json) -> str:
    name = value.get("name") or value.get("as_name") if isinstance(value, dict) else None
    if not name:
        raise Untranslatable(f"an operator returns a {kind.removeprefix('as_')}")
    return str(name)


def result_names(node: Json) -> list[str]:
    """The names of all results of a node, also of those in a list."""
    names: list[str] = []
    for kind, value in map(member_of, node["outputs"]):
        if kind == "as_tensors":
            names += [each["name"] for each in value]
        else:
            names.append(output_name(kind, value))
    return names


def arguments_of(node: Json) -> list[Json]:
    return [each["arg"] for each in node["inputs"]]


def operands(arguments: Sequence[Json], scope: Scope) -> list[str]:
    """The expressions of arguments; those in lists as well."""
    found: list[str] = []
    for argument in arguments:
        kind, value = member_of(argument)
        if kind in LISTS:
            found += [expression({LISTS[kind]: each}, scope.context) for each in value]
        else:
            found.append(expression(argument, scope.context))
    return found


LISTS = {"as_tensors": "as_tensor", "as_sym_ints": "as_sym_int", "as_ints": "as_int"}


def graph_of(argument: Json) -> Json:
    kind, value = member_of(argument)
    if kind != "as_graph":
        raise Untranslatable(f"a {kind.removeprefix('as_')} stands where a graph should")
    return value["graph"]


def inline(graph: Json, values: Sequence[str], writer: Writer) -> list[str]:
    """Write a graph with these arguments, and return the expressions of its results."""
    scope = writer.scope()
    for each, value in zip(graph["inputs"], values, strict=True):
        scope.names[output_name(*member_of(each))] = value
    write_nodes(graph["nodes"], writer, scope)
    return [expression(each, scope.context) for each in graph["outputs"]]


def write_inlined(node: Json, writer: Writer, scope: Scope) -> None:
    """A graph that runs as if its nodes stood in the outer one."""
    arguments = arguments_of(node)
    index = next((i for i, each in enumerate(arguments) if "as_graph" in each), 0)
    skipped = SKIPPED.get(node["target"].removeprefix(PREFIX), 0)
    values = operands(arguments[index + 1 + skipped :], scope)
    results = inline(graph_of(arguments[index]), values, writer)
    scope.names.update(zip(result_names(node), results, strict=True))


SKIPPED = {"invoke_subgraph": 1}  # arguments between the graph and what it takes


def write_autocast(node: Json, writer: Writer, scope: Scope) -> None:
    if arguments_of(node)[2].get("as_bool") is not False:
        raise Untranslatable("a part of it runs under autocast")
    write_inlined(node, writer, scope)


def write_cond(node: Json, writer: Writer, scope: Scope) -> None:
    condition, positive, negative, *others = arguments_of(node)
    values = operands(others, scope)
    text = expression(condition, scope.context)
    results = [scope.new(each) for each in result_names(node)]
    for head, graph in ((f"if bool({text}):", positive), ("else:", negative)):
        with writer.indented(head):
            found = inline(graph_of(graph), values, writer)
            for result, value in zip(results, found, strict=True):
                writer.line(f"{result} = {value}")


def write_while_loop(node: Json, writer: Writer, scope: Scope) -> None:
    condition, body, carried, *others = arguments_of(node)
    fixed = operands(others, scope)
    firsts = operands([carried], scope)
    turns = [scope.new(each) for each in result_names(node)]
    for turn, first in zip(turns, firsts, strict=True):
        writer.line(f"{turn} = {first}")
    is_on = scope.unnamed()
    writer.line(f"{is_on} = {truth_of(condition, [*turns, *fixed], writer)}")
    with writer.indented(f"while {is_on}:"):
        results = inline(graph_of(body), [*turns, *fixed], writer)
        kept = [scope.unnamed() for _ in turns]
        for target, value in (*zip(kept, results, strict=True), *zip(turns, kept, strict=True)):
            writer.line(f"{target} = {value}")
        writer.line(f"{is_on} = {truth_of(condition, [*turns, *fixed], writer)}")


def write_with_effects(node: Json, writer: Writer, scope: Scope) -> None:
    """An operator that must run in its turn; the lines of a method do so without tokens."""
    (_, operator, *others), (token, *outputs) = node["inputs"], node["outputs"]
    target = operator["arg"].get("as_operator", "")
    scope.names[output_name(*member_of(token))] = NO_TOKEN
    outputs = [each for each in outputs if "as_none" not in each]
    inner = {**node, "target": target, "inputs": named_inputs(target, others), "outputs": outputs}
    write_nodes([inner], writer, scope)


def truth_of(graph: Json, values: Sequence[str], writer: Writer) -> str:
    (result,) = inline(graph_of(graph), values, writer)
    return f"bool({result})"


Write = Callable[[Json, Writer, Scope], None]
HIGHER_ORDER: Mapping[str, Write] = {
    "cond": write_cond,
    "while_loop": write_while_loop,
    "with_effects": write_with_effects,
    "wrap_with_set_grad_enabled": write_inlined,
    "wrap_with_autocast": write_autocast,
    "wrap": write_inlined,
    "strict_mode": write_inlined,
    "tag_activation_checkpoint": write_inlined,
    "invoke_subgraph": write_inlined,
}
