"""The arrays of a circuit as its kernels see them: where they begin, without their sizes."""

from simedge.core.native_bare import bare
from simedge.core.native_cache import native_inside
from simedge.neurons.recurrent.places import Arrays

__all__ = ["bared"]


@native_inside
def bared(c: Arrays) -> Arrays:
    """Return the arrays for parts that only index them."""
    return Arrays(
        bare(c.weight),
        bare(c.real),
        bare(c.marks),
        bare(c.ints),
        bare(c.plan),
        bare(c.wires),
        bare(c.log),
        bare(c.rows),
    )
