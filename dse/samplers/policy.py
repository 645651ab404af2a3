"""The controller's network: an LSTM that decides one token after the other, each from all before, and learns by REINFORCE.

After Zoph and Le, "Neural architecture search with reinforcement learning" (ICLR 2017). A policy never changes: learning makes a new one,
so that earlier ones can be kept for nothing.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch

ABSENT = -1  # token of a decision that a trial did not make
FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # of Adam
NEVER = -1e9  # logit of a token that a decision does not have


@dataclass(frozen=True)
class Policy:
    """counts: tokens of each decision, in the order of deciding (T of them, of at most K tokens).

    weights: the LSTM's "input" and "hidden" [4 H, H] and "bias" [4 H], and of each decision "embedding" [T, K, H] of its tokens,
    "head" [T, H, K] and "offset" [T, K] of its logits. Heads and offsets begin at zero, so that at first all tokens are equally likely.
    """

    seed: int
    hidden: int
    counts: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, torch.Tensor] = field(default_factory=dict)
    means: Mapping[str, torch.Tensor] = field(default_factory=dict)
    squares: Mapping[str, torch.Tensor] = field(default_factory=dict)
    steps: int = 0

    def deciding(self, counts: Mapping[str, int]) -> "Policy":
        """The same policy for other decisions, in the order of their names: what both have in common stays as it was learned."""
        counts = dict(sorted(counts.items()))
        if counts == self.counts:
            return self
        size, most = self.hidden, max(counts.values(), default=0)
        weights = {name: self.weights.get(name, self._drawn(name, 4 * size, size)) for name in ("input", "hidden")}
        weights["bias"] = self.weights.get("bias", torch.zeros(4 * size))
        weights["embedding"] = torch.zeros(len(counts), most, size)
        weights["head"], weights["offset"] = torch.zeros(len(counts), size, most), torch.zeros(len(counts), most)
        before = list(self.counts)
        for i, (name, count) in enumerate(counts.items()):
            if self.counts.get(name) == count:
                j = before.index(name)
                weights["embedding"][i, :count] = self.weights["embedding"][j, :count]
                weights["head"][i, :, :count] = self.weights["head"][j, :, :count]
                weights["offset"][i, :count] = self.weights["offset"][j, :count]
            else:
                weights["embedding"][i, :count] = self._drawn(f"embedding of {name}", count, size) * math.sqrt(size)
        zeros = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
        return replace(self, counts=counts, weights=weights, means=zeros, squares=zeros, steps=0)

    def _drawn(self, name: str, *shape: int) -> torch.Tensor:
        """Initial weights, which depend on the seed and their name alone."""
        number = int.from_bytes(hashlib.sha256(f"{self.seed}:{name}".encode()).digest()[:8], "big", signed=True)
        bound = 1 / math.sqrt(self.hidden)
        return torch.empty(shape).uniform_(-bound, bound, generator=torch.Generator().manual_seed(number))

    def draw(self, draw: np.random.Generator, wanted: set[str]) -> dict[str, int]:
        """A token for each decision that is wanted, drawn one after the other."""
        weights = {name: tensor.numpy() for name, tensor in self.weights.items()}
        chosen, size = dict[str, int](), self.hidden
        seen, state, cell = (np.zeros(size, np.float32) for _ in range(3))
        for i, (name, count) in enumerate(self.counts.items()):
            gates = weights["input"] @ seen + weights["hidden"] @ state + weights["bias"]
            enter, keep, _, leave = 1 / (1 + np.exp(-gates.reshape(4, size)))
            cell = keep * cell + enter * np.tanh(gates[2 * size : 3 * size])
            state = leave * np.tanh(cell)
            if name not in wanted:
                seen = np.zeros_like(seen)
                continue
            logits = (state @ weights["head"][i, :, :count] + weights["offset"][i, :count]).astype(np.float64)
            shares = np.cumsum(np.exp(logits - logits.max()))
            chosen[name] = min(int(np.searchsorted(shares, draw.random() * shares[-1], side="right")), count - 1)
            seen = weights["embedding"][i, chosen[name]]
        return chosen

    def log_probabilities(self, tokens: torch.Tensor, weights: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """[B, T, K] of every token at every decision, given those before it. tokens: [B, T], ABSENT where there is none."""
        number, length = tokens.shape
        embedded = weights["embedding"][torch.arange(length), tokens.clamp(min=0)] * (tokens != ABSENT)[..., None]
        zeros = torch.zeros(1, number, self.hidden)
        inputs = torch.cat([zeros.transpose(0, 1), embedded[:, :-1]], dim=1)
        bias = weights["bias"]
        lstm = [weights["input"], weights["hidden"], bias, torch.zeros_like(bias)]
        states, _, _ = torch.lstm(inputs, (zeros, zeros), lstm, True, 1, 0.0, True, False, True)
        logits = torch.einsum("bth,thk->btk", states, weights["head"]) + weights["offset"]
        counts = torch.tensor(list(self.counts.values()))
        outside = torch.arange(logits.shape[2]) >= counts[:, None]
        return logits.masked_fill(outside, NEVER).log_softmax(dim=2)

    def learn(
        self,
        tokens: torch.Tensor,
        advantages: torch.Tensor,
        rate: float,
        entropy: float,
        best: torch.Tensor | None = None,
        imitation: float = 0.0,
    ) -> "Policy":
        """One step of Adam along the policy gradient of a generation, and towards the best so far.

        tokens: [B, T]. advantages: [B], of rewards over the baseline. best: [N, T], whose mean logarithm of probability counts `imitation`
        times.
        """
        with one_thread():
            weights = {name: tensor.clone().requires_grad_() for name, tensor in self.weights.items()}
            logs = self.log_probabilities(tokens, weights)
            unsure = (-(logs.exp() * logs).sum(dim=2) * (tokens != ABSENT)).sum(dim=1)
            loss = -(advantages * _chosen(logs, tokens) + entropy * unsure).mean()
            if best is not None and imitation:
                loss = loss - imitation * _chosen(self.log_probabilities(best, weights), best).mean()
            gradients = dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))
            steps = self.steps + 1
            means, squares, moved = {}, {}, {}
            for name, slope in gradients.items():
                means[name] = FIRST * self.means[name] + (1 - FIRST) * slope
                squares[name] = SECOND * self.squares[name] + (1 - SECOND) * slope**2
                step = means[name] / (1 - FIRST**steps) / ((squares[name] / (1 - SECOND**steps)).sqrt() + TINY)
                moved[name] = self.weights[name] - rate * step
        return replace(self, weights=moved, means=means, squares=squares, steps=steps)


def _chosen(logs: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """[B]: the logarithm of the probability of all tokens [B, T] of a trial, of those [B, T, K] of every token."""
    return (logs.gather(2, tokens.clamp(min=0)[..., None])[..., 0] * (tokens != ABSENT)).sum(dim=1)


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes in one thread: for so little work it is faster, and sums have one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
