"""Inference mode of torch: autograd records nothing."""

import threading

import torch


class InferenceMode(threading.local):
    """Enters inference mode once in each thread that runs models, instead of once per run."""

    entered = False

    def enter(self) -> None:
        if not self.entered:
            self.mode = torch.inference_mode()
            self.mode.__enter__()
            self.entered = True


INFERENCE = InferenceMode()
