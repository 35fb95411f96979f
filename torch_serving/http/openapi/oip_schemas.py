"""JSON Schema of request and response bodies of the Open Inference Protocol."""

import math
import re
from typing import Any

from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.oip.datatypes import BYTES, DATATYPES, NAMES, declared_datatype
from torch_serving.codecs.oip.request import REFUSED
from torch_serving.codecs.signature import Signature
from torch_serving.codecs.tensor_tree.specs import (
    EACH,
    TensorSpec,
    can_be_named,
    input_specs,
    is_vector,
    tensor_specs,
)
from torch_serving.codecs.tensor_tree.unflatten import MAX_INT64
from torch_serving.http.oip.statistics import STEPS
from torch_serving.http.openapi.number_schemas import DIMENSIONS, SHAPE, Schema, nested, one_of
from torch_serving.http.openapi.tensor_schemas import dimensions, reference
from torch_serving.models.examples import UNKNOWN
from torch_serving.tensor_constraint import MAX_GUESSED, example_shapes

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
BOOLEAN: Schema = {"type": "boolean"}
ABSENT: Schema = {"type": "null"}  # as good as if it were not there


def record(**members: Schema) -> Schema:
    """An object with these keys, and maybe others."""
    return {"type": "object", "properties": members, "required": list(members)}


def fixed(**members: Schema) -> Schema:
    """An object with exactly these keys."""
    return record(**members) | {"additionalProperties": False}


def nullable(schema: Schema) -> Schema:
    """A value, or null, which is as good as absent."""
    return {**schema, "type": [schema["type"], "null"]}


def parameters(**known: Schema) -> Schema:
    """Unknown parameters are ignored, except extensions that this server does not support."""
    members = {name: nullable(schema) for name, schema in known.items()}
    return nullable({"type": "object", "properties": members | dict.fromkeys(REFUSED, ABSENT)})


# `binary_data_size` needs data behind the JSON, which a JSON body has not.
JSON_PARAMETERS = nullable(
    {"type": "object", "properties": dict.fromkeys((*REFUSED, "binary_data_size"), ABSENT)}
)
DATA = {datatype: each.json for datatype, each in DATATYPES.items()} | {BYTES: "StringTensor"}


def entry(name: Schema, datatype: str, shape: Schema = SHAPE, data: Schema | None = None) -> Schema:
    """A tensor of a request."""
    return {
        "type": "object",
        "title": datatype,
        "properties": {
            "name": name,
            "shape": shape,
            "datatype": {"const": datatype},
            "data": data or reference(DATA[datatype]),
            "parameters": reference("InputParameters"),
        },
        "required": ["name", "shape", "datatype", "data"],
    }


def requested_outputs(names: list[str] | None) -> Schema:
    """The outputs that a request may name; None: any."""
    name = {"enum": names} if names else TEXT
    output = record(name=name, parameters=parameters(binary_data=BOOLEAN)) | {"required": ["name"]}
    outputs = {
        "type": "array",
        "items": output,
        "description": "The requested outputs, each once; none: all.",
        **({} if names is None else {"maxItems": len(names)}),
    }
    return nullable(outputs)


def request(inputs: Schema, outputs: list[str] | None) -> Schema:
    return {
        "type": "object",
        "properties": {
            "id": nullable(TEXT),
            "inputs": inputs,
            "outputs": requested_outputs(outputs),
            "parameters": parameters(binary_data_output=BOOLEAN),
        },
        "required": ["inputs"],
    }


def input_entries(spec: TensorSpec, fixed: list[str]) -> list[Schema]:
    """The schemas of one input: a branch for each datatype. `fixed` are names of their own."""
    name: Schema = {"const": spec.name}
    if not spec.is_fixed:
        parts = [".+" if part == "*" else re.escape(part) for part in spec.name.split(".")]
        pattern = "^" + r"\.".join(parts) + "$"
        name = {"type": "string", "pattern": pattern}
        if own := [each for each in fixed if re.match(pattern, each)]:
            name["not"] = {"enum": own}
    kind = spec.type_spec.parts[0].kind if is_vector(spec.type_spec) else spec.type_spec.kind
    shape = shape_of(spec)
    return [
        entry(
            name, datatype, shape, int64_data() if (kind, datatype) == ("int", "UINT64") else None
        )
        for datatype in declared_datatypes(spec.type_spec) or datatypes_of(kind)
    ]


def int64_data() -> Schema:
    """UINT64 data for an `int` argument, which is a signed 64-bit integer."""
    item: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_INT64}
    return one_of([item, {"type": "array", "items": item}])


def shape_of(spec: TensorSpec) -> Schema:
    if spec.type_spec.kind == "tensor":
        shape = spec.type_spec.constraint.shape if spec.type_spec.constraint else None
        return SHAPE if shape is None else dimensions(shape)
    if is_vector(spec.type_spec):
        return DIMENSIONS | {"minItems": 1, "maxItems": 1}
    return {"enum": [[], [1]]}


def declared_datatypes(spec: TypeSpec) -> list[str]:
    """The one datatype that is declared, if one is, and if the protocol has it."""
    declared = declared_datatype(spec, "")
    return [declared] if declared else []


