"""Servers on many machines, which Ray places, watches, scales and updates.

`nodes` and `balancer` are the applications, as `import_path` of Ray Serve names them. Nothing else
of the package imports Ray, nor does this module before one is built.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["balancer", "nodes"]


def nodes(args: Mapping[str, Any]) -> Any:
    """Return the Serve application of servers, one on each machine.

    `args` are the fields of `NodesArguments`.
    """
    from torch_serving.ray import applications, arguments

    return applications.nodes_application(arguments.read(arguments.NodesArguments, args))


def balancer(args: Mapping[str, Any]) -> Any:
    """Return the Serve application of balancers.

    `args` are the fields of `BalancerArguments`. It is one of its own, as Serve restarts all
    deployments of an application that changes.
    """
    from torch_serving.ray import applications, arguments

    return applications.balancer_application(arguments.read(arguments.BalancerArguments, args))
