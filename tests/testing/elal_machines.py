"""The machines of elal, driven by hand, with the newest row of each block as the oracle."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from simedge.core.streams import Streams
from simedge.protocol.machine import FrameLearned, Note, Received, Restarted
from simedge.protocol.opening import open_device, open_server
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground
from simedge.protocol.wire import decode
from simedge.testing import BrokenInvariant, ProtocolStateMachine

__all__ = ["ElalMachines"]

MS = 10**6
GROUND = Ground(classes=3, blocks=2, rows=2, pset=bytes(range(32)), tau_ns=200 * MS)
SETTINGS = ElalSettings.model_validate(
    {"kind": "elal", "interval": 2, "prior_period": "300 ms", "policy": {"kind": "fixed"}}
)
SHAPE = SETTINGS.shape(classes=3, blocks=2, rows=2)


class ElalMachines(ProtocolStateMachine):
    """A server and two devices; a server that crashes keeps its state."""

    timers_max = 5

    def __init__(self):
        super().__init__()
        self.read = 0
        self.newest = {}

    def open(self, number):
        if number == 0:
            return open_server(SETTINGS, GROUND, devices=2)
        stream = Streams(3).stream("policy", f"box-{number}", "noise")
        return open_device(SETTINGS, GROUND, dev=number, layers=1, stream=stream)

    @initialize()
    def start(self):
        super().start()
        while self.bench.flying:
            self.bench.deliver(0)

    @rule(who=st.integers(1, 2))
    def period(self, who):
        """Learn for a period, and let the learner answer at once."""
        if who in self.bench.down:
            return
        self.bench.tell(who, FrameLearned(n=2, loss=1.0, correct=True))
        while self.bench.calls:
            number, _, call = self.bench.calls[0]
            self.bench.answer(0, self.learned(number, call, 0))

    @rule(state=st.sampled_from(["kept", "wiped"]))
    def reboot_server(self, state):
        """Crash the server and bring it back at once."""
        if 0 not in self.bench.down:
            self.bench.crash(0)
            self.bench.restart(0, state)

    @precondition(lambda self: self.bench.down)
    @rule()
    def restart(self):
        """Bring all back as they were."""
        for number in sorted(self.bench.down):
            self.bench.restart(number, "kept")

    @rule(back=st.integers(1, 8))
    def replay(self, back):
        """Let a message that the server has read arrive once more."""
        past = [e for number, e, _ in self.bench.heard if number == 0 and isinstance(e, Received)]
        for event in past[-back:][:1]:
            self.bench.forge(event.src, 0, event.data)

    def check(self):
        """Rows of a device's block are merged in the order of their numbers, each once."""
        for number, event, effects in self.bench.heard[self.read :]:
            if number == 0 and isinstance(event, Restarted):
                self.restarted(event)
            if any(isinstance(each, Note) and each.kind == "merged" for each in effects):
                assert isinstance(event, Received)
                self.merged(decode(event.data, SHAPE))
        self.read = len(self.bench.heard)

    def restarted(self, event):
        if event.checkpoint is None:
            self.newest = {}

    def merged(self, token):
        key, stamp = (token.dev, token.blk), (token.boot, token.seq)
        held = self.newest.get(key, (0, 0))
        if stamp <= held:
            law = "messages_count_once" if stamp == held else "newest_row_stays"
            text = f"token {stamp} of {key} is merged after {held}"
            raise BrokenInvariant(law, at_ns=self.bench.now, entity="server", finding=text)
        self.newest[key] = stamp
