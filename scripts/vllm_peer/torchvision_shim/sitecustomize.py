"""Lets the torchvision wheel, which is built for CUDA, be imported beside a torch for the CPU.

Its compiled part cannot be loaded there. torchvision bears that, except that it registers fake
kernels for two of its operators, which are then unknown: they are declared just before.
"""

import importlib.abc
import sys


class _BeforeTorchvision(importlib.abc.MetaPathFinder):
    """Finds nothing; declares the operators when torchvision is looked for."""

    def find_spec(self, name, path=None, target=None):
        """None, always: the usual finders load the module."""
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch  # noqa: PLC0415 - only where torchvision is wanted

            signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            for operator in ("nms", "qnms"):
                torch.library.define(f"torchvision::{operator}", signature)


sys.meta_path.insert(0, _BeforeTorchvision())
