"""The slow twin of flows: at every change it works everything out anew."""

NS = 10**9


def plain_max_min(paths, free):
    """Return the rates of `max_min`, by search for the least share again and again."""
    free, rates = dict(free), dict.fromkeys(sorted(paths), 0)
    left = {flow: list(paths[flow]) for flow in rates}
    while left:
        on = {}
        for path in left.values():
            for link in path:
                on[link] = on.get(link, 0) + 1
        share, tightest = min((free[link] // count, link) for link, count in on.items())
        frozen = [flow for flow, path in left.items() if tightest in path]
        for flow in frozen:
            rates[flow] = share
            for link in paths[flow]:
                free[link] -= share
        for flow in frozen:
            path = left.pop(flow)
            if all(free[link] >= path.count(link) for link in path):
                rates[flow] += 1
                for link in path:
                    free[link] -= 1
    return rates


class PlainFlows:
    """What `Flows` does, without a thought of cost."""

    def __init__(self, rates_bps):
        self.capacity = dict(rates_bps)
        self.left, self.path, self.now = {}, {}, 0

    def rates(self):
        found = plain_max_min({f: p for f, p in self.path.items() if p}, self.capacity)
        return {flow: found.get(flow, 0) for flow in sorted(self.path)}

    def advance(self, now):
        for flow, rate in self.rates().items():
            self.left[flow] -= rate * (now - self.now)
        self.now = now

    def moves(self, flow):
        return self.rates()[flow] > 0 or self.left[flow] <= 0

    def next_end(self):
        ends = {}
        for flow, rate in self.rates().items():
            if self.left[flow] <= 0:
                ends.setdefault(self.now, []).append(flow)
            elif rate:
                ends.setdefault(self.now - (-self.left[flow] // rate), []).append(flow)
        return (min(ends), tuple(ends[min(ends)])) if ends else None

    def finish(self, now):
        self.advance(now)
        done = [flow for flow in sorted(self.left) if self.left[flow] <= 0]
        for flow in done:
            del self.left[flow], self.path[flow]
        return tuple(done)
