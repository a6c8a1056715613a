"""Parts of native kernels: compiled into those who call them, plain Python to everybody else.

Left alone, numba optimises a function and turns it into machine code for itself, and again within
each caller of a caller; the outermost kernel of a deep tree is then optimised six times over, and
most of the first run's patience goes into code that nobody calls. A part is translated once and
optimised where it ends up. This leans on how numba links libraries: should a release of it do so
differently, parts are compiled in numba's usual way, with the same results.
"""
# ruff: noqa: ANN401 - signatures and insides of numba

from collections.abc import Callable
from typing import Any, Final

from numba.core import codegen, compiler
from numba.extending import register_jitable

__all__ = ["part"]

_NEEDED: Final = (
    "_optimize_final_module",
    "_finalize_final_module",
    "_finalize_dynamic_globals",
    "_verify_declare_only_symbols",
)
_SKIPPED: Final = (
    "InlineClosureLikes",
    "InlineInlinables",
    "InlineOverloads",
    "NopythonRewrites",
    "DeadBranchPrune",
)
"""Passes for closures, array expressions and options that are None: parts have none of them."""


class _Unlinked:
    """A code generator without machine code, and so without an address for an environment."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def set_env(self, env_name: str, env: Any) -> None:
        """Do nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


_Library: Any = codegen.JITCodeLibrary
_Compiler: Any = compiler.Compiler


class _PartLibrary(_Library):  # type: ignore[misc] # numba has no types
    """Code that is only ever linked into other code."""

    def _optimize_final_module(self) -> None:
        """Leave it to those that link it."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return no address."""
        del name
        return 0

    @property
    def codegen(self) -> _Unlinked:
        """Give the code generator."""
        return _Unlinked(self._codegen)


class _PartCompiler(_Compiler):  # type: ignore[misc]
    """Numba's own, into such a library and without wrappers."""

    def __init__(self, *given: Any) -> None:
        typing, target, _, arguments, result, flags, names = given
        flags = flags.copy()
        flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        library = _PartLibrary(target.codegen(), "part")
        super().__init__(typing, target, library, arguments, result, flags, names)

    def define_pipelines(self) -> Any:
        """Leave out what parts have no use for."""
        pipelines: list[Any] = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [p for p in pipeline.passes if p[0].__name__ not in _SKIPPED]
        return pipelines


def part(**options: Any) -> Callable[[Any], Any]:
    """Return a decorator for parts that are compiled with these options of `numba.njit`."""
    known = all(hasattr(_Library, name) for name in _NEEDED)
    extra = {"pipeline_class": _PartCompiler} if known else {}
    declare: Any = register_jitable
    decorator: Callable[[Any], Any] = declare(**options, **extra)
    return decorator
