"""Rules on the deep references: one network and one training for all; what may be tuned of each."""

from dataclasses import replace

from simedge.learning.deep.references.settings import (
    Neurons,
    Steps,
    Training,
    rule_of,
)
from simedge.learning.deep.references.training import train

__all__ = ["NET_RULES", "SETTINGS", "accuracy", "ladders_of", "start_of"]

NET_RULES = (
    *("bptt", "s-tllr", "tess", "bp", "lls"),
    *("s-tllr-dfa", "e-prop", "dfa", "lls-m", "lls-mxm"),
)
SETTINGS = {
    "net": "mlp",
    "width": 0.5,
    "ticks": 10,
    "batch": 32,
    "optimiser": "adam",
    "schedule": "cosine",
}
RATE = (5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2)
LEAK = (0.25, 0.5, 0.75, 0.9)
THRESHOLD = (0.3, 0.6, 1.0)
TRACES = {
    "rate": RATE,
    "alpha_post": (-1.0, 0.0, 1.0),
    "leak": LEAK,
    "lambda_pre": (0.0, 0.25, 0.5, 0.75, 0.9),
    "threshold": THRESHOLD,
    "lambda_post": (0.0, 0.2, 0.5, 0.8),
    "idle": (0, 2, 5),
}
FRAMES = {"rate": RATE, "decay": (0.0, 1e-4, 1e-3, 1e-2)}
BLOCKS = {"rate": RATE, "temperature": (0.1, 0.2, 0.5, 1.0, 2.0), "decay": FRAMES["decay"]}
LADDERS = {
    "bptt": {
        "rate": RATE,
        "loss": ("sum", "tick"),
        "leak": LEAK,
        "psi": ("b", "c"),
        "threshold": THRESHOLD,
        "reset_grad": (False, True),
    },
    "s-tllr": TRACES,
    "tess": {**TRACES, "answer": ("softmax", "identity")},
    "e-prop": {
        "rate": RATE,
        "feedback": ("symmetric", "random"),
        "leak": LEAK,
        "psi": ("e", "b"),
        "threshold": THRESHOLD,
        "idle": (0, 2, 5),
    },
    "bp": FRAMES,
    "dfa": FRAMES,
    "lls": BLOCKS,
    "lls-m": BLOCKS,
    "lls-mxm": BLOCKS,
}
"""What is tuned of each, in this order; decay: of weights."""
NEURONS = ("leak", "threshold")
STEPS = {"rate": "rate", "decay": "weight_decay"}


def ladders_of(name):
    """Return the values that may be chosen."""
    return LADDERS["s-tllr" if name == "s-tllr-dfa" else name]


def start_of(name):
    """Return where tuning begins: the defaults, and a rate in the middle."""
    rule = rule_of(name)
    known = {"rate": 5e-3, "leak": 0.5, "threshold": 0.6, "decay": 0.0}
    return {key: known[key] if key in known else getattr(rule, key) for key in ladders_of(name)}


def accuracy(  # noqa: PLR0913 - all by name
    task, name, chosen, *, learned, judged, seed, epochs=None
):
    """Train on some items of a task and return the accuracy on others, at the end."""
    own = {key: value for key, value in chosen.items() if key not in (*NEURONS, *STEPS)}
    steps = {STEPS[key]: value for key, value in chosen.items() if key in STEPS}
    wish = Training(
        rule=replace(rule_of(name), **own),
        net=SETTINGS["net"],
        width=SETTINGS["width"],
        neurons=Neurons(**{key: chosen[key] for key in NEURONS if key in chosen}),
        steps=Steps(optimiser=SETTINGS["optimiser"], schedule=SETTINGS["schedule"], **steps),
        epochs=epochs or task.epochs,
        batch=SETTINGS["batch"],
        ticks=SETTINGS["ticks"],
        seed=seed,
        validation=0.001,  # one item a class, which nothing looks at
    )
    return train(*task.part(learned), wish, test=task.part(judged)).test
