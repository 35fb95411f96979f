"""The YAML of Ray Serve for both applications, for `serve deploy` and for KubeRay."""

import json
from collections.abc import Mapping
from typing import Any

from torch_serving.ray.arguments import BalancerArguments, NodesArguments, given

HEAD = """\
# serve deploy FILE, or `serveConfigV2` in the spec of a RayService of KubeRay.
# Another `release` of the nodes replaces all of them, one after the other.
proxy_location: Disabled  # no request passes Serve
applications:  # two, as Serve restarts all of an application that changes
"""


def serve_config(nodes: NodesArguments, balancer: BalancerArguments) -> str:
    """Return the file's text."""
    arguments = {"nodes": given(nodes), "balancer": given(balancer)}
    return HEAD + "".join(application(name, args) for name, args in arguments.items())


def application(name: str, args: Mapping[str, Any]) -> str:
    """One application. Its arguments are JSON, which YAML can read."""
    lines = [
        f"  - name: {name}",
        "    route_prefix: null",
        f"    import_path: torch_serving.ray:{name}",
        "    args:" if args else "    args: {}",
        *(f"      {key}: {json.dumps(value)}" for key, value in args.items()),
    ]
    return "\n".join(lines) + "\n"
