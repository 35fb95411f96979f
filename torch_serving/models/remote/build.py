"""What a configuration asks for: a repository of local or of remote files."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from torch_serving.config import Config
from torch_serving.model_config import ModelConfig
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.repository import ModelRepository

if TYPE_CHECKING:
    from torch_serving.models.remote.keeper import RootKeeper
    from torch_serving.models.remote.repository import RemoteRepository


def build_repository(
    config: Config,
    defaults: Callable[[str], ModelConfig] = lambda _: ModelConfig(),
    is_first_report: Callable[[str], bool] = lambda _: True,
) -> ModelRepository:
    """Return the repository of a model root. Raises StartupError for a URL that is none."""
    if isinstance(config.model_root, Path):
        return ModelRepository(config.model_root, defaults, is_first_report)
    from torch_serving.models.remote.repository import RemoteRepository
    from torch_serving.models.remote.root import RemoteOptions, RemoteRoot
    from torch_serving.models.remote.urls import parse

    options = RemoteOptions(
        config.remote_cache,
        config.remote_cache_bytes,
        config.remote_timeout_s,
        config.remote_refresh_s,
    )
    remote = RemoteRoot(parse(config.model_root), options, is_first_report)
    return RemoteRepository(remote, defaults, is_first_report)


def start_keeper(models: ModelLifecycle, config: Config) -> "RootKeeper | None":
    """Look after a remote root in this process from now on; None where the root is local."""
    if not models.repository.is_remote:
        return None
    from torch_serving.models.remote.keeper import RootKeeper

    remote = cast("RemoteRepository", models.repository).remote

    def loaded() -> list[str]:
        return [each.identifier for each in models.cache.values()]

    keeper = RootKeeper(remote, loaded, config.watch)
    keeper.start()
    return keeper
