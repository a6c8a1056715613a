"""``simedge rules``: what is known of learning rules; train the deep references by one of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simedge_cli.exits import Exit, complain, told
from simedge_cli.figures import percent
from simedge_cli.rule_tables import Form as TableForm
from simedge_cli.rule_tables import FormOption, costs, show_rules, table

if TYPE_CHECKING:
    from simedge.learning.deep.references.training import Data, Epoch

__all__ = ["rules"]

rules = typer.Typer(name="rules", help="Learning rules: what is known of each; train by one.")
rules.command()(table)
rules.command()(costs)


class Form(StrEnum):
    """Formats of data sets."""

    DIGITS = "digits"
    NMNIST = "nmnist"
    DVS_GESTURE = "dvs-gesture"
    CIFAR10_DVS = "cifar10-dvs"
    SHD = "shd"
    CIFAR10 = "cifar10"
    CIFAR100 = "cifar100"


_Optional = Annotated[int | None, typer.Option(help="None: as published.", min=1)]


@rules.callback(invoke_without_command=True)
def _bare(context: typer.Context, form: FormOption = TableForm.TEXT) -> None:
    """Print every learning rule; or train deep references by one (extra simedge[deep])."""
    if context.invoked_subcommand is None:
        show_rules(form)


@rules.command()
def train(  # noqa: PLR0913 - options of one command, by name
    *,
    rule: Annotated[str, typer.Option(help="bptt, s-tllr, s-tllr-dfa, tess, e-prop, bp, lls, ...")],
    form: Annotated[Form, typer.Option("--format", help="Layout of the data.")],
    data: Annotated[Path | None, typer.Option(help="Folder; digits are bundled.")] = None,
    net: Annotated[str, typer.Option(help="vgg9, vgg8, smallconv, smallconv-l, shd, mlp.")] = "mlp",
    width: Annotated[
        float, typer.Option(help="Share of the network's maps.", min=1e-3, max=16)
    ] = 1.0,
    constants: Annotated[
        list[str] | None, typer.Option("--set", help="Of the rule: idle=15, psi=c, ...")
    ] = None,
    average: Annotated[bool, typer.Option("--average", help="Pool by the mean.")] = False,
    leaky: Annotated[float | None, typer.Option(help="Leak of the readout.")] = None,
    leak: Annotated[float, typer.Option(help="Of the neurons, a device tick.")] = 0.5,
    optimiser: Annotated[str, typer.Option(help="sgd, adam, adamw.")] = "adam",
    rate: Annotated[float, typer.Option(help="Learning rate.", max=1e6)] = 1e-3,
    schedule: Annotated[str, typer.Option(help="none, cosine, plateau.")] = "none",
    epochs: Annotated[int, typer.Option(help="Times that all is learned.")] = 10,
    batch: Annotated[int, typer.Option(help="Samples of a step.")] = 32,
    ticks: _Optional = None,
    side: _Optional = None,
    tick_us: _Optional = None,
    samples: Annotated[int | None, typer.Option(help="Most of each part.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of all randomness.", min=0)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a network by a rule; print accuracies on validation and test data by epoch.

    What the test says chooses nothing. Data sets are read from folders in their official layouts.
    """
    with told(), _bad_input():
        _need_torch()
        from simedge.learning.deep.references.settings import Neurons, Steps, Training, rule_of
        from simedge.learning.deep.references.training import train as train_

        settings = Training(
            rule=rule_of(rule, **_constants(constants or [])),
            net=net,
            width=width,
            average=average,
            neurons=Neurons(leak=leak, readout_leak=leaky),
            steps=Steps(optimiser=optimiser, rate=rate, schedule=schedule),
            epochs=epochs,
            batch=batch,
            ticks=ticks or 10,
            seed=seed,
        )
        given, test = _loaded(form, data, ticks=ticks, side=side, tick_us=tick_us, most=samples)
        show = None if as_json else _show
        history = train_(given.frames, given.labels, settings, test=test, watch=show)
        if as_json:
            print(json.dumps(asdict(history), allow_nan=False))
            return
        learned, checked, tested = history.sizes
        print(f"learned from {learned} samples; {checked} for validation, {tested} for the test")
        words = [f"{name} {count:,}" for name, count in asdict(history.costs).items()]
        print(f"a sample's step: {', '.join(words)}")


def _show(turn: int, epoch: "Epoch") -> None:
    print(
        f"epoch {turn + 1}  loss {epoch.loss:.4f}  "
        f"validation {percent(epoch.validation)}  test {percent(epoch.test)}"
    )


@contextmanager
def _bad_input() -> Iterator[None]:
    from simedge.learning.errors import LearnerError
    from simedge.sensors.frames import SensorError

    try:
        yield
    except (LearnerError, SensorError) as error:
        complain(f"error: {error}")
        raise typer.Exit(Exit.BAD_INPUT) from None


def _need_torch() -> None:
    from simedge.study.errors import MissingExtraError

    if find_spec("torch") is None:
        raise MissingExtraError("this needs torch: pip install 'simedge[deep]'")


def _constants(pairs: list[str]) -> dict[str, object]:
    """Return NAME=VALUE pairs as numbers, truths and words."""
    from simedge.learning.errors import LearnerError

    found: dict[str, object] = {}
    for pair in pairs:
        name, mark, text = pair.partition("=")
        if not mark:
            raise LearnerError(f"--set wants NAME=VALUE, got {pair!r}")
        try:
            found[name] = json.loads(text)
        except json.JSONDecodeError:
            found[name] = text
    return found


def _loaded(
    form: Form,
    root: Path | None,
    *,
    ticks: int | None,
    side: int | None,
    tick_us: int | None,
    most: int | None,
) -> "tuple[Data, Data | None]":
    """Return what is learned from, and the test part if there is one."""
    import numpy as np

    from simedge.learning.deep.references.training import Data
    from simedge.sensors.datasets.official import load_official
    from simedge.sensors.frames import SensorError
    from simedge.sensors.table import INK, digits

    if form is Form.DIGITS:
        table = digits()
        pictures = (table.pictures[:most, None] / INK).astype(np.float32)
        return Data(pictures, table.labels[:most]), None
    if root is None:
        raise SensorError(f"--format {form.value} needs --data FOLDER")
    found = load_official(
        root, form.value, ticks=ticks, side=side, tick_us=tick_us, samples_max=most
    )
    return Data(*found.train), None if found.test is None else Data(*found.test)
