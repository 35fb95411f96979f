# ruff: noqa: RUF009 - the defaults are fields, made by functions of this module
"""Every setting of a server, said once.

The command line, the TORCH_SERVING_* variables and docs/configuration.md are made from the metadata
of these fields. Those of one model are in `model_config`.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch_serving.setting import setting

network = partial(setting, "network")
trust = partial(setting, "trust")
models = partial(setting, "models")
execution = partial(setting, "execution")
limits = partial(setting, "limits")
logs = partial(setting, "logs")


@dataclass(frozen=True)
class Config:
    """How a server, or a `Runtime` without one, works; `cli` fills it from flags and environment.

    Paths may be given as strings. A remote root stays a string.
    """

    model_root: Path | str = models(
        "MODEL_ROOT",
        Path(),
        "root",
        "the folder with the models, or the file of the only one, or the URL of a remote folder",
        more="`s3://bucket/folder`, `gs://`, `az://`, `hf://organisation/repository@revision` or "
        "`https://`; see [remote.md](remote.md).",
    )

    host: str = network("--host", "127.0.0.1", "host", "the address to listen on")
    port: int = network("-p --port", 8888, "port", "the port; 0 takes a free one")
    uds: Path | None = network(
        "--uds",
        None,
        "file",
        "listen on a Unix domain socket with this path, instead of host and port",
        more="Its mode is 660: the user and the group of the server may connect.",
    )
    root_path: str = network(
        "--root-path",
        "",
        "root_path",
        "the path below which a proxy serves this server, as in `/models`; the proxy removes it",
        default_text="none",
    )
    lifeline_fd: int | None = network(
        "--lifeline-fd",
        None,
        "natural",
        "stop as after SIGTERM once the other end of this descriptor, a pipe or socket, is closed",
        more="So a server ends with the program that started it, however that ends.",
    )
    ready_fd: int | None = network(
        "--ready-fd",
        None,
        "natural",
        "once all workers serve, write `url`, `host`, `port` and `pid` as a line of JSON to this "
        "descriptor, a pipe or socket, and close it",
    )
    server: str = network(
        "--server",
        "uvicorn",
        ("uvicorn", "meinheld"),
        "the HTTP server; meinheld serves `/serve` and `/healthcheck` only",
    )
    console: str = network(
        "--console",
        "auto",
        ("auto", "on", "off"),
        "the page at `/`; `auto`: on where only this machine, or who has a key, can use it",
        more="`--no-console` is the same as `--console off`.",
    )
    forwarded_allow_ips: str = trust(
        "--forwarded-allow-ips",
        "127.0.0.1",
        "proxies",
        "proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: addresses and "
        "networks, with commas between them; `unix:` for those of `--uds`, `*` for all",
    )
    behind_proxy: bool = network(
        "--behind-proxy",
        False,
        "switch",
        "let meinheld listen beyond this machine",
        more="It crashes on a malformed chunked request, so a proxy must stand before it.",
    )

    api_key_file: Path | None = trust(
        "--api-key-file",
        None,
        "file",
        "keys, one in each line, of which every request must have one",
        more="As `Authorization: Bearer KEY` or `X-Api-Key: KEY`.",
    )
    open_health: bool = trust(
        "--open-health", False, "switch", "`/healthcheck`, `/ready` and `/v2/health` need no key"
    )
    cors_origins: tuple[str, ...] = trust(
        "--cors-origin",
        (),
        "origin",
        "let scripts of this origin, as in `https://example.org`, or of all (`*`) send requests; "
        "may be repeated",
    )
    tls_cert: Path | None = trust(
        "--tls-cert", None, "file", "speak HTTPS with the certificate in this file"
    )
    tls_key: Path | None = trust("--tls-key", None, "file", "speak HTTPS with the key in this file")

    names: tuple[str, ...] = models(
        "--name",
        (),
        "name",
        "another name for a model, as in `iris=flowers/iris.pt`, or as in `iris` for the only one; "
        "may be repeated",
        more="Clients may use it wherever they name the model.",
    )
    model_capacity: int = models(
        "-c --model-capacity",
        10,
        "positive",
        "models kept in memory",
        more="With several devices, so many for each.",
    )
    buffer_size: int = models(
        "-b --buffer-size",
        3,
        "natural",
        "models kept beyond the capacity, until there are more of them",
        more="Then the least recently used are dropped, down to the capacity.",
    )
    model_memory_bytes: int = models(
        "--model-memory",
        0,
        "size",
        "memory for the weights of models on each device, besides the capacity",
        more="Beyond it, the least recently used are dropped.",
        default_text="no limit",
    )
    watch: bool = models(
        "--watch",
        False,
        "switch",
        "look for changed files every second, and load them before a request meets them",
        more="Files beside a model count too; the old one is served until the new one is warm.",
    )
    remote_cache: Path | None = models(
        "--remote-cache",
        None,
        "folder",
        "where copies of a remote root's files are kept",
        default_text="`~/.cache/torch-serving`",
    )
    remote_cache_bytes: int = models(
        "--remote-cache-size",
        20 << 30,
        "size",
        "the most that copies of a remote root take; the least recently used make room, unless "
        "they are loaded",
    )
    remote_timeout_s: float = models(
        "--remote-timeout",
        30.0,
        "seconds",
        "how long a remote root may take to answer, or for the next 16 MiB, before it is asked "
        "again",
    )
    remote_refresh_s: float = models(
        "--remote-refresh",
        60.0,
        "seconds",
        "how often a remote root is listed; with `--watch`, what changed there is fetched then",
    )
    trial_load: bool = models(
        "--no-trial-load",
        True,
        "switch",
        "load files without having tried them in a process of their own",
        more="A file that crashes torch then costs a worker, not just a refusal.",
    )
    imports: tuple[str, ...] = models(
        "--import",
        (),
        "module",
        "import this Python module first, as in `torchvision`: it has operators that models use; "
        "may be repeated",
    )
    preload: tuple[str, ...] = models(
        "--preload",
        (),
        "pattern",
        "load the models with these names at the start, as in `'*.pt'`; may be repeated",
        more="All workers share their weights, except on GPUs.",
    )

    workers: int | None = execution(
        "--workers",
        1,
        "workers",
        "processes, each with its own cache; `auto`: one per core, or one for cards",
    )
    spare: bool = execution(
        "--spare",
        False,
        "switch",
        "keep one worker more, ready to take the place of one that dies or whose device fails",
        more="It accepts no connections before. Costs the memory of a worker, on a GPU too.",
    )
    threads: int | None = execution(
        "-t --threads",
        None,
        "positive",
        "executor threads of each process: they run models",
        default_text="one per core, at most 8",
    )
    intra_op_threads: int | None = execution(
        "--intra-op-threads",
        None,
        "positive",
        "threads for one operator of torch",
        default_text="cores divided by workers and executor threads",
    )
    batch: tuple[str, ...] = execution(
        "--batch",
        (),
        "pattern",
        "models whose first dimension is a batch: requests that wait run as one; may be repeated",
    )
    max_batch: int = execution("--max-batch", 32, "batch_size", "the most rows of one batch")
    jit_fusion: bool = execution("--jit-fusion", True, "on_off", "let TorchScript fuse operators")
    jit_profiling: bool = execution(
        "--jit-profiling", True, "on_off", "let TorchScript specialise for shapes"
    )
    tf32: bool = execution(
        "--tf32",
        False,
        "on_off",
        "round `float32` to TF32 before it is multiplied, on cards that can",
        more="Convolutions and products of matrices are faster, and results some percent off.",
    )
    device: str = execution(
        "--device",
        "auto",
        "text",
        "where models run; of several, as in `cuda:0,cuda:1`, the one with the fewest requests",
        more="`auto`: all CUDA cards, or the CPU where there are none. "
        "`--use-gpu` is the same as `--device cuda`.",
    )

    gpu_memory: float | None = execution(
        "--gpu-memory",
        None,
        "share",
        "the most that each worker takes of each GPU: a part, as in 0.4 or 40%, or as in 8GiB",
        default_text="no limit",
    )

    max_body_bytes: int = limits(
        "--max-body",
        256 << 20,
        "size",
        "the largest body, in bytes or with KiB, MiB or GiB: up to 4GiB",
    )
    body_rate: int = limits(
        "--body-rate",
        1024,
        "size_or_zero",
        "the least of a body that must arrive in a second, over five, and of a response that must "
        "be read, over 75; 0: any",
    )
    header_timeout_s: float = limits(
        "--header-timeout", 10.0, "seconds", "how long a request's headers may take"
    )
    body_timeout_s: float = limits(
        "--body-timeout", 60.0, "seconds", "how long a request's body may take"
    )
    queue: int = limits(
        "--queue",
        256,
        "natural",
        "requests that may wait for an executor thread; more are refused at once",
        more="Their bodies bound the memory: at most (queue + threads) × `--max-body`.",
    )
    queue_timeout_s: float = limits(
        "--queue-timeout", 30.0, "seconds", "how long a request may wait for an executor thread"
    )
    request_timeout_s: float = limits(
        "--request-timeout",
        300.0,
        "seconds",
        "how long a request may take in all",
        more="A model that still runs as long again costs its worker, which starts again.",
    )
    load_timeout_s: float = limits(
        "--load-timeout",
        300.0,
        "seconds",
        "how long the loading of a model may take; a file that takes longer is refused",
        more="Where it was not tried in a process of its own, or takes as long again after that, "
        "its worker starts again. A preloaded model that takes longer ends the start.",
    )
    quarantine_s: float = limits(
        "--quarantine",
        300.0,
        "seconds_or_zero",
        "how long a model is refused after a process died twice in a minute while it ran, or it "
        "broke a device as often; doubles each time; 0: never",
    )
    drain_delay_s: float = limits(
        "--drain-delay",
        0.0,
        "seconds_or_zero",
        "how long to serve on after SIGTERM, while `/ready` says 503",
    )
    shutdown_timeout_s: float = limits(
        "--shutdown-timeout",
        60.0,
        "seconds",
        "how long accepted requests may take to end after SIGTERM or Ctrl-C",
        more="A second signal ends the server at once.",
    )

    log_level: str = logs(
        "--log-level",
        "info",
        ("debug", "info", "warning", "error"),
        "the least that is logged; `info` has a line for each request, `debug` its steps",
    )
    log_format: str = logs("--log-format", "text", ("text", "json"), "`json` is one object a line")
    debug_errors: bool = logs(
        "--debug-errors",
        False,
        "switch",
        "send clients the whole trace of an error in `trace`, with the model's source and paths",
        more="For development.",
    )
    tracing: bool = logs(
        "--tracing",
        False,
        "switch",
        "send spans to OpenTelemetry, as `OTEL_EXPORTER_OTLP_ENDPOINT` and its other variables say",
        more="Needs the extra `otel`.",
    )

    def __post_init__(self) -> None:
        for name in ("model_root", "uds", "api_key_file", "tls_cert", "tls_key", "remote_cache"):
            path = getattr(self, name)
            if path is not None and not (name == "model_root" and is_url(path)):
                object.__setattr__(self, name, Path(path))


def is_url(root: Path | str) -> bool:
    """Whether a model root is a remote one."""
    return isinstance(root, str) and "://" in root
