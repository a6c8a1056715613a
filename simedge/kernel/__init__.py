"""Virtual time on SimPy: schedule a record, dispatch it, list and hash the future."""

from simedge.kernel.kernel import Kernel, KernelError

__all__ = ["Kernel", "KernelError"]
