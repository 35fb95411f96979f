"""Models, engine and services of one process, composed in one place. Knows no sockets."""

import fnmatch
import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch

from torch_serving.codecs.python_values import Arguments
from torch_serving.config import Config
from torch_serving.config.root import is_url
from torch_serving.engine.cores import cores
from torch_serving.engine.device_monitor import DeviceMonitor
from torch_serving.engine.devices import DevicePool, is_cpu, resolve_auto
from torch_serving.engine.dispatcher import Limits
from torch_serving.engine.engine import MAX_THREADS, Engine
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.precision import set_tf32
from torch_serving.errors import (
    DeviceFailed,
    InvalidDevice,
    OutOfMemory,
    ServingError,
    StartupError,
)
from torch_serving.model_config import ModelConfig
from torch_serving.models._cache import Cache
from torch_serving.models.imports import import_at_start
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.other_names import other_names
from torch_serving.models.remote.build import build_repository, start_keeper
from torch_serving.models.remote.urls import shown
from torch_serving.models.servable import Servable
from torch_serving.models.trials import TryLoad
from torch_serving.models.watcher import Watcher
from torch_serving.service.alone import Alone
from torch_serving.service.description import Description
from torch_serving.service.examples import Examples
from torch_serving.service.inference import Inference
from torch_serving.service.interfaces import InferenceRequest, WorkerGroup
from torch_serving.service.loop_thread import LoopThread
from torch_serving.service.management import Management
from torch_serving.service.preload_room import lack_of_room
from torch_serving.telemetry import tracing
from torch_serving.telemetry.prometheus import Metrics
from torch_serving.telemetry.responses import ResponseRecorder

if TYPE_CHECKING:
    from torch_serving.models.remote.keeper import RootKeeper

logger = logging.getLogger(__name__)

LimitPreload = Callable[[str], AbstractContextManager[None]]  # takes a model's name
LARGE_BYTES = 100 << 20  # of a model whose loading is seen by whoever waits


def no_limit(name: str) -> AbstractContextManager[None]:
    return nullcontext()


