"""Protocols that exchange more than opinions on common items, set for short runs."""

__all__ = ["PROTOCOLS"]

PROTOCOLS = {
    "fedavg": {"kind": "fedavg", "frames": 4, "deadline": "500 ms"},
    "fedasync": {"kind": "fedasync", "frames": 4},
    "fedbuff": {"kind": "fedbuff", "frames": 4, "buffer": 2},
    "central frames": {"kind": "centralised"},
    "central model": {"kind": "centralised", "serve": "device", "serve_every": 4},
    "central gradient": {"kind": "centralised", "mode": "gradient", "batch": 4},
    "gossip": {"kind": "gossip", "interval": 4},
    "aedfl": {"kind": "aedfl", "frames": 4, "interval": 4},
    "draco": {"kind": "draco", "interval": 4, "gradient_every": 2, "batch": 1},
    "fd": {"kind": "fd", "interval": 4},
    "elal by class": {"kind": "elal", "x_mode": "class", "interval": 4, "prior_period": "500 ms"},
}
