"""The servers, one row each. Commands and paths may use these placeholders:

{bin}, {apps}: the programs of the server's virtual environment, and the folder `apps` here
{folder}, {model}: an empty working directory, and the TorchScript file in it
{port}, {port2}, {port3}, {port4}: free ports
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.workloads import (
    BodyMaker,
    ResultReader,
    envelope,
    envelope_result,
    nested,
    plain_result,
    shape_and_value,
)

OUR_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Peer:
    name: str
    command: tuple[str, ...]
    path: str = "/predict"
    environment: str = ""  # name of its virtual environment; "": the one that this runs in
    requirements: tuple[str, ...] = ()  # besides torch and numpy
    programs: tuple[str, ...] = ()  # that must be installed already
    prepare: tuple[str, ...] = ()  # a command to run once before, not timed
    warm_seconds: int = 1  # of load before the first measurement
    body: BodyMaker = shape_and_value
    read_result: ResultReader = plain_result


def ours(name: str, *flags: str) -> Peer:
    return Peer(
        name,
        ("{bin}/torch-serving", "{folder}", "--port", "{port}", *flags),
        path="/serve?servable_identifier=model.pt",
        body=envelope,
        read_result=envelope_result,
    )


def mosec(name: str, batch: int) -> Peer:
    command = "{bin}/python {apps}/with_mosec.py --address 127.0.0.1 --port {port} --timeout 30000"
    return Peer(
        name,
        ("env", f"BATCH={batch}", *command.split()),
        path="/inference",
        environment="mosec",
        requirements=("mosec==0.9.8", "orjson==3.13.0"),
    )


def torchserve(name: str, properties: str) -> Peer:
    addresses = (
        "TS_INFERENCE_ADDRESS=http://127.0.0.1:{port} "
        "TS_MANAGEMENT_ADDRESS=http://127.0.0.1:{port2} "
        "TS_GRPC_INFERENCE_PORT={port3} TS_GRPC_MANAGEMENT_PORT={port4}"
    )
    command = (
        "{bin}/torchserve --foreground --ncs --disable-token-auth --model-store {folder} "
        "--log-config {apps}/torchserve_log4j2.xml --ts-config {apps}/" + properties
    )
    archive = (
        "{bin}/torch-model-archiver --model-name model --version 1.0 --serialized-file {model} "
        "--handler {apps}/torchserve_handler.py --export-path {folder}"
    )
    return Peer(
        name,
        ("env", *addresses.split(), *command.split()),
        path="/predictions/model",
        environment="torchserve",
        requirements=(
            "torchserve==0.12.0",
            "torch-model-archiver==0.12.0",
            "pyyaml==6.0.3",
            "orjson==3.13.0",
        ),
        programs=("java",),
        prepare=tuple(archive.split()),
        warm_seconds=12,  # Java compiles hot code at run time
    )


FASTAPI = Peer(
    "FastAPI",
    (
        *("{bin}/uvicorn", "with_fastapi:app", "--app-dir", "{apps}", "--port", "{port}"),
        *("--workers", "2", "--no-access-log"),
    ),
    environment="fastapi",
    requirements=(
        "fastapi==0.165.0",
        "uvicorn==0.54.0",
        "uvloop==0.23.0",
        "httptools==0.9.0",
        "orjson==3.13.0",
    ),
)
FLASK = Peer(
    "Flask",
    (
        *("{bin}/gunicorn", "with_flask:app", "--chdir", "{apps}", "--bind", "127.0.0.1:{port}"),
        *("--workers", "2", "--worker-class", "gthread", "--threads", "4"),
    ),
    environment="flask",
    requirements=("flask==3.1.3", "gunicorn==27.0.1", "orjson==3.13.0"),
)
LITSERVE = Peer(
    "LitServe",
    ("{bin}/python", "{apps}/with_litserve.py", "{port}"),
    environment="litserve",
    requirements=("litserve==0.2.19",),
)
BENTOML = Peer(
    "BentoML",
    (
        *("env", "BENTOML_HOME={folder}", "BENTOML_DO_NOT_TRACK=true"),
        *("{bin}/bentoml", "serve", "with_bentoml:Model", "--working-dir", "{apps}"),
        *("--host", "127.0.0.1", "--port", "{port}"),
    ),
    environment="bentoml",
    requirements=("bentoml==1.4.39",),
    body=nested,
)
PEERS = (
    mosec("mosec", 1),
    mosec("mosec-batches", 16),
    FASTAPI,
    FLASK,
    LITSERVE,
    BENTOML,
    torchserve("TorchServe", "torchserve.properties"),
    torchserve("TorchServe-batches", "torchserve_batches.properties"),
)


OURS = [
    ours("torch-serving"),
    ours("torch-serving-2", "--workers", "2"),
    ours("torch-serving-batches", "--batch", "*"),
]


def rows() -> list[Peer]:
    """All servers, ours first: in one process, in two, and with batches."""
    return [*OURS, *PEERS]
