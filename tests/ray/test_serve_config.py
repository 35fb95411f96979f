"""The YAML of Serve: as it is printed, and valid."""

import warnings

import pytest

from torch_serving.ray.arguments import BalancerArguments, NodesArguments
from torch_serving.ray.serve_config import serve_config

NODES = NodesArguments("/models", "2-20", ("--workers", "auto"), resources={"machine": 1.0})
TEXT = """\
  - name: nodes
    route_prefix: null
    import_path: torch_serving.ray:nodes
    args:
      model_root: "/models"
      nodes: "2-20"
      flags: ["--workers", "auto"]
      resources: {"machine": 1.0}
  - name: balancer
    route_prefix: null
    import_path: torch_serving.ray:balancer
    args: {}
"""


def test_it_has_what_is_not_the_default():
    assert serve_config(NODES, BalancerArguments()).endswith(TEXT)


def test_it_is_valid_and_builds_both_applications():
    with warnings.catch_warnings():  # Serve is not in line with the newest pydantic
        warnings.simplefilter("ignore")
        schema = pytest.importorskip("ray.serve.schema", reason="Ray Serve is not installed")
        import yaml

        import torch_serving.ray as applications

        text = serve_config(NODES, BalancerArguments(balancers=2))
        read = schema.ServeDeploySchema.model_validate(yaml.safe_load(text))
        assert [each.name for each in read.applications] == ["nodes", "balancer"]
        assert read.proxy_location.value == "Disabled"
        for each in read.applications:
            assert getattr(applications, each.import_path.partition(":")[2])(each.args)
