"""Arrays without their shape, for native kernels that go deep.

A kernel sees an array as seven numbers, and tests each index for its sign. Where arrays by the
dozen are handed from part to part, most of what a compiler has to read is that. A bare array is the
address of its first element: it can be indexed, and nothing else.
"""
# ruff: noqa: ANN401 - signatures and insides of numba

from typing import Any

from numba.core import types
from numba.core.extending import intrinsic
from numba.np import arrayobj

from simedge.core.native_cache import jit_is_off

__all__ = ["bare"]


def _bare(typing: Any, array: Any) -> Any:
    """Return the address of an array's first element; its owner must outlive it."""
    del typing
    pointer: Any = types.CPointer
    struct: Any = arrayobj

    def address(  # noqa: PLR0917 -- numba calls it so
        context: Any, builder: Any, signature: Any, given: Any
    ) -> Any:
        return struct.make_array(signature.args[0])(context, builder, given[0]).data

    if not (isinstance(array, types.Array) and array.layout == "C" and array.ndim == 1):
        return None
    return pointer(array.dtype)(array), address


def _itself(array: Any) -> Any:
    """Return the array: Python indexes it as it is."""
    return array


bare: Any = _itself if jit_is_off() else intrinsic(_bare)
