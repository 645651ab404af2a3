"""What a layer costs under a mapping, in closed form: legality, exact counts, a lower bound of its cycles, and its exact cycles.

Compiled twins of `Tiling.broken_rule`, `sw.counts.count` and `sw.cycles.timing` for a layer on its own (`dse.mapper.alone`). They make no
instructions: sums over tiles factor by axis, since tiles differ at the edges only, and the recurrence of cycles jumps over runs of equal
tiles. In the order in which the files build on one another:

- `records`: what is given; `numbers`: what is found; `compiled`: how it is compiled and kept;
- `tiles`: the tiles of a layer; `loads`: what is read for them; `compute`: what one COMPUTE reads, and how long it takes;
- `counts`, `bound`, `cycles`, `legality`: of one point;
- `points`: of many.
"""