class Runtime:
    """What one process needs to run requests. `build` makes one.

    A server builds it before it forks, so that workers share the preloaded models; each worker
    starts its copy. `in_flight` holds the requests that the process is busy with.
    """

    def __init__(self, config: Config, group: WorkerGroup, limit_preload: LimitPreload) -> None:
        """Compose the parts. Raises StartupError if an extra is missing. Loads no model yet."""
        self.config = config
        self.group = group
        self._limit_preload = limit_preload
        self.in_flight: set[Any] = set()
        self.tracing = tracing.Tracing() if config.tracing else None
        self.device_names = resolve_auto(config.device)
        self.devices = DevicePool(self.device_names)
        self.monitor = DeviceMonitor(group.statistics, self.in_flight, config.gpu_memory)
        self.models = build_models(config, group, self.monitor, self.devices.count)
        self.engine = build_engine(config, group, self.models, self.in_flight)
        responses = ResponseRecorder(group.statistics)
        self.inference = Inference(self.models, self.engine, self.devices, responses, self.tracing)
        self.management = Management(self.models, self.devices, group)
        self.examples = Examples(self.models.repository)
        self.description = Description(
            self.models,
            self.devices,
            self.management,
            self.examples,
            config.request_timeout_s,
        )
        self.metrics = Metrics(
            group.statistics, group.parent_slot, group.spare_slot, group.incident_counts
        )
        self._loop_thread: LoopThread | None = None
        self._watcher: Watcher | None = None
        self._keeper: RootKeeper | None = None

    @classmethod
    def build(
        cls,
        config: Config,
        group: WorkerGroup | None = None,
        limit_preload: LimitPreload = no_limit,
    ) -> "Runtime":
        """Compose a runtime and preload the models that run on the CPU, each within a limit.

        The others are preloaded by `start`: CUDA does not survive a fork. Raises StartupError.
        """
        if not (is_url(config.model_root) or os.path.exists(config.model_root)):
            raise StartupError(f"no such folder or file: {config.model_root}")
        import_at_start(config.imports)
        configure_torchscript(config)
        set_tf32(config.tf32)
        runtime = cls(config, group or Alone(), limit_preload)
        repository = runtime.models.repository
        repository.prepare(config.preload)
        repository.other_names = other_names(repository, config.names)
        if problem := lack_of_room(config, repository):
            logger.warning("%s", problem)
        runtime.preload(on_cpu=True)
        return runtime

    def start(self, try_load: TryLoad | None = None, may_lack_devices: bool = False) -> None:
        """Start threads, in the process that runs the requests.

        `try_load` loads a model in a process of its own first, and returns whether that process
        lived. With `may_lack_devices`, those that are absent or in error are left out, and what was
        to be preloaded there. Raises StartupError.
        """
        self.models.attach(try_load, self.engine.call_on, self.config.load_timeout_s)
        if self.config.watch:
            self._watcher = Watcher(self.models)
            self._watcher.start()
        self._keeper = start_keeper(self.models, self.config)
        self.preload(on_cpu=False, may_lack_devices=may_lack_devices)
        if self.tracing:
            self.tracing.start()
        self.engine.start()

    def close(self) -> None:
        """End the threads once all requests that were submitted are done."""
        if self._watcher:
            self._watcher.close()
        if self._keeper:
            self._keeper.close()
        self.engine.close()
        self.models.close()
        self.monitor.close()
        if self.tracing:
            self.tracing.close()

    # Without a server: `with Runtime.build(config) as runtime: runtime.infer(...)`.

    def __enter__(self) -> "Runtime":
        """Start, with an event loop in a thread of its own."""
        if self.engine.is_started:
            raise RuntimeError("a runtime is entered once; build another one")
        self.start()
        self._loop_thread = self.inference.loop_thread = LoopThread()
        self._loop_thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Finish the requests that run, and end all threads."""
        if self._loop_thread:
            self._loop_thread.stop()
        self.close()
        self.engine.join(self.config.shutdown_timeout_s)

    def infer(
        self,
        model: str,
        arguments: Arguments,
        *,
        method: str = "forward",
        device: str | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Run a model on tensors, arrays or plain values; return its result. For any thread.

        `arguments` maps the names of the arguments to values, or has the values in order. Numbers
        and containers are checked against the signature. The model is loaded if need be, and the
        limits of the configuration hold. Raises the same ServingErrors as a server responds with.
        """
        if self._loop_thread is None:
            raise RuntimeError("enter the runtime first: `with Runtime.build(config) as runtime:`")
        if self._loop_thread.is_current():
            raise RuntimeError("this is the loop of the runtime, which would wait for itself")
        request = InferenceRequest(model, method, device, timeout_s=timeout_s)
        return self._loop_thread.run(self.inference.infer_values(request, arguments))

    def preload(self, on_cpu: bool, may_lack_devices: bool = False) -> None:
        """Load those models that the configuration names which run on the CPU, or all others.

        Raises StartupError for a device that does not exist, is full or in error, and for a model
        that does not exist or can't be loaded.
        """
        try:
            if is_cpu(self.device_names) == on_cpu:
                self.devices.open(self.monitor.use, may_lack_devices)
                for device, why in self.devices.left_out.items():
                    self.monitor.leave_out(device, why)
            for pattern in self.config.preload:
                self._preload_matching(pattern, on_cpu, may_lack_devices)
        except ServingError as error:
            raise StartupError(error.detail) from None

    def _preload_matching(self, pattern: str, on_cpu: bool, may_lack_devices: bool) -> None:
        repository = self.models.repository
        names = repository.matching(pattern)
        if not names:
            hint = repository.near_names.hint(pattern)
            raise StartupError(
                f"--preload {pattern}: no such model below {shown(self.config.model_root)}{hint}"
            )
        for name in names:
            configured = repository.placement.configured_name(name)
            if is_cpu(configured or self.device_names) == on_cpu:
                log_large_load(name, repository.file_bytes(name))
                try:
                    self._preload(name, configured is not None)
                except ServingError as error:
                    if not (may_lack_devices and lacks_device(error)):
                        raise
                    logger.error("%s is not preloaded: %s", name, error.detail)

    def _preload(self, name: str, is_placed: bool) -> None:
        """Load a model onto the device that it is placed on, or onto all."""
        one = [self.models.repository.placement.choose(name, self.devices)] if is_placed else None
        for device in one or self.devices.devices:
            self._preload_on(device, name)

    def _preload_on(self, device: torch.device, name: str) -> None:
        with self._limit_preload(name):
            try:
                self.models.preload(name, device)
            except OutOfMemory as error:
                raise StartupError(f"`{name}` on {device}: {error.detail}") from None


def lacks_device(error: BaseException | None) -> bool:
    """Whether a model was not loaded since its device is absent or in error."""
    while error is not None:
        if isinstance(error, InvalidDevice) or (isinstance(error, DeviceFailed) and not error.lost):
            return True
        error = error.__cause__
    return False


def log_large_load(name: str, size_bytes: int) -> None:
    """Log the name and size of a large model before its load, which delays the start."""
    if size_bytes >= LARGE_BYTES:
        logger.info("loading %s, which has %.1f GiB", name, size_bytes / (1 << 30))


def build_models(
    config: Config, group: WorkerGroup, monitor: DeviceMonitor, devices: int
) -> ModelLifecycle:
    cache: Cache[Servable] = Cache(
        config.model_capacity * devices, config.buffer_size, config.model_memory_bytes
    )

    def defaults(name: str) -> ModelConfig:
        batch = any(fnmatch.fnmatchcase(name, pattern) for pattern in config.batch)
        return ModelConfig(batch_by_flag=batch, max_batch=config.max_batch, tf32=config.tf32)

    repository = build_repository(config, defaults, group.is_first_report)
    return ModelLifecycle(repository, cache, group, use_device=monitor.use)


def build_engine(
    config: Config, group: WorkerGroup, models: ModelLifecycle, in_flight: set[Any]
) -> Engine:
    threads = config.threads or max(1, min(cores() // (config.intra_op_threads or 1), MAX_THREADS))
    return Engine(
        threads,
        in_flight,
        config.intra_op_threads,
        Limits(config.queue, config.queue_timeout_s, config.request_timeout_s),
        EngineEvents(group.set_running, models.free_memory, group.request_restart),
        group.statistics,
    )


def configure_torchscript(config: Config) -> None:
    """Set how TorchScript compiles, in the whole process."""
    torch._C._jit_set_profiling_executor(config.jit_profiling)
    torch._C._jit_set_profiling_mode(config.jit_profiling)
    torch._C._jit_set_texpr_fuser_enabled(config.jit_fusion)
