"""Settings: where and in how many threads and processes models run."""

from dataclasses import dataclass
from functools import partial

from torch_serving.setting import setting

execution = partial(setting, "execution")


@dataclass(frozen=True)
class ExecutionSettings:
    """Where and in how many threads and processes models run."""

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
