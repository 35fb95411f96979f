"""Python imports this as it starts: once torch is imported, it gets operators for the card."""

import importlib.util
import sys
from importlib.abc import MetaPathFinder


class TorchFinder(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("torch")
        execute = spec.loader.exec_module

        def execute_and_install(module):
            execute(module)
            from tests.simulated_card.operators import install

            install()

        spec.loader.exec_module = execute_and_install
        return spec


sys.meta_path.insert(0, TorchFinder())
