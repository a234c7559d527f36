"""Mappings beyond even tiles, run step by step with what is on chip as explicit sets of words.

It shares no code with ``energysim.mapping``: of a loop nest only the plain numbers and the mask are
read. Whatever a step needs is loaded if it is not held; whatever neither it nor a rule keeps is
dropped. What is held is measured after every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

from .brute_force import Counts, needed, sizes_of, tile_sizes

__all__ = [
    "Part",
    "Run",
    "Stepped",
    "Swept",
    "every_part",
    "every_step",
    "every_sweep",
    "run_part",
    "run_steps",
    "run_sweep",
]

Word = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """A tiling (tiles of N, M, C, P, Q; loops innermost first) of which ``kept`` of a tensor stay."""

    tiles: tuple[int, int, int, int, int]
    order: str
    tensor: str
    kept: int


@dataclass(frozen=True)
class Swept:
    """A sweep in bands of one axis."""

    filters: int
    channels: int
    along: str
    band: int
    keeps: str


@dataclass(frozen=True)
class Stepped:
    """Bands of one axis in steps along the other; channels innermost."""

    images: int
    filters: int
    along: str
    band: int
    step: int


@dataclass(frozen=True)
class Run:
    """What passed, and the most that was held: 2D kernels, weights that exist, inputs, sums."""

    counts: Counts
    kernels: int
    existing: int
    inputs: int
    sums: int


class Chip:
    """What is on chip, and what passed."""

    def __init__(self, nest: Any) -> None:
        self.mask = nest.kernel.mask()
        self.taps = self.mask.shape[2] * self.mask.shape[3]
        self.taps_of = self.mask.sum(axis=(2, 3))
        self.weights: set[Word] = set()  # (filter of all, channel of its group)
        self.inputs: set[Word] = set()
        self.sums: set[Word] = set()
        self.begun: set[Word] = set()
        self.kernels_read = self.weights_read = self.inputs_read = 0
        self.sums_out = self.sums_in = self.finished = 0
        self.most = [0, 0, 0, 0]

    def step(self, weights: set[Word], inputs: set[Word], sums: set[Word]) -> None:
        """Load what is lacking; measure."""
        lacking = weights - self.weights
        self.kernels_read += len(lacking)
        self.weights_read += sum(int(self.taps_of[w]) for w in lacking)
        self.weights |= weights
        self.inputs_read += len(inputs - self.inputs)
        self.inputs |= inputs
        self.sums_in += len((sums - self.sums) & self.begun)
        self.begun |= sums
        self.sums |= sums
        existing = sum(int(self.taps_of[w]) for w in self.weights)
        now = len(self.weights), existing, len(self.inputs), len(self.sums)
        self.most = [max(a, b) for a, b in zip(self.most, now, strict=True)]

    def put_away(self, sums: set[Word], complete: bool) -> None:
        """Write sums to DRAM."""
        assert sums <= self.sums
        self.sums -= sums
        if complete:
            self.finished += len(sums)
        else:
            self.sums_out += len(sums)

    def done(self) -> Run:
        """The result; all outputs must have been written."""
        counts = Counts(
            self.weights_read,
            self.kernels_read * self.taps,
            self.inputs_read,
            self.sums_out,
            self.sums_in,
            len(self.begun),
            self.finished,
        )
        return Run(counts, *self.most)


def cuts(size: int, tile: int) -> list[range]:
    return [range(a, min(a + tile, size)) for a in range(0, size, tile)]


def run_part(nest: Any, part: Part, rules: Any) -> Run:
    """Run the loops: groups outermost, in the order of the mapping; parts that stay are loaded once."""
    n_cuts, m_cuts, c_cuts, p_cuts, q_cuts = (
        cuts(size, tile) for size, tile in zip(sizes_of(nest), part.tiles, strict=True)
    )
    unit = part.order[0]
    # What is in residence comes first, in tiles as well; then what is streamed.
    size, tile = (nest.channels, part.tiles[2]) if unit == "C" else (nest.filters, part.tiles[1])
    mine = cuts(part.kept, tile) + [
        range(part.kept + a.start, part.kept + a.stop) for a in cuts(size - part.kept, tile)
    ]
    all_cuts = {"N": n_cuts, "M": m_cuts, "C": c_cuts, "P": p_cuts, "Q": q_cuts, unit: mine}
    stays = range(part.kept)
    inner = next((d for d in part.order if d in "NPQ" and len(all_cuts[d]) > 1), "")
    overlaps = inner in ("P", "Q") and rules.overlap != "none"
    chip = Chip(nest)
    outer = part.order[::-1]
    before: dict[str, int] = {}
    for group in range(nest.groups):
        for places in product(*(range(len(all_cuts[d])) for d in outer)):
            at = {"G": group, **dict(zip(outer, places, strict=True))}
            n, m, c, p, q = (all_cuts[d][at[d]] for d in "NMCPQ")
            rows, cols = needed(nest.rows, p, rules), needed(nest.cols, q, rules)
            weights = {(group * nest.filters + f, d) for f, d in product(m, c)}
            inputs = set(product([group], n, c, rows, cols))
            sums = set(product([group], n, m, p, q))
            # The tile of the image is the same as before, or one further along the innermost loop.
            where = {d: at[d] for d in "GNPQ"}
            same = all(before.get(d) == where[d] for d in where)
            onward = overlaps and all(before.get(d) == where[d] - (d == inner) for d in where)
            if part.tensor == "inputs":
                channels = stays if same or onward else range(0)
            elif unit == "M":  # inputs are tiles of (N, C, P, Q)
                channels = c if (same or onward) and before.get("C") == at["C"] else range(0)
            else:
                channels = range(0)
            chip.inputs = {word for word in chip.inputs if word[2] in channels}
            if onward and not same:  # of the tile before, only what the new one needs
                every = set(product([group], n, channels, rows, cols))
                chip.inputs &= every
            # The loop outside those that go over positions, and the group, decide which weights stay.
            if part.tensor == "weights":
                edge = part.order[-1]
                kept = before.get("G") == group and before.get(edge) == at[edge]
                if unit == "C":
                    chip.weights = {w for w in chip.weights if kept and w[1] in stays}
                else:
                    chip.weights = {w for w in chip.weights if kept and w[0] - group * nest.filters in stays}
            else:
                chip.weights = set()
            if not sums <= chip.sums:
                put_back(chip, chip.sums - sums, unit, before, len(c_cuts))
            chip.step(weights, inputs, sums)
            before = at
    put_back(chip, set(chip.sums), unit, before, len(c_cuts))
    return chip.done()


def put_back(chip: Chip, sums: set[Word], unit: str, before: dict[str, int], tiles: int) -> None:
    """Write sums that make room: finished ones, if the last channels have been added."""
    if sums:
        chip.put_away(sums, unit == "C" or before["C"] == tiles - 1)


def run_sweep(nest: Any, sweep: Swept, rules: Any) -> Run:
    """Go over the images in bands; each word is dropped when no later step of the band needs it."""
    chip = Chip(nest)
    bands = cuts((nest.rows if sweep.along == "P" else nest.cols).outputs, sweep.band)
    channel_cuts = cuts(nest.channels, sweep.channels)
    for group, m in product(range(nest.groups), cuts(nest.filters, sweep.filters)):
        for c in channel_cuts:
            last = c is channel_cuts[-1]
            chip.weights = set()
            weights = {(group * nest.filters + f, d) for f, d in product(m, c)}
            for n, band in product(range(nest.batch), bands):
                chip.inputs = set()
                for words, values, free in steps(nest, sweep, band, rules):
                    inputs = {(group, n, d, *place) for d, place in product(c, words)}
                    sums = {(group, n, f, *place) for f, place in product(m, values)}
                    if sweep.keeps == "sums":
                        for word in inputs or {()}:
                            chip.inputs = set()
                            chip.step(weights, {word} if word else set(), sums)
                        chip.put_away({(group, n, f, *place) for f, place in product(m, free)}, last)
                    else:
                        chip.step(weights, inputs, sums)
                        chip.put_away(sums, last)
                        chip.inputs -= {(group, n, d, *place) for d, place in product(c, free)}
    return chip.done()


def steps(nest: Any, sweep: Swept, band: range, rules: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield the inputs and the outputs of each step of a band, and what no later step needs."""
    by_row = [needed(nest.rows, range(o, o + 1), rules) for o in range(nest.rows.outputs)]
    by_col = [needed(nest.cols, range(o, o + 1), rules) for o in range(nest.cols.outputs)]
    rows, cols = range(nest.rows.outputs), range(nest.cols.outputs)
    if sweep.along == "P":
        rows = band
    else:
        cols = band
    # Along the band, and at each place across it.
    outputs = list(product(rows, cols))
    if sweep.along == "P":
        outputs.sort(key=lambda o: o[::-1])
    if sweep.keeps == "inputs":
        needs = [set(product(by_row[r], by_col[c])) for r, c in outputs]
        for number, (place, words) in enumerate(zip(outputs, needs, strict=True)):
            later = set().union(*needs[number + 1 :])
            yield words, [place], words - later
        return
    ys, xs = set().union(*(by_row[r] for r in rows)), set().union(*(by_col[c] for c in cols))
    inputs = sorted(product(ys, xs), key=lambda i: i[::-1] if sweep.along == "P" else i)
    adds = [{(r, c) for r, c in outputs if y in by_row[r] and x in by_col[c]} for y, x in inputs]
    untouched = set(outputs) - set().union(*adds)
    for place in sorted(untouched):
        yield [], [place], [place]
    for number, (word, places) in enumerate(zip(inputs, adds, strict=True)):
        yield [word], places, places - set().union(*adds[number + 1 :])


