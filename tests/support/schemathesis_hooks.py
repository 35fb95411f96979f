"""What the OpenAPI document can't say, done to valid requests before they are sent.

JSON Schema has no word for: as many numbers as a shape holds; even nesting; that 1.0 is no integer;
a body that fits the model which the query names; each input once. Requests that are to be refused
are sent as they are.
"""

import base64
import io
import json
from typing import Any

import numpy as np
import safetensors.numpy
import schemathesis
from jsonschema_rs import validator_for
from PIL import Image
from schemathesis.core.failures import ServerError
from schemathesis.openapi.checks import UseAfterFree

IMAGES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp")
BINARY = (
    "application/octet-stream",
    "application/x-npy",
    "application/vnd.safetensors",
    *IMAGES,
)
TAKES_ANY_TENSOR, TAKES_TEXT = "echo.pt", "str.pt"
MIN_DEADLINE_MS = 60_000
LENGTH = "Inference-Header-Content-Length"
PREFIX = "#/components/schemas/"


@schemathesis.serializer(*BINARY)
def as_it_is(context: Any, value: Any) -> dict[str, Any]:
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@schemathesis.deserializer(*BINARY)
def not_looked_into(context: Any, response: Any) -> Any:
    return ""


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    give_time(case)
    forget_length(case)
    forget_plain(case)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.method != "POST" or not (case.path == "/serve" or case.path.endswith("/infer")):
        return
    if case.media_type in BINARY:
        mend_binary(case)
    elif case.path == "/serve":
        mend_values(case)
    else:
        mend_inputs(case)


def give_time(case: Any) -> None:
    """A deadline of a millisecond gets 504, as it was asked for."""
    text = str((case.headers or {}).get("X-Request-Timeout-Ms", ""))
    if text.isascii() and text.isdigit() and 0 < int(text) < MIN_DEADLINE_MS:
        case.headers["X-Request-Timeout-Ms"] = str(int(text) + MIN_DEADLINE_MS)


def forget_length(case: Any) -> None:
    """JSON has the length that it has; what is no length at all is sent."""
    text = str((case.headers or {}).get(LENGTH, ""))
    if case.media_type == "application/json" and text.isascii() and text.isdigit():
        del case.headers[LENGTH]


def forget_plain(case: Any) -> None:
    """The checks know media types without their parameters; what is no wish for one is sent."""
    if case.path == "/serve" and (case.query or {}).get("plain") in ("1", "true"):
        del case.query["plain"]


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Leave out what a check can't know."""
    if isinstance(failure, ServerError) and case.path.endswith("/ready"):
        # a model is ready once it is in memory; until then, the protocol asks for an error
        return not response.json().get("error", "").startswith("Model not ready: ")
    # DELETE drops a model from memory: its file stays, and whoever asks next has it loaded again
    return not isinstance(failure, UseAfterFree) or not case.path.startswith("/models/")


def mend_binary(case: Any) -> None:
    """A body of a binary codec with the bytes that were drawn, for a model that takes them."""
    drawn = case.body if isinstance(case.body, bytes) else str(case.body).encode()
    numbers = np.frombuffer(drawn, np.uint8)
    if case.path == "/serve":
        case.query["servable_identifier"] = TAKES_ANY_TENSOR
        case.query.pop("method", None)
        case.body = npy(numbers)
        if case.media_type.endswith("safetensors"):
            case.body = safetensors.numpy.save({"x": numbers})
        elif case.media_type in IMAGES:
            case.body = base64.b64decode(PICTURE)
        return
    case.path_parameters["model"] = TAKES_ANY_TENSOR
    entry = {"name": "x", "datatype": "UINT8", "shape": [numbers.size]}
    entry["parameters"] = {"binary_data_size": numbers.size}
    text = json.dumps({"inputs": [entry]}).encode()
    case.headers[LENGTH] = str(len(text))
    case.body = text + drawn


def npy(numbers: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, numbers)
    return file.getvalue()


def mend_values(case: Any) -> None:
    """Arguments for /serve: even ones, sent to a model that takes them."""
    schemas = case.operation.schema.raw_schema["components"]["schemas"]
    fitting = [
        schema["title"].removesuffix(": forward")
        for name, schema in schemas.items()
        if name.endswith(".forward.arguments") and fits(case.body, name, schemas)
    ]
    case.query.pop("method", None)
    if case.query.get("servable_identifier") not in fitting:
        case.query["servable_identifier"] = fitting[0]
    case.body = even(case.body)
    if not fits(case.body, f"{case.query['servable_identifier']}.forward.arguments", schemas):
        case.query["servable_identifier"] = TAKES_ANY_TENSOR
        case.body = [{"type": "tensor", "value": [1]}]  # numbers that may be one argument or many


