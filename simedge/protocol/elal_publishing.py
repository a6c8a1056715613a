"""How the server of edge-localised asynchronous learning publishes priors.

Rows about the proxy set are read and encoded once for all. Rows about labels are read for each
device without its own: nobody is told what it said itself.
"""

import hashlib
from typing import NamedTuple

from simedge.protocol.machine import Effect, Note, Sample
from simedge.protocol.members import Members
from simedge.protocol.post import Post
from simedge.protocol.publication import Kept, Shelf
from simedge.protocol.quantiser import Codes, pack_rows, quantise
from simedge.protocol.register import Register, Weights
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground, address_of
from simedge.protocol.wire import Kind, Message, encode

__all__ = ["Outlet", "Publisher", "part_in_turn", "weights_of"]


def weights_of(settings: ElalSettings, ground: Ground) -> Weights:
    """Return how the server weighs rows under some settings."""
    return Weights(
        age=settings.age_weight,
        half_life_ns=settings.half_life_ns(ground),
        age_max_ns=settings.age_max_ns(ground),
        confidence=settings.confidence,
        samples=settings.samples,
        sharpen=settings.sharpen,
        quorum=settings.quorum,
        floor=settings.floor,
    )


class Outlet(NamedTuple):
    """What the server reads from, writes with and sends to."""

    register: Register
    shelf: Shelf
    post: Post
    members: Members


class Publisher:
    """Reads changed blocks, encodes them and sends them; it keeps no state.

    Parameters
    ----------
    settings, ground
        What the machines of the run share.
    """

    def __init__(self, settings: ElalSettings, ground: Ground) -> None:
        self._budget = settings.prior_budget
        self._by_class = settings.x_mode == "class"
        self._shape = settings.shape(classes=ground.classes, blocks=ground.blocks, rows=ground.rows)
        self._weights = weights_of(settings, ground)

    def publish(self, outlet: Outlet, now: int) -> list[Effect]:
        """Publish the blocks whose turn it is."""
        register, shelf, post, members = outlet
        blocks = shelf.choose(self._budget)
        if not len(blocks):
            return []
        if self._by_class:
            return [e for block in blocks.tolist() for e in self._tell_each(block, now, outlet)]
        reading = register.read(
            blocks, now, weights=self._weights, versions=shelf.versions[blocks] - 1
        )
        flat = quantise(reading.rows.reshape(-1, self._shape.classes), self._shape)
        codes = flat.reshape(len(blocks), self._shape.rows, -1)
        effects: list[Effect] = []
        for index, block in enumerate(blocks.tolist()):
            version, devices = int(shelf.versions[block]), int(reading.devices[index])
            for level, receivers in members.by_level().items():
                address = part_in_turn(block, level=level, version=version)
                kept = self._write(
                    address, codes[index], now, post=post, version=version, devices=devices
                )
                shelf.keep(address, kept)
                note = _published(address, version, hashlib.sha256(kept.data).digest())
                effects += [note, *(kept.send(dev) for dev in receivers)]
            newest_ns = int(reading.newest_ns[index])
            if newest_ns >= 0:
                effects.append(_age(block, version, age_ns=now - newest_ns))
        return effects

    def reader(self, dev: int) -> int:
        """Return for whom what a device gets is written: itself, or 0 for all."""
        return dev if self._by_class else 0

    def _tell_each(self, block: int, now: int, outlet: Outlet) -> list[Effect]:
        """Publish a block to each device without its own rows, if others have said anything."""
        register, shelf, post, members = outlet
        version = int(shelf.versions[block])
        reading = register.read_others(block, now, weights=self._weights, version=version - 1)
        flat = quantise(reading.rows.reshape(-1, self._shape.classes), self._shape)
        codes = flat.reshape(register.devices, self._shape.rows, -1)
        effects: list[Effect] = []
        for level, receivers in members.by_level().items():
            address = part_in_turn(block, level=level, version=version)
            sends: list[Effect] = []
            digest = hashlib.sha256()
            for dev in receivers:
                devices = int(reading.devices[dev - 1])
                if devices == 0 and not shelf.keeps(address, reader=dev):
                    continue
                kept = self._write(
                    address, codes[dev - 1], now, post=post, version=version, devices=devices
                )
                shelf.keep(address, kept, reader=dev)
                digest.update(kept.data)
                sends.append(kept.send(dev))
                newest_ns = int(reading.newest_ns[dev - 1])
                if newest_ns >= 0:
                    sends.append(_age(block, version, age_ns=now - newest_ns, reader=dev))
            if sends:
                effects += [_published(address, version, digest.digest()), *sends]
        return effects

    def _write(
        self, address: int, codes: Codes, now: int, *, post: Post, version: int, devices: int
    ) -> Kept:
        """Write the rows of an address, of those of its block."""
        _, first, count = self._shape.span(address)
        seq = post.sender.number(Kind.PRIOR)
        message = Message(
            kind=Kind.PRIOR,
            dev=0,
            boot=post.sender.boot,
            seq=seq,
            blk=address,
            g=version,
            t_us=now // 1_000,
            n=devices,
            enc=self._shape.coding.enc,
            payload=pack_rows(codes[first : first + count], self._shape),
        )
        data = encode(message)
        return Kept(version=version, boot=message.boot, seq=seq, data=data)


def part_in_turn(block: int, *, level: int, version: int) -> int:
    """Return the address that a version of a block is published of at a part level.

    Each block counts for itself, so that no part is left out whatever the order of the blocks.
    """
    return address_of(block, level=level, part=(version - 1) % (1 << level))


def _published(address: int, version: int, digest: bytes) -> Note:
    return Note(kind="published", subject=address, detail=(version, digest))


def _age(block: int, version: int, *, age_ns: int, reader: int = 0) -> Sample:
    labels = (("block", block), ("version", version), ("reader", reader))[: 2 + bool(reader)]
    return Sample(metric="published_age_s", value=age_ns / 1e9, labels=labels)