def run_steps(nest: Any, mapping: Stepped, rules: Any) -> Run:
    """Go over the images in bands and steps; each sum is held from its first input to its last."""
    chip = Chip(nest)
    turned = mapping.along == "P"
    length, across = (nest.cols, nest.rows) if turned else (nest.rows, nest.cols)
    by_row = [needed(length, range(o, o + 1), rules) for o in range(length.outputs)]
    outer = product(range(nest.groups), cuts(nest.filters, mapping.filters), cuts(nest.batch, mapping.images))
    for (group, m, n), band in product(outer, cuts(across.outputs, mapping.band)):
        columns, brought = needed(across, band, rules), set[int]()

        def words(rows: Any, g: int = group, ms: range = m, ns: range = n, b: range = band) -> set[Word]:
            return set(product([g], ns, ms, rows, b))

        for step in cuts(length.outputs, mapping.step):
            fresh = set().union(*(by_row[o] for o in step)) - brought
            brought |= fresh
            added = [o for o in range(length.outputs) if by_row[o] & fresh]
            for c in range(nest.channels):
                chip.weights, chip.inputs = set(), set()
                weights = {(group * nest.filters + f, c) for f in m}
                chip.step(weights, set(product([group], n, [c], fresh, columns)), words(added))
            chip.weights, chip.inputs = set(), set()
            chip.put_away({word for word in chip.sums if by_row[word[3]] <= brought}, True)
            empty = words([o for o in step if not by_row[o]])  # all in the padding: zero, never held
            chip.begun |= empty
            chip.finished += len(empty)
    return chip.done()


