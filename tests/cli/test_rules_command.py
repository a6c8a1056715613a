"""Laws of `simedge rules train`."""

import json

import pytest
from typer.testing import CliRunner

from simedge_cli.commands import app

pytest.importorskip("torch", reason="the references need torch: pip install simedge[deep]")
SMALL = ("--format", "digits", "--width", "0.05", "--epochs", "2", "--samples", "80")


def call(*words):
    return CliRunner().invoke(app, ["rules", "train", *map(str, words)])


def test_a_training_is_told_by_epoch_and_as_an_object():
    words = ("--rule", "s-tllr", "--set", "idle=1", "--ticks", 2, *SMALL)
    told = call(*words)
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[:2]] == ["epoch 1", "epoch 2"]
    done = json.loads(call(*words, "--json").stdout)
    assert len(done["epochs"]) == 2
    assert sum(done["sizes"]) == 80
    assert done == json.loads(call(*words, "--json").stdout)


def test_folders_are_read(tmp_path):
    for part in ("Train", "Test"):
        for digit in range(10):
            folder = tmp_path / part / str(digit)
            folder.mkdir(parents=True)
            for n in range(3):
                (folder / f"{n:05}.bin").write_bytes(bytes([digit, n, 0x80, 0, 9]))
    told = call(
        *("--rule", "tess", "--net", "smallconv", "--width", 0.05, "--format", "nmnist"),
        *("--data", tmp_path, "--side", 17, "--epochs", 1, "--ticks", 2),
    )
    assert told.exit_code == 0
    assert "learned from 20 samples; 10 for validation, 30 for the test" in told.stdout


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("--rule", "hebb", *SMALL), "the rule must be one of"),
        (("--rule", "tess", "--net", "vgg99", *SMALL), "net must be one of"),
        (("--rule", "tess", "--set", "idle", *SMALL), "NAME=VALUE"),
        (("--rule", "tess", "--set", "idle=often", *SMALL), "idle must be of kind int"),
        (
            ("--rule", "bptt", "--set", "idle=1", *SMALL),
            "of bptt are psi, loss, reset_grad, got 'idle'",
        ),
        (("--rule", "lls", "--set", "speed=1", *SMALL), "of lls are temperature, got 'speed'"),
        (("--rule", "bp", "--set", "psi=c", *SMALL), "bp has no constants, got 'psi'"),
        (("--rule", "tess", "--format", "shd"), "needs --data"),
        (("--rule", "tess", "--format", "cifar10", "--data", "/nowhere"), "no such folder"),
        (("--rule", "lls", "--net", "shd", *SMALL), "recurrence"),
    ],
)
def test_what_cannot_be_trained_is_told_in_one_line(words, match):
    told = call(*words)
    assert told.exit_code == 3
    assert match in told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [("--width", "1e9"), ("--rate", "1e300"), ("--seed", "-1")])
def test_what_no_computer_can_train_is_refused(words):
    assert call("--rule", "tess", *SMALL, *words).exit_code == 2


def test_a_training_that_diverges_is_told_and_is_no_accuracy(monkeypatch):
    from simedge.learning.deep.references import settings

    steep = settings.Steps(optimiser="sgd", rate=1e30)
    monkeypatch.setattr(settings, "Steps", lambda **_: steep)
    told = call("--rule", "lls", "--ticks", 4, *SMALL)
    assert told.exit_code == 3
    assert "the rule lls diverged: a mean loss of " in told.stderr
    assert "test" not in told.stderr
