"""All loops of a small mapping, run step by step with the contents of every memory: the oracle.

Nothing of ``energysim.mapping`` is used: hierarchy, loops and rules are read as plain data.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from itertools import product as grid
from math import prod

DEPENDS = {"weights": "GMCRS", "inputs": "NGCPQRS", "outputs": "NGMPQ"}
SUMMED = "CRS"


class Simulator:
    """One run.

    Parameters
    ----------
    nodes : levels and axes, outermost first
    blocks : dict of node name -> list of (dim, trips)
    bypass : set of (level, tensor)
    layer : dict with the sizes of all dimensions, ``rows`` and ``cols`` axes, ``mask`` (G, M, C, R, S)
    rules : dict of rule -> value
    """

    def __init__(self, nodes, blocks, bypass, layer, rules, stored_only, skips):
        self.nodes, self.layer, self.rules = nodes, layer, rules
        self.mask, self.stored_only, self.skips = layer["mask"], stored_only, skips
        loops = [
            [place, dim, trips, not hasattr(node, "word_bits") or hasattr(node, "shared")]
            for place, node in enumerate(nodes)
            for dim, trips in blocks.get(node.name, [])
            if trips > 1
        ]
        self.loops = []
        for i, (place, dim, trips, spatial) in enumerate(loops):
            step = prod(t for _, d, t, _ in loops[i + 1 :] if d == dim)
            self.loops.append((place, dim, trips, step, spatial))
        self.time = [i for i, loop in enumerate(self.loops) if not loop[4]]
        self.space = [i for i, loop in enumerate(self.loops) if loop[4]]
        self.levels = [p for p, node in enumerate(nodes) if not hasattr(node, "shared")]
        self.keepers = {
            t: [
                p for p in self.levels
                if t not in nodes[p].bypass and (nodes[p].name, t) not in bypass
            ]
            for t in DEPENDS
        }  # fmt: skip
        self.count = defaultdict(int)  # (level name, tensor, action)
        self.cross = defaultdict(int)  # (axis name, tensor)
        self.products = 0

    # geometry

    def instances(self, place):
        """All copies of what stands at a place: positions of the loops along axes outside it."""
        own = [i for i in self.space if self.loops[i][0] < place]
        for at in grid(*(range(self.loops[i][2]) for i in own)):
            yield dict(zip(own, at, strict=True))

    def start(self, place, where):
        """Where the tile of a place begins, for positions of all loops outside it."""
        at = dict.fromkeys("NGMCPQRS", 0)
        for i, position in where.items():
            if self.loops[i][0] < place:
                at[self.loops[i][1]] += position * self.loops[i][3]
        return at

    def block(self, place, where):
        """Coordinates of a tile along each dimension, clipped at the edge."""
        at = self.start(place, where)
        size = {d: prod(lp[2] for lp in self.loops if lp[0] >= place and lp[1] == d) for d in at}
        return {d: range(at[d], min(at[d] + size[d], self.layer["sizes"][d])) for d in at}

    def span(self, axis, outputs, taps, operand):
        found = {p * axis.stride + r * axis.dilation - axis.before for p in outputs for r in taps}
        if operand or not found:
            return found
        if self.rules["untouched"] == "fetched":
            found = set(range(min(found), max(found) + 1))
        if self.rules["padding"] == "skipped":
            found &= set(range(axis.inputs))
        return found

    def words(self, tensor, place, where):
        """The words of a tile, a set."""
        b = self.block(place, where)
        operand = place == len(self.nodes)
        if tensor == "weights":
            only = self.skips if operand else self.stored_only
            cells = grid(b["G"], b["M"], b["C"], b["R"], b["S"])
            return {cell for cell in cells if not only or self.mask[cell]}
        if tensor == "outputs":
            return set(grid(b["N"], b["G"], b["M"], b["P"], b["Q"]))
        rows = self.span(self.layer["rows"], b["P"], b["R"], operand)
        cols = self.span(self.layer["cols"], b["Q"], b["S"], operand)
        return set(grid(b["N"], b["G"], b["C"], rows, cols))

    def idle(self, tensor, place, where):
        """Whether a copy has no work because of a dimension the tensor does not depend on."""
        b = self.block(place, where)
        return any(not len(b[d]) for d in b if d not in DEPENDS[tensor])

    def key(self, tensor, place, where):
        return tuple(
            (i, where[i])
            for i in self.time
            if self.loops[i][0] < place and self.loops[i][1] in DEPENDS[tensor]
        )

    def axes(self, outer, inner):
        return [p for p in range(outer + 1, inner) if hasattr(self.nodes[p], "shared")]

    def group(self, tensor, instance, shared):
        """What copies must agree in to get one word together (or to send one sum)."""
        kept = []
        for i, position in instance.items():
            place, dim = self.loops[i][:2]
            merges = dim not in DEPENDS[tensor]
            if tensor == "inputs" and self.nodes[place].diagonal and dim in "PQRS":
                merges = True
            if not (place in shared and merges):
                kept.append((i, position))
        return tuple(kept)

    # run

    def run(self):
        state = {}
        for at in grid(*(range(self.loops[i][2]) for i in self.time)):
            now = dict(zip(self.time, at, strict=True))
            self.finish(state, now)
            self.begin_outputs(state, now)
            for tensor in ("weights", "inputs"):
                self.fetch(tensor, state, now)
            self.multiply(state, now)
        self.finish(state, None)
        return self

    def hops(self, tensor):
        keepers = self.keepers[tensor]
        return list(zip(keepers, [*keepers[1:], len(self.nodes)], strict=True))

    def share(self, tensor, outer, inner, beyond=-1):
        return {p for p in self.axes(outer, inner) if tensor in self.nodes[p].shared and p > beyond}

    def spread(self, tensor, outer, inner, got):
        """Count words that copies got in one step: at the level outside and along the axes."""
        views = [((self.nodes[outer].name, tensor, "reads"), self.count, -1)]
        views += [((self.nodes[p].name, tensor), self.cross, p) for p in self.axes(outer, inner)]
        for name, counter, beyond in views:
            shared = self.share(tensor, outer, inner, beyond)
            groups = defaultdict(set)
            for instance, fresh in got:
                groups[self.group(tensor, instance, shared)] |= fresh
            counter[name] += sum(map(len, groups.values()))

    def fetch(self, tensor, state, now):
        for outer, inner in self.hops(tensor):
            if inner == len(self.nodes):
                continue
            got = []
            moving = [
                i for i in self.time if self.loops[i][0] < inner and self.loops[i][1] in DEPENDS[tensor]
            ]
            for instance in self.instances(inner):
                where = {**now, **instance}
                slot = (tensor, inner, tuple(instance.items()))
                key = self.key(tensor, inner, where)
                old = state.get(slot)
                if old is not None and old[0] == key:
                    continue
                if self.idle(tensor, inner, where):
                    continue
                tile = self.words(tensor, inner, where)
                fresh = tile
                if old is not None and tensor == "inputs" and self.rules["overlap"] == "one-axis":
                    before, after = dict(old[0]), dict(key)
                    changed = [i for i in moving if before[i] != after[i]]
                    last = moving[-1]
                    if (
                        changed == [last]
                        and after[last] == before[last] + 1
                        and self.loops[last][1] in "PQRS"
                    ):
                        fresh = tile - old[1]
                state[slot] = (key, tile)
                self.count[self.nodes[inner].name, tensor, "fills"] += len(fresh)
                got.append((instance, fresh))
            self.spread(tensor, outer, inner, got)

    def multiply(self, state, now):
        end = len(self.nodes)
        works = []
        for instance in self.instances(end):
            where = {**now, **instance}
            b = self.block(end, where)
            if all(len(r) for r in b.values()):
                at = {d: r[0] for d, r in b.items()}
                if not self.skips or self.mask[at["G"], at["M"], at["C"], at["R"], at["S"]]:
                    works.append((instance, where))
        self.products += len(works)
        for tensor in ("weights", "inputs"):
            outer = self.keepers[tensor][-1]
            self.spread(tensor, outer, end, [(i, self.words(tensor, end, w)) for i, w in works])
        outer = self.keepers["outputs"][-1]
        self.arrive(state, outer, end, [(i, self.words("outputs", end, w)) for i, w in works], True)

    # outputs

    def memory(self, state, place, instance):
        """The output tile of the copy of a level that an inner copy belongs to."""
        own = tuple((i, p) for i, p in instance.items() if self.loops[i][0] < place)
        return state["outputs", place, own]

    def apart(self, outer, inner):
        """Whether sums of several copies reach the outer level one by one."""
        shared = self.share("outputs", outer, inner)
        return any(
            lp[1] in SUMMED and lp[0] in self.axes(outer, inner) and lp[0] not in shared for lp in self.loops
        )

    def arrive(self, state, outer, inner, sums, reading):
        """Sums go out: added up along shared axes, one update each; read first if not zero."""
        name = self.nodes[outer].name
        for place in self.axes(outer, inner):
            shared = self.share("outputs", outer, inner, place)
            there = {(self.group("outputs", i, shared), word) for i, tile in sums for word in tile}
            self.cross[self.nodes[place].name, "outputs"] += len(there)
        shared = self.share("outputs", outer, inner)
        done = set()
        for instance, tile in sums:
            for word in tile:
                mark = (self.group("outputs", instance, shared), word)
                if mark in done:
                    continue
                done.add(mark)
                memory = self.memory(state, outer, instance)
                if reading and (memory[1][word] or self.rules["first_read"] == "counted"):
                    self.count[name, "outputs", "reads"] += 1
                self.count[name, "outputs", "updates"] += 1
                memory[1][word] = True

    def finish(self, state, now):
        """Tiles that will not be held in this step go out, innermost first."""
        for outer, inner in reversed(self.hops("outputs")):
            if inner == len(self.nodes):
                continue
            leaving = []
            for instance in self.instances(inner):
                slot = ("outputs", inner, tuple(instance.items()))
                held = state.get(slot)
                if held is None:
                    continue
                if now is not None and held[0] == self.key("outputs", inner, {**now, **instance}):
                    continue
                leaving.append((instance, set(held[1])))
                del state[slot]
                if self.rules["drain"] == "counted":
                    self.count[self.nodes[inner].name, "outputs", "drains"] += len(held[1])
            self.arrive(state, outer, inner, leaving, self.apart(outer, inner))

    def begin_outputs(self, state, now):
        """New tiles, outermost first; partial sums that exist come back."""
        keepers = self.keepers["outputs"]
        slot = ("outputs", keepers[0], ())
        if slot not in state:
            sizes = self.layer["sizes"]
            state[slot] = ((), dict.fromkeys(grid(*(range(sizes[d]) for d in "NGMPQ")), False))
        for outer, inner in pairwise(keepers):
            shared = self.share("outputs", outer, inner)
            back = []
            for instance in self.instances(inner):
                where = {**now, **instance}
                slot = ("outputs", inner, tuple(instance.items()))
                if slot in state or self.idle("outputs", inner, where):
                    continue
                tile = dict.fromkeys(self.words("outputs", inner, where), False)
                state[slot] = (self.key("outputs", inner, where), tile)
                first = all(
                    p == 0 or self.loops[i][1] not in SUMMED or self.loops[i][0] not in shared
                    for i, p in instance.items()
                )
                if self.apart(outer, inner) or not (first or self.rules["returned_sums"] == "all"):
                    continue
                home = self.memory(state, outer, instance)[1]
                again = {w for w in tile if home[w] or self.rules["first_read"] == "counted"}
                for word in again:
                    tile[word] = True
                self.count[self.nodes[inner].name, "outputs", "fills"] += len(again)
                back.append((instance, again))
            self.spread("outputs", outer, inner, back)

    def steps(self):
        """Cycles: trips in time one after the other, lanes side by side, zeros skipped."""

        def below(number, where):
            if number == len(self.loops):
                b = self.block(len(self.nodes), where)
                if not all(len(r) for r in b.values()):
                    return 0
                cell = tuple(b[d][0] for d in "GMCRS")
                return int(bool(self.mask[cell])) if self.skips else 1
            spatial = self.loops[number][4]
            each = [below(number + 1, {**where, number: i}) for i in range(self.loops[number][2])]
            return max(each) if spatial else sum(each)

        return below(0, {})