def every_part(nest: Any, rules: Any, alike: str) -> Iterator[Part]:
    """All tilings of which a part stays; of weights, along the dimensions of ``alike``."""
    forms = [("inputs", "C", "CM", ""), ("weights", "C", "C", "M"), ("weights", "M", "M", "C")]
    forms = [form for form in forms if form[0] == "inputs" or form[1] in alike]
    for tiles in product(*(tile_sizes(size, rules.tiles) for size in sizes_of(nest))):
        for tensor, unit, inside, outside in forms:
            size, tile = (nest.channels, tiles[2]) if unit == "C" else (nest.filters, tiles[1])
            if tile == size:
                continue
            for kept in [*range(1, size - tile), size]:
                for positions in permutations("PQN"):
                    yield Part(tiles, inside + "".join(positions) + outside, tensor, kept)


def every_sweep(nest: Any, rules: Any) -> Iterator[Swept]:
    """All sweeps."""
    _, filters, channels, rows, cols = (tile_sizes(size, rules.tiles) for size in sizes_of(nest))
    for m, c, keeps in product(filters, channels, ("inputs", "sums")):
        for along, bands in (("P", rows), ("Q", cols)):
            for band in bands:
                yield Swept(m, c, along, band, keeps)


def every_step(nest: Any, rules: Any) -> Iterator[Stepped]:
    """All bands in steps."""
    images, filters, _, rows, cols = (tile_sizes(size, rules.tiles) for size in sizes_of(nest))
    if nest.channels > 1:
        for n, m, p, q in product(images, filters, rows, cols):
            yield Stepped(n, m, "P", p, q)
            yield Stepped(n, m, "Q", q, p)
