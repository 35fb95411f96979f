"""The setting that says where the models are."""

from dataclasses import dataclass
from pathlib import Path

from torch_serving.setting import setting


@dataclass(frozen=True)
class RootSettings:
    """Where the models are."""

    model_root: Path | str = setting(
        "models",
        "MODEL_ROOT",
        Path(),
        "root",
        "the folder with the models, or the file of the only one, or the URL of a remote folder",
        more="`s3://bucket/folder`, `gs://`, `az://`, `hf://organisation/repository@revision` or "
        "`https://`; see [remote.md](remote.md).",
    )


def is_url(root: Path | str) -> bool:
    """Whether a model root is a remote one."""
    return isinstance(root, str) and "://" in root
