"""Tuning: a walk up ladders of values, the same number of settings for everyone."""

import itertools

__all__ = ["search"]


def search(start, ladders, score, *, tries):
    """Try exactly `tries` settings (or all there are); return the best, and all with their scores.

    Constant after constant, the settings one step down and up its ladder are tried, and the best
    so far is moved to, as long as it gets better; ties stay. Then it begins again. Where no
    neighbour is left, the nearest setting that was not tried is.
    """
    tried = {}
    names = list(ladders)
    all_there_are = list(itertools.product(*ladders.values()))

    def ask(place):
        if place not in tried and len(tried) < tries:
            tried[place] = score(dict(zip(names, place, strict=True)))
        return tried.get(place, -1.0)

    def steps(a, b):
        return sum(
            abs(ladder.index(x) - ladder.index(y))
            for ladder, x, y in zip(ladders.values(), a, b, strict=True)
        )

    here = tuple(start[name] for name in names)
    ask(here)
    while len(tried) < min(tries, len(all_there_are)):
        before = here, len(tried)
        for number, ladder in enumerate(ladders.values()):
            moved = True
            while moved:
                at = ladder.index(here[number])
                near = [ladder[i] for i in (at - 1, at + 1) if 0 <= i < len(ladder)]
                others = [(*here[:number], value, *here[number + 1 :]) for value in near]
                best = max([here, *others], key=ask)
                moved, here = best != here, best
        if before == (here, len(tried)):
            left = [place for place in all_there_are if place not in tried]
            here = max([here, min(left, key=lambda place: steps(place, here))], key=ask)
    return dict(zip(names, here, strict=True)), tried
