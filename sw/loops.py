"""The loops of a COMPUTE instruction and the arithmetic of their addresses."""

from gatewright.sw.mapping import Tiling


def clip(start: int, size: int, limit: int) -> tuple[int, int, int]:
    """A span of `size` from `start` against 0..limit: padding before it, first index inside, how many inside."""
    before = max(0, -start)
    first = max(0, start)
    return before, first, max(0, min(limit - first, size - before))


def loops_of(t: Tiling, groups: int, per_row: int) -> list[dict[str, int]]:
    """The nine loops of a COMPUTE, outermost first, each with its count and its strides in every buffer."""
    layer, m = t.layer, t.mapping
    width = t.window[1] * t.words
    step = layer.pool_stride * layer.stride

    def loop(count: int = 1, activation: int = 0, weight: int = 0, output: int = 0, parameter: int = 0) -> dict[str, int]:
        return {"count": count, "activation": activation, "weight": weight, "output": output, "parameter": parameter}

    pixel = t.pixel_rows * per_row
    over_channels = loop(groups, activation=t.reach.stride, weight=t.reduction, output=t.group_span, parameter=1)
    over_y = loop(m.y, activation=step * width, output=m.x * pixel)
    over_x = loop(m.x, activation=step * t.words, output=pixel)
    nothing = loop()
    inner = {"none": nothing, "x": over_x, "channels": over_channels}[m.inner]
    over_x, over_channels = (nothing if a is inner else a for a in (over_x, over_channels))
    outer = [over_channels, over_y, over_x] if m.order == "channels_outside" else [over_y, over_x, over_channels]
    return [
        *outer,
        loop(layer.pool_window, activation=layer.stride * width),
        loop(layer.pool_window, activation=layer.stride * t.words),
        loop(t.kernel_rows, activation=width if len(t.inputs) == 1 else t.block, weight=layer.S * t.reach.words),
        loop(layer.S, activation=t.words, weight=t.reach.words),
        loop(t.reach.words, activation=1, weight=1),
        inner,
    ]


def deltas_of(counts: list[int], strides: list[int]) -> list[int]:
    """What is added to the address when loop l increments and all inside it return to zero."""
    return [stride - sum((counts[k] - 1) * strides[k] for k in range(level + 1, len(counts))) for level, stride in enumerate(strides)]
