"""The applications of Serve: how many actors there are, where, and how they are replaced."""

from collections.abc import Mapping
from typing import Any

from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy

from torch_serving.ray.arguments import BalancerArguments, NodesArguments, counts_in
from torch_serving.ray.balancer_actor import Balancer
from torch_serving.ray.node_actor import Node
from torch_serving.ray.scaling import ByQueue

NODES, BALANCER = "nodes", "balancer"
HEALTH = {"health_check_period_s": 1, "health_check_timeout_s": 5}
ENDING_S = 10.0  # beside the drain: balancers are told, and the process ends
TRIES = 3  # of a start, then the application has failed
MORE_AFTER_S, FEWER_AFTER_S = 2.0, 30.0  # that load has wanted another number of nodes


def nodes_application(arguments: NodesArguments) -> Any:
    """One node on a machine at most, replaced one after the other."""
    deployment = serve.deployment(
        name="Node",
        max_replicas_per_node=1,
        graceful_shutdown_timeout_s=arguments.drain_s + ENDING_S,
        graceful_shutdown_wait_loop_s=0.1,  # no request is under way in the actor itself
        max_constructor_retry_count=TRIES,
        ray_actor_options={
            "num_cpus": arguments.cpus,
            "num_gpus": arguments.gpus,
            "resources": dict(arguments.resources),
        },
        **HEALTH,
        **number_of_nodes(arguments),
    )
    return deployment(Node).bind(arguments)


def number_of_nodes(arguments: NodesArguments) -> Mapping[str, Any]:
    least, most = counts_in(arguments.nodes)
    if least == most:
        return {"num_replicas": least}
    policy = AutoscalingPolicy(
        policy_function=ByQueue, policy_kwargs={"waiting": arguments.waiting}
    )
    scaling = AutoscalingConfig(
        min_replicas=least,
        max_replicas=most,
        metrics_interval_s=1,
        upscale_delay_s=MORE_AFTER_S,
        downscale_delay_s=FEWER_AFTER_S,
        look_back_period_s=3,
        policy=policy,
    )
    return {"autoscaling_config": scaling}


def balancer_application(arguments: BalancerArguments) -> Any:
    """Balancers on different machines: one on a machine that is lost would be an outage."""
    deployment = serve.deployment(
        name="Balancer",
        num_replicas=arguments.balancers,
        max_replicas_per_node=1,
        max_constructor_retry_count=TRIES,
        ray_actor_options={"num_cpus": 0, "resources": dict(arguments.resources)},
        **HEALTH,
    )
    return deployment(Balancer).bind(arguments)