def fits(body: Any, name: str, schemas: dict[str, Any]) -> bool:
    schema = {"$ref": PREFIX + name, "components": {"schemas": schemas}}
    return validator_for(schema).is_valid(body)


def even(value: Any) -> Any:
    """Give tensors the shape of their numbers, and whole numbers no point."""
    if isinstance(value, list):
        numbers = flat(value)
        return [even(each) for each in value] if numbers is None else numbers
    if isinstance(value, dict):
        if value.get("type") == "image":
            return {**value, "value": PICTURE}
        if value.get("type") == "tensor" and "value" in value:
            return even_tensor(value)
        return {key: even(each) for key, each in value.items()}
    return whole(value)


def even_tensor(value: dict[str, Any]) -> dict[str, Any]:
    numbers = flat([value["value"]]) or []
    count = len(numbers)
    if str(value.get("data_type")).startswith("complex"):
        numbers = numbers[: count // 2 * 2]
        count //= 2
    return {**value, "value": numbers, "shape": [count]}


def flat(values: list[Any]) -> list[Any] | None:
    """The numbers of nested lists; None if there is anything else."""
    found: list[Any] = []
    for each in values:
        if isinstance(each, list):
            inner = flat(each)
            if inner is None:
                return None
            found += inner
        elif isinstance(each, dict) or each is None:
            return None
        else:
            found.append(whole(each))
    return found


def whole(value: Any) -> Any:
    """Whole numbers without a point; the largest floats are others, as integers."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 1 << 64
    return int(value) if is_whole else value


def picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (2, 1)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


PICTURE = picture()


def mend_inputs(case: Any) -> None:
    """Inputs of the Open Inference Protocol: those of the model, each once, of even shapes."""
    body = case.body
    if "{model}" in case.path:
        mend_any_model(case, body)
        return
    known = schema_of(case)["properties"]
    inputs = {}
    for branch in branches_of(known["inputs"]["items"]):
        name = branch["properties"]["name"]
        drawn = [each for each in body["inputs"] if validator_for(name).is_valid(each["name"])]
        entry = drawn[0] if drawn else sample(branch)
        inputs.setdefault(name_of(name), even_input({**entry, "name": name_of(name)}))
    body["inputs"] = list(inputs.values())
    if "enum" not in known["outputs"]["items"]["properties"]["name"]:
        body.pop("outputs", None)  # only a response has their names
    once(body)


def branches_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return schema.get("anyOf", [schema])


def name_of(schema: dict[str, Any]) -> str:
    """The name of an input; of a list or a dictionary, that of its first part."""
    return schema.get("const") or schema["pattern"].strip("^$").replace(".+", "0").replace("\\", "")


def schema_of(case: Any) -> dict[str, Any]:
    """That of the bodies of one model."""
    document = case.operation.schema.raw_schema
    content = document["paths"][case.path]["post"]["requestBody"]["content"]
    name = content["application/json"]["schema"]["$ref"].removeprefix(PREFIX)
    return document["components"]["schemas"][name]


def sample(branch: dict[str, Any]) -> dict[str, Any]:
    known = branch["properties"]
    datatype = known["datatype"]["const"]
    data = {"BYTES": ["text"], "BOOL": [True]}.get(datatype, [1])
    return {"name": "", "datatype": datatype, "shape": [1], "data": data}


def mend_any_model(case: Any, body: dict[str, Any]) -> None:
    """The first input that was drawn, for a model that takes one such."""
    first = next(iter(body["inputs"]), None) or {"datatype": "FP32", "shape": [0], "data": []}
    is_text = first["datatype"] == "BYTES"
    case.path_parameters["model"] = TAKES_TEXT if is_text else TAKES_ANY_TENSOR
    data = [*flat([first["data"]]), ""][:1] if is_text else first["data"]
    body["inputs"] = [even_input({**first, "name": "s" if is_text else "x", "data": data})]
    body["outputs"] = [{**each, "name": "output_0"} for each in body.get("outputs") or []]
    once(body)


def even_input(entry: dict[str, Any]) -> dict[str, Any]:
    data = flat([entry["data"]])
    if entry["shape"] in ([], [1]) and data:
        return {**entry, "data": data[:1]}  # a number, where nothing else may stand
    return {**entry, "data": data, "shape": [len(data)]}


def once(body: dict[str, Any]) -> None:
    if body.get("outputs"):
        body["outputs"] = list({each["name"]: each for each in body["outputs"]}.values())
