"""Laws of the bundled digits and of the roles that they are dealt."""

import gzip
import hashlib
import importlib.resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.sensors import SensorError
from simedge.sensors.table import CLASSES, INK, SIDE, Roles, cast_roles, digits, read_digits


def test_the_table_is_whole() -> None:
    table = digits()
    assert table.pictures.shape == (1797, SIDE, SIDE)
    assert table.pictures.max() == INK
    assert np.bincount(table.labels).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip


def test_the_table_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        digits().pictures[0, 0, 0] = 1


def test_a_damaged_table_is_refused() -> None:
    with pytest.raises(SensorError, match="install simedge again"):
        read_digits(gzip.compress(b"0," * 64 + b"0\n"))


def test_the_checksum_is_that_of_the_readme() -> None:
    data = importlib.resources.files("simedge.sensors").joinpath("data")
    checksum = hashlib.sha256(data.joinpath("digits.csv.gz").read_bytes()).hexdigest()
    assert checksum in data.joinpath("README.md").read_text(encoding="utf-8")


@given(st.integers(-(2**62), 2**62))
def test_no_image_has_two_roles_and_every_image_has_one(seed: int) -> None:
    labels = digits().labels
    roles = cast_roles(Streams(seed), labels)
    dealt = np.concatenate([np.concatenate(role) for role in roles])
    assert sorted(dealt.tolist()) == list(range(len(labels)))


def test_no_two_images_are_alike_so_disjoint_numbers_are_disjoint_images() -> None:
    flat = digits().pictures.reshape(1797, -1)
    assert len(np.unique(flat, axis=0)) == 1797


def test_each_role_has_every_class_in_equal_shares() -> None:
    roles = cast_roles(Streams(3), digits().labels)
    for role, share in zip(roles, (0.6, 0.2, 0.2), strict=True):
        for label in range(CLASSES):
            assert set(digits().labels[role[label]]) == {label}
            count = int((digits().labels == label).sum())
            assert abs(len(role[label]) - share * count) < 2


def test_roles_are_drawn_by_the_seed() -> None:
    def numbers(roles: Roles) -> list[list[int]]:
        return [images.tolist() for role in roles for images in role]

    labels = digits().labels
    assert numbers(cast_roles(Streams(1), labels)) == numbers(cast_roles(Streams(1), labels))
    assert numbers(cast_roles(Streams(1), labels)) != numbers(cast_roles(Streams(2), labels))
