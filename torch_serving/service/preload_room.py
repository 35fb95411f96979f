"""Whether the cache has room for all models that are preloaded."""

from torch_serving.config import Config
from torch_serving.models.repository import ModelRepository


def lack_of_room(config: Config, repository: ModelRepository) -> str:
    """Say that preloaded models drop one another from the cache; empty if there is room."""
    count = len({name for pattern in config.preload for name in repository.matching(pattern)})
    if count <= config.model_capacity + config.buffer_size:
        return ""
    return (
        f"--preload names {count} models, of which --model-capacity {config.model_capacity} "
        f"keeps some only; --model-capacity {count} keeps all"
    )
