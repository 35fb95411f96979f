"""How the cores are divided among workers, executor threads and the threads of one operator."""

from typing import NamedTuple

from torch_serving.config import Config
from torch_serving.engine.engine import MAX_THREADS, cores
from torch_serving.errors import StartupError


class Concurrency(NamedTuple):
    """Fields are named after those of `Config`."""

    workers: int
    threads: int  # executor threads of each worker
    intra_op_threads: int  # of each executor thread, for one operator


def divide_cores(config: Config) -> Concurrency:
    """Choose what the configuration leaves open.

    Raises StartupError if more threads are asked for than there are cores.
    """
    workers = config.workers or cores()
    share = max(1, cores() // workers)
    threads = config.threads or max(1, min(share // (config.intra_op_threads or 1), MAX_THREADS))
    intra_op_threads = config.intra_op_threads or max(1, share // threads)
    if intra_op_threads > 1 and workers * threads * intra_op_threads > cores():
        raise StartupError(
            f"{workers} workers × {threads} threads × {intra_op_threads} intra-op threads are more "
            f"than the {cores()} cores; lower --workers, --threads or --intra-op-threads"
        )
    return Concurrency(workers, threads, intra_op_threads)
