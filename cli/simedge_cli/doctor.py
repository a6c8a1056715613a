"""``simedge doctor``: is everything there that a run needs, and what else could be."""

from importlib.util import find_spec
from pathlib import Path

__all__ = ["doctor"]

_EXTRAS = {
    "torch": ("deep", "deep reference learners"),
    "altair": ("report", "reports as a page with charts"),
    "vl_convert": ("report", "reports as a page with charts"),
    "nir": ("nir", "circuits to and from NIR files"),
    "distributed": ("dask", "studies on a cluster"),
}
"""Which extra brings a module, and what for."""


def doctor() -> None:
    """Print versions, processor features, extras present and how to get those missing."""
    from simedge.run.bundled import names
    from simedge.run.provenance import commit, processor_features, versions

    print("versions")
    for name, version in versions().items():
        if version is not None:
            print(f"  {name:<12} {version}")
    print(
        f"commit        {commit(Path(__file__).parents[2]) or 'unknown (installed from a wheel)'}"
    )
    features = processor_features(Path("/proc/cpuinfo"))
    print(f"processor     {' '.join(features) or 'features unknown'}")
    print(f"scenarios     {', '.join(names()) or 'none found: the installation is incomplete'}")
    print("extras")
    for name, (extra, use) in _EXTRAS.items():
        state = "present" if find_spec(name) else f"missing: pip install 'simedge[{extra}]'"
        print(f"  {name:<12} {state} ({use})")
