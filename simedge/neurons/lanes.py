"""Eight numbers at a time: of short loops over maps, compilers make code several times slower.

Each of these is one to four vector instructions on today's processors; where there are none, LLVM
makes the best of it. A place is that of the first of eight neighbours in an array; bounds are not
checked, as in all compiled code.
"""
# ruff: noqa: ANN401, ARG001, PLR0913 - values and signatures of numba's compiler

from collections.abc import Callable
from typing import Any, Final

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from simedge.neurons.kinds import Reals, Whole

__all__ = ["LANES", "add_lanes", "add_scaled_lanes", "any_above", "scale_lanes", "take_in_lanes"]

LANES: Final = 8
_EIGHT: Final = ir.VectorType(ir.FloatType(), LANES)


def _added(total: Reals, i: Whole, part: Reals, j: Whole) -> None:  # noqa: PLR0917
    """Add part[j:j+8] to total[i:i+8]."""
    total[i : i + LANES] += part[j : j + LANES]


def _scaled(total: Reals, i: Whole, factor: Any) -> None:
    """Multiply total[i:i+8] by a factor."""
    total[i : i + LANES] *= factor


def _added_scaled(total: Reals, i: Whole, factor: Any, part: Reals, j: Whole) -> None:  # noqa: PLR0917
    """Add part[j:j+8] times a factor to total[i:i+8]; the products are rounded first."""
    total[i : i + LANES] += factor * part[j : j + LANES]


def _taken_in(total: Reals, i: Whole, part: Reals, j: Whole, low: Any, high: Any) -> None:  # noqa: PLR0917
    """Add part[j:j+8] to total[i:i+8], clip that to low .. high, and set the part to 0."""
    more = total[i : i + LANES] + part[j : j + LANES]
    total[i : i + LANES] = more.clip(low, high)
    part[j : j + LANES] = 0.0


def _exceeds(left: Reals, i: Whole, right: Reals, j: Whole) -> bool:  # noqa: PLR0917
    """Return whether any of left[i:i+8] is greater than its partner in right[j:j+8]."""
    return bool((left[i : i + LANES] > right[j : j + LANES]).any())


def _pointer(code: tuple[Any, ...], array: int) -> Any:
    """Return a pointer to the eight numbers at (argument `array`)[argument `array` + 1].

    `code` is what numba hands to whoever writes code: context, builder, signature, arguments.
    """
    context, builder, signature, args = code
    proxy: Any = cgutils.create_struct_proxy
    view = proxy(signature.args[array])(context, builder, args[array])
    return builder.bitcast(builder.gep(view.data, [args[array + 1]]), _EIGHT.as_pointer())


def _add(typing: Any, total: Any, i: Any, part: Any, j: Any) -> Any:  # noqa: PLR0917
    def write(*code: Any) -> Any:
        builder, target = code[1], _pointer(code, 0)
        more = builder.load(_pointer(code, 2), align=4)
        builder.store(builder.fadd(builder.load(target, align=4), more), target, align=4)
        return code[0].get_dummy_value()

    return types.void(total, i, part, j), write


def _spread(code: tuple[Any, ...], argument: int) -> Any:
    """Return a vector of eight times the number (argument `argument`)."""
    builder, whole = code[1], ir.IntType(32)
    nothing = ir.Constant(_EIGHT, ir.Undefined)
    one = builder.insert_element(nothing, code[3][argument], whole(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(whole, LANES), [0] * 8))


def _scale(typing: Any, total: Any, i: Any, factor: Any) -> Any:  # noqa: PLR0917
    def write(*code: Any) -> Any:
        builder, target = code[1], _pointer(code, 0)
        scaled = builder.fmul(builder.load(target, align=4), _spread(code, 2))
        builder.store(scaled, target, align=4)
        return code[0].get_dummy_value()

    return types.void(total, i, types.float32), write


def _add_scaled(typing: Any, total: Any, i: Any, factor: Any, part: Any, j: Any) -> Any:  # noqa: PLR0917
    def write(*code: Any) -> Any:
        builder, target = code[1], _pointer(code, 0)
        more = builder.fmul(builder.load(_pointer(code, 3), align=4), _spread(code, 2))
        builder.store(builder.fadd(builder.load(target, align=4), more), target, align=4)
        return code[0].get_dummy_value()

    return types.void(total, i, types.float32, part, j), write


def _take_in(typing: Any, total: Any, i: Any, part: Any, j: Any, low: Any, high: Any) -> Any:  # noqa: PLR0917
    def write(*code: Any) -> Any:
        builder, target, change = code[1], _pointer(code, 0), _pointer(code, 2)
        value = builder.fadd(builder.load(target, align=4), builder.load(change, align=4))
        for sign, argument in ((">", 4), ("<", 5)):
            bound = _spread(code, argument)
            value = builder.select(builder.fcmp_ordered(sign, value, bound), value, bound)
        builder.store(value, target, align=4)
        builder.store(ir.Constant(_EIGHT, None), change, align=4)
        return code[0].get_dummy_value()

    return types.void(total, i, part, j, types.float32, types.float32), write


def _above(typing: Any, left: Any, i: Any, right: Any, j: Any) -> Any:  # noqa: PLR0917
    def write(*code: Any) -> Any:
        builder, bits = code[1], ir.IntType(LANES)
        mine, other = (builder.load(_pointer(code, k), align=4) for k in (0, 2))
        flags = builder.bitcast(builder.fcmp_ordered(">", mine, other), bits)
        return builder.icmp_unsigned("!=", flags, bits(0))

    return types.boolean(left, i, right, j), write


def _compiled(written: Callable[..., Any], plain: Callable[..., Any]) -> Any:
    """Return what kernels call: the written code, or plain Python where nothing is compiled."""
    return plain if numba.config.DISABLE_JIT else intrinsic(written)  # type: ignore[attr-defined]


add_lanes = _compiled(_add, _added)
add_scaled_lanes = _compiled(_add_scaled, _added_scaled)
scale_lanes = _compiled(_scale, _scaled)
take_in_lanes = _compiled(_take_in, _taken_in)
any_above = _compiled(_above, _exceeds)
