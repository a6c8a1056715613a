"""``simedge new``: a protocol or a rule of one's own to begin with, and a scenario that uses it."""

from pathlib import Path
from typing import Annotated

import typer

from simedge_cli.exits import Exit, complain, told

__all__ = ["new"]

new = typer.Typer(name="new", help="Begin a protocol or a rule of your own.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="Name of the module, such as my_gossip.")]
_Folder = Annotated[Path, typer.Option("--folder", "-o", help="Where the two files go.")]

_Layers = Annotated[
    bool, typer.Option("--layers", help="A rule of spiking layers, not a whole learner.")
]


@new.command()
def protocol(name: _Name, *, folder: _Folder = Path()) -> None:
    """Write NAME.py, a gossip protocol to be changed, and NAME.yaml, which uses it."""
    from simedge_cli.templates import PROTOCOL, PROTOCOL_SCENARIO

    _write(name, folder, {".py": PROTOCOL, ".yaml": PROTOCOL_SCENARIO})


@new.command()
def rule(name: _Name, *, folder: _Folder = Path(), layers: _Layers = False) -> None:
    """Write NAME.py, a learning rule to be changed, and NAME.yaml, which uses it."""
    from simedge_cli.templates import RULE, RULE_SCENARIO, SYNAPSES, SYNAPSES_SCENARIO

    pair = (SYNAPSES, SYNAPSES_SCENARIO) if layers else (RULE, RULE_SCENARIO)
    _write(name, folder, dict(zip((".py", ".yaml"), pair, strict=True)))


def _write(name: str, folder: Path, texts: dict[str, str]) -> None:
    """Write all files or none; what is there stays."""
    from keyword import iskeyword

    if not (name.isidentifier() and name.isascii() and name == name.lower()) or iskeyword(name):
        complain(f"error: {name!r} is no name of a module: small letters, digits and underscores")
        raise typer.Exit(Exit.USAGE)
    paths = {folder / f"{name}{suffix}": text for suffix, text in texts.items()}
    there = [str(path) for path in paths if path.exists() or path.is_symlink()]
    if there:
        complain(f"error: {', '.join(there)}: there already; choose another name or folder (-o)")
        raise typer.Exit(Exit.USAGE)
    words = [word for word in name.split("_") if word]
    title = "".join(word.capitalize() for word in words)
    if not title.isidentifier():
        title = f"Own{title}"
    with told():
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text.replace("NAME", name).replace("CLASS", title))
            print(path)
    print(f"simedge run {folder / name}.yaml")
