"""What goes wrong in the room of protocols, and who is to blame."""

from simedge.core.errors import SimedgeError

__all__ = ["ProtocolError", "WireError"]


class ProtocolError(SimedgeError, ValueError):
    """The caller's fault: a setting, an argument or a learner's value is not what it must be."""


class WireError(SimedgeError, ValueError):
    """The sender's fault: a received message is refused; `cause` is the counter it raises."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause
