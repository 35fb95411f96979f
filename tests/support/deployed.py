"""Files of `deploy/`, and the tools that judge them."""

import json
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.pages import ROOT

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "torch-serving"
SCHEMAS = ROOT / "tests" / "deploy" / "schemas"
KUBERNETES = "1.37"
INSTALLS = "`make check-deploy` installs it"


def tool(name: str, why: str = "") -> str:
    """The path of a program, beside this Python or elsewhere; the test is skipped without it."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here; {why or INSTALLS}")
    return found


def documents_in(text: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    return [document for document in yaml.safe_load_all(text) if document]


def document_of(path: Path) -> dict[str, Any]:
    [document] = documents_in(path.read_text())
    return document


def complaint_about(document: dict[str, Any]) -> str:
    """What is wrong in a resource of Kubernetes or of `schemas`; "" for nothing."""
    return judge(json.dumps(document, sort_keys=True))


@cache
def judge(text: str) -> str:
    """The same, once for each: the schemas of Kubernetes take seconds."""
    document = json.loads(text)
    schema = SCHEMAS / f"{document['kind']}.yaml"
    if schema.exists():
        validator = pytest.importorskip("jsonschema").Draft202012Validator
        return "; ".join(
            error.message for error in validator(document_of(schema)).iter_errors(document)
        )
    kubernetes = pytest.importorskip("kubernetes_validate", reason=INSTALLS)
    try:
        kubernetes.validate(document, KUBERNETES, strict=True)
    except kubernetes.ValidationError as error:
        return str(error.message)
    return ""


def as_pod(spec: dict[str, Any]) -> dict[str, Any]:
    """A pod of what another kind of resource has of one."""
    fields = ("containers", "volumes")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod"},
        "spec": {field: spec[field] for field in fields if field in spec},
    }


def is_confined(container: dict[str, Any]) -> bool:
    """Whether a container has no more rights than it needs."""
    context = container["securityContext"]
    return (
        context["readOnlyRootFilesystem"] is True
        and context["allowPrivilegeEscalation"] is False
        and context["capabilities"] == {"drop": ["ALL"]}
        and "memory" in container["resources"]["limits"]
    )
