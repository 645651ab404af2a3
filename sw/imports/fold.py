"""Equal networks with fewer steps: batch norm goes into the layer before it, ReLU next to what computes, pooling before the logits."""

from collections.abc import Callable
from dataclasses import replace

import torch

from gatewright.hw.errors import BadInput
from gatewright.sw.imports.network import Add, Affine, Concat, Convolution, Dense, FloatNetwork, Pick, Pool, Relu, Step

Rule = Callable[[FloatNetwork, Step], dict[str, tuple[Step, ...]] | None]


def folded(network: FloatNetwork) -> FloatNetwork:
    """The same function without `Affine` steps and with logits that a layer gives, ready to become a workload."""
    for rule in (_affine, _relu, _logits):
        while changed := _applied(network, rule):
            network = changed
    last = {step.output: step for step in network.steps}.get(network.output)
    if not isinstance(last, Convolution | Dense | Add):
        what = f"{last.path} ({type(last).__name__})" if last else "the image"
        raise BadInput(f"{network.name}: the logits must come from a convolution or Linear, as they are; got {what}. Leave it out.")
    return network


def _applied(network: FloatNetwork, rule: Rule) -> FloatNetwork | None:
    """The network after the first change that a rule makes: by a step's value, the steps that take the step's place."""
    for step in network.steps:
        change = rule(network, step)
        if change is not None:
            steps = tuple(new for old in network.steps for new in change.get(old.output, (old,)))
            return replace(network, steps=steps)
    return None


def _only(network: FloatNetwork, step: Step) -> list[Step] | None:
    """The steps that make a step's inputs, if nothing else reads these; None otherwise."""
    makers = {maker.output: maker for maker in network.steps}
    alone = all(name in makers and network.readers[name] == (step,) and name != network.output for name in step.inputs)
    return [makers[name] for name in step.inputs] if alone and len(set(step.inputs)) == len(step.inputs) else None


def _affine(network: FloatNetwork, step: Step) -> dict[str, tuple[Step, ...]] | None:
    """Into the layer before, or a depthwise convolution of its own."""
    if not isinstance(step, Affine):
        return None
    before = next(iter(_only(network, step) or ()), None)
    scale, shift = step.scale.double(), step.shift.double()
    match before:
        case Convolution() | Dense():
            shape = (-1,) + (1,) * (before.weight.dim() - 1)
            weight, bias = before.weight.double() * scale.reshape(shape), before.bias.double() * scale + shift
            return {before.output: (replace(before, weight=weight.float(), bias=bias.float(), output=step.output),), step.output: ()}
        case Affine():
            merged = replace(before, scale=(before.scale * scale).float(), shift=(before.shift * scale + shift).float(), output=step.output)
            return {before.output: (merged,), step.output: ()}
    weight = step.scale[:, None, None, None]
    own = Convolution(path=step.path, inputs=step.inputs, output=step.output, weight=weight, bias=step.shift, groups=len(weight))
    return {step.output: (own,)}


def _relu(network: FloatNetwork, step: Step) -> dict[str, tuple[Step, ...]] | None:
    """Before the greatest of a window, a pick and a concatenation, where what they read is then clamped as it is made."""
    if not isinstance(step, Relu):
        return None
    before = next(iter(_only(network, step) or ()), None)
    if isinstance(before, Relu) and (before.low, step.low) == (0.0, 0.0):
        return {before.output: (replace(before, limit=min(before.limit, step.limit), output=step.output),), step.output: ()}
    movable = isinstance(before, Pick | Concat) or (isinstance(before, Pool) and before.kind == "max")
    makers = _only(network, before) if before and movable else None
    if before is None or not makers or not all(isinstance(m, Convolution | Dense | Add | Pick | Concat | Pool | Relu) for m in makers):
        return None
    names = tuple(f"{step.output}.{i}" for i in range(len(makers)))
    clamps = tuple(replace(step, inputs=(read,), output=name) for read, name in zip(before.inputs, names, strict=True))
    return {before.output: (*clamps, replace(before, inputs=names, output=step.output)), step.output: ()}


def _logits(network: FloatNetwork, step: Step) -> dict[str, tuple[Step, ...]] | None:
    """An average of 1 x 1 convolutions is the convolution of an average; any other average has a layer of its own."""
    if step.output != network.output or not isinstance(step, Pool) or step.kind != "average":
        return None
    before = next(iter(_only(network, step) or ()), None)
    if isinstance(before, Convolution) and before.weight.shape[2:] == (1, 1) and (before.stride, before.padding) == (1, 0):
        pooled = replace(step, inputs=before.inputs, output=f"{step.output}.pooled")
        return {before.output: (), step.output: (pooled, replace(before, inputs=(pooled.output,), output=step.output))}
    channels, size = network.shapes[step.inputs[0]][0], step.window
    if isinstance(before, Concat | Pick):  # of several layers, which a layer of its own reads whole
        pooled = replace(step, output=f"{step.output}.pooled")
        same, none = torch.eye(channels), torch.zeros(channels)
        return {step.output: (pooled, Dense(path=step.path, inputs=(pooled.output,), output=step.output, weight=same, bias=none))}
    weight, bias = torch.full((channels, 1, size, size), 1 / size**2), torch.zeros(channels)
    own = Convolution(path=step.path, inputs=step.inputs, output=step.output, weight=weight, bias=bias, stride=step.stride, groups=channels)
    return {step.output: (own,)}
