"""How the server of edge-localised asynchronous learning publishes priors."""

import hashlib

from simedge.protocol.machine import Effect, Note, Sample
from simedge.protocol.members import Members
from simedge.protocol.post import Post
from simedge.protocol.publication import Kept, Shelf
from simedge.protocol.quantiser import Codes, pack_rows, quantise
from simedge.protocol.register import Register, Weights
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground, address_of
from simedge.protocol.wire import Kind, Message, encode

__all__ = ["Publisher", "part_in_turn", "weights_of"]


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


class Publisher:
    """Reads changed blocks, encodes each once, and sends it to all; it keeps no state.

    Parameters
    ----------
    settings, ground
        What the machines of the run share.
    """

    def __init__(self, settings: ElalSettings, ground: Ground) -> None:
        self._budget = settings.prior_budget
        self._shape = settings.shape(classes=ground.classes, blocks=ground.blocks, rows=ground.rows)
        self._weights = weights_of(settings, ground)

    def publish(
        self, register: Register, shelf: Shelf, now: int, *, post: Post, members: Members
    ) -> list[Effect]:
        """Publish the blocks whose turn it is."""
        blocks = shelf.choose(self._budget)
        if not len(blocks):
            return []
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
                kept, note = self._write(
                    address, codes[index], now, post=post, version=version, devices=devices
                )
                shelf.keep(address, kept)
                effects += [note, *(kept.send(dev) for dev in receivers)]
            newest_ns = int(reading.newest_ns[index])
            if newest_ns >= 0:
                effects.append(_age(block, version, age_ns=now - newest_ns))
        return effects

    def _write(
        self, address: int, codes: Codes, now: int, *, post: Post, version: int, devices: int
    ) -> tuple[Kept, Note]:
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
        digest = hashlib.sha256(data).digest()
        note = Note(kind="published", subject=address, detail=(version, digest))
        return Kept(version=version, boot=message.boot, seq=seq, data=data), note


def part_in_turn(block: int, *, level: int, version: int) -> int:
    """Return the address that a version of a block is published of at a part level.

    Each block counts for itself, so that no part is left out whatever the order of the blocks.
    """
    return address_of(block, level=level, part=(version - 1) % (1 << level))


def _age(block: int, version: int, *, age_ns: int) -> Sample:
    labels = (("block", block), ("version", version))
    return Sample(metric="published_age_s", value=age_ns / 1e9, labels=labels)
