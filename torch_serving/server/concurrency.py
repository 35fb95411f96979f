"""How the cores are divided among workers, executor threads and the threads of one operator."""

import logging
from typing import NamedTuple

from torch_serving.config import Config
from torch_serving.engine.cores import cores
from torch_serving.engine.devices import is_cpu
from torch_serving.engine.engine import MAX_THREADS
from torch_serving.errors import InvalidDevice, StartupError

logger = logging.getLogger(__name__)


class Concurrency(NamedTuple):
    """Fields are named after those of `Config`."""

    workers: int
    threads: int  # executor threads of each worker
    intra_op_threads: int  # of each executor thread, for one operator


def divide_cores(config: Config) -> Concurrency:
    """Choose what the configuration leaves open; its device is not `auto` any more.

    One process serves cards best, and its executor threads only decode and encode.
    Raises StartupError if more threads are asked for than there are cores, and for a device that
    torch does not know.
    """
    try:
        on_cpu = is_cpu(config.device)
    except InvalidDevice as error:
        raise StartupError(error.detail) from None
    workers = config.workers or (cores() if on_cpu else 1)
    share = max(1, cores() // workers)
    threads = config.threads or max(1, min(share // (config.intra_op_threads or 1), MAX_THREADS))
    intra_op_threads = config.intra_op_threads or (max(1, share // threads) if on_cpu else 1)
    if intra_op_threads > 1 and workers * threads * intra_op_threads > cores():
        raise StartupError(
            f"{workers} workers × {threads} threads × {intra_op_threads} intra-op threads are more "
            f"than the {cores()} cores; lower --workers, --threads or --intra-op-threads"
        )
    return Concurrency(workers, threads, intra_op_threads)


def warn_of_workers(config: Config) -> None:
    """Say what it costs that several processes use the same cards."""
    if (config.workers or 1) > 1 and not is_cpu(config.device):
        logger.warning(
            "--workers %d: each has a CUDA context (about half a GiB), the weights and the graphs "
            "once more on %s; one process serves a card best",
            config.workers,
            config.device,
        )
