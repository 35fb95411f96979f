"""A real server for tests: `with server("models") as served: served.client["m.pt"](x)`."""

from torch_serving.testing.process import Served, ServerFailed, server

__all__ = ["Served", "ServerFailed", "server"]
