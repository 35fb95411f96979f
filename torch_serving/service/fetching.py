"""Waiting for the files of a model that lie elsewhere."""

from torch_serving.engine.deadline import Deadline
from torch_serving.models.load_queue import wait_until_loaded
from torch_serving.models.repository import ModelRepository
from torch_serving.service.file_threads import in_file_thread


async def fetched(repository: ModelRepository, model: str, deadline: Deadline) -> None:
    """Return once a model's files are here: at once, below a local root.

    Raises NotReady if they can't be fetched, and DeadlineExceeded; the fetch goes on then.
    """
    if not repository.is_remote:
        return
    if fetching := await in_file_thread(repository.bring, model):
        await wait_until_loaded(fetching, deadline.remaining_s())
