"""What the operator decides, as one frozen value."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

MEBIBYTE = 1 << 20
MAX_MAX_BATCH = 65536
MAX_IDENTIFIER_BYTES = 512  # of UTF-8: the room for a name in shared memory


@dataclass(frozen=True)
class Config:
    """The settings of one server; `cli` fills it from flags and environment."""

    model_root: Path = field(default_factory=Path)
    host: str = "127.0.0.1"
    port: int = 8888  # 0: any free one
    server: str = "uvicorn"
    behind_proxy: bool = False
    api_key_file: Path | None = None
    open_health: bool = False
    cors_origins: tuple[str, ...] = ()  # whose scripts may ask; "*": everybody's
    tls_cert: Path | None = None
    tls_key: Path | None = None
    model_capacity: int = 10
    buffer_size: int = 3
    model_memory_bytes: int = 0  # of one device; 0: no limit
    trial_load: bool = True
    watch: bool = False
    preload: tuple[str, ...] = ()  # patterns of names
    batch: tuple[str, ...] = ()  # patterns of names
    max_batch: int = 32
    device: str = "cpu"  # or several, with commas
    workers: int | None = 1  # None: chosen from the cores
    lanes: int | None = None  # None: chosen from the cores
    intra_op_threads: int | None = None  # None: cores divided among lanes
    jit_fusion: bool = True
    jit_profiling: bool = True
    max_body_bytes: int = 256 * MEBIBYTE
    header_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    body_rate: int = 1024  # bytes a second; 0: any
    shutdown_timeout_s: float = 60.0
    drain_delay_s: float = 0.0
    queue: int = 256
    queue_timeout_s: float = 30.0
    request_timeout_s: float = 300.0
    quarantine_s: float = 300.0  # 0: never
    log_level: str = "info"
    tracing: bool = False
    log_format: str = "text"  # or "json"


class WarmUp(NamedTuple):
    """A request that is run when its model is loaded; `source` is its file, and line."""

    source: str
    body: bytes


@dataclass(frozen=True)
class ModelConfig:
    """How one model is served; the keys of its TOML file.

    - `device`: where it runs unless a request says otherwise
    - `batch`: its first dimension is a batch, so waiting requests may run as one, of up to
      `max_batch` rows
    - `freeze`, `optimize`: torch.jit.freeze, and torch.jit.optimize_for_inference after it
    - `warmup`: requests that are run when the model is loaded
    """

    device: str | None = None
    batch: bool = False
    max_batch: int = 32
    freeze: bool = False
    optimize: bool = False
    warmup: tuple[WarmUp, ...] = ()
