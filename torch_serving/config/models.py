"""Settings: which models there are, and which are kept in memory."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch_serving.setting import setting

models = partial(setting, "models")


@dataclass(frozen=True)
class ModelSettings:
    """Which models there are, and which are kept in memory."""

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