def datatypes_of(kind: str) -> list[str]:
    """The datatypes of an input: a float takes integers, too."""
    integers = [name for name, each in DATATYPES.items() if "int" in each.json]
    floats = [name for name, each in DATATYPES.items() if "float" in each.json]
    known = {"bool": ["BOOL"], "str": [BYTES], "int": integers, "float": [*floats, *integers]}
    return known.get(kind, list(DATATYPES))


def inputs_schema(signature: Signature) -> Schema:
    specs = [spec for argument in signature.arguments for spec in input_specs(argument)]
    needed = [spec.name for spec in specs if spec.required and spec.is_fixed]
    schema: Schema = {
        "type": "array",
        "minItems": len(needed),
        "description": f"Each once, in any order. Required: {', '.join(needed) or 'none'}.",
    }
    if all(spec.is_fixed for spec in specs):
        schema["maxItems"] = len(specs)
    fixed = [spec.name for spec in specs if spec.is_fixed]
    branches = [branch for spec in specs for branch in input_entries(spec, fixed)]
    return schema | ({"items": one_of(branches)} if branches else {})


def takes_tensors(signature: Signature) -> bool:
    """Whether all required arguments can be sent as named tensors."""
    return all(can_be_named(each.spec) for each in signature.arguments if each.required)


def model_request(signature: Signature) -> Schema:
    """A request to one model."""
    outputs = list(tensor_specs(signature.result, "")) if can_be_named(signature.result) else None
    known = outputs is not None and all(spec.is_fixed for spec in outputs)
    names = [spec.name for spec in outputs or []] if known else None
    return {"description": str(signature)} | request(inputs_schema(signature), names)


def example(signature: Signature) -> dict[str, Any]:
    """A request to one model; the shapes of its tensors are guesses."""
    specs = [spec for argument in signature.arguments for spec in input_specs(argument)]
    return {"inputs": [example_input(spec) for spec in specs if spec.required]}


def example_input(spec: TensorSpec) -> dict[str, Any]:
    kind = spec.type_spec.parts[0].kind if is_vector(spec.type_spec) else spec.type_spec.kind
    datatype = "FP32" if kind == "tensor" else datatypes_of(kind)[0]
    datatype = declared_datatype(spec.type_spec, datatype)
    constraint = spec.type_spec.constraint
    shape = [1]
    if constraint is not None and constraint.shape is not None:
        (shape,) = example_shapes([constraint.shape], 1)
    is_shown = math.prod(shape) <= MAX_GUESSED
    elements: dict[str, Any] = {BYTES: "text", "BOOL": True}
    name = spec.name.replace(EACH, "0")
    return {
        "name": name,
        "shape": shape,
        "datatype": datatype,
        "data": [elements.get(datatype, 0)] * math.prod(shape) if is_shown else [UNKNOWN],
    }


def any_request() -> Schema:
    branches = [entry(TEXT, datatype) for datatype in NAMES]
    return request({"type": "array", "items": {"anyOf": branches}}, None)


def response() -> Schema:
    flat = {"type": "array", "items": {"type": ["number", "string", "boolean"]}}
    output = {
        "type": "object",
        "properties": {
            "name": TEXT,
            "datatype": {"enum": list(NAMES)},
            "shape": SHAPE,
            "data": flat,
            "parameters": record(binary_data_size=COUNT),
        },
        "required": ["name", "datatype", "shape"],
    }
    members: dict[str, Any] = {
        "model_name": TEXT,
        "model_version": TEXT,
        "id": TEXT,
        "outputs": {"type": "array", "items": output},
    }
    return fixed(**members) | {"required": ["model_name", "model_version", "outputs"]}


def described(shape: str, kind: str) -> Schema:
    sizes = {"type": "array", "items": {"type": "integer", "minimum": -1}}
    members = {"name": TEXT, kind: TEXT, shape: sizes}
    return {"type": "array", "items": fixed(**members)}


def string_map(value: Schema = TEXT) -> Schema:
    return {"type": "object", "additionalProperties": value}


def metadata() -> Schema:
    return fixed(
        name=TEXT,
        versions={"type": "array", "items": TEXT},
        platform=TEXT,
        inputs=described("shape", "datatype"),
        outputs=described("shape", "datatype"),
        parameters=string_map(),
    )


def config() -> Schema:
    return fixed(
        name=TEXT,
        platform=TEXT,
        backend=TEXT,
        version_policy={"type": "object"},
        max_batch_size=COUNT,
        input=described("dims", "data_type"),
        output=described("dims", "data_type"),
        parameters=string_map(fixed(string_value=TEXT)),
    )


def statistics() -> Schema:
    duration = fixed(count=COUNT, ns=COUNT)
    model = fixed(
        name=TEXT,
        version=TEXT,
        last_inference=COUNT | {"description": "Milliseconds since 1970-01-01; 0 if it never ran."},
        inference_count=COUNT,
        execution_count=COUNT,
        inference_stats=fixed(
            success=fixed(count=COUNT), fail=fixed(count=COUNT), **dict.fromkeys(STEPS, duration)
        ),
    )
    return fixed(model_stats={"type": "array", "items": model})


def components() -> dict[str, Schema]:
    return {
        **nested(TEXT, "StringTensor"),
        "InputParameters": JSON_PARAMETERS,
        "InferRequest": any_request(),
        "InferResponse": response(),
        "ModelMetadata": metadata(),
        "ModelConfig": config(),
        "ModelStatistics": statistics(),
    }
