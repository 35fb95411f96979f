"""Every setting of a server, said once.

The command line, the TORCH_SERVING_* variables and docs/configuration.md are made from the metadata
of these fields. Those of one model are in `model_config`.
"""

from dataclasses import dataclass
from pathlib import Path

from torch_serving.config.execution import ExecutionSettings
from torch_serving.config.limits import LimitSettings
from torch_serving.config.logs import LogSettings
from torch_serving.config.models import ModelSettings
from torch_serving.config.network import NetworkSettings
from torch_serving.config.root import RootSettings, is_url
from torch_serving.config.trust import TrustSettings

PATHS = ("model_root", "uds", "api_key_file", "tls_cert", "tls_key", "remote_cache")


@dataclass(frozen=True)
class Config(  # a dataclass has the fields of its last base first
    LogSettings,
    LimitSettings,
    ExecutionSettings,
    ModelSettings,
    TrustSettings,
    NetworkSettings,
    RootSettings,
):
    """How a server, or a `Runtime` without one, works; `cli` fills it from flags and environment.

    Paths may be given as strings. A remote root stays a string.
    """

    def __post_init__(self) -> None:
        for name in PATHS:
            path = getattr(self, name)
            if path is not None and not (name == "model_root" and is_url(path)):
                object.__setattr__(self, name, Path(path))
