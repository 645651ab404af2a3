"""The controller's network: draws as it learns, is PyTorch's LSTM, and steps as Adam does."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from gatewright.dse.samplers.policy import ABSENT, Policy


def untrained() -> Policy:
    """Weights that make choices depend on each other: two steps towards made-up tokens, far."""
    policy = Policy(7, 8).deciding({"a": 3, "b": 2, "c": 4})
    tokens = torch.tensor([[0, 1, 3], [2, 0, 1], [1, 1, ABSENT]])
    for _ in range(3):
        policy = policy.learn(tokens, torch.tensor([1.0, 0.5, -1.0]), 0.1, 0.0)
    return policy


def test_drawing_has_the_probabilities_that_learning_sees() -> None:
    """Two implementations, one in NumPy and one in PyTorch."""
    policy, draw = untrained(), np.random.default_rng(0)
    every = torch.cartesian_prod(torch.arange(3), torch.arange(2), torch.arange(4))
    logs = policy.log_probabilities(every, policy.weights)
    joint = logs.gather(2, every[..., None])[..., 0].sum(dim=1).exp()
    assert float(joint.sum()) == pytest.approx(1, abs=1e-5)
    assert float(joint.max()) > 0.1  # far from 1/24
    drawn = [tuple(policy.draw(draw, {"a", "b", "c"}).values()) for _ in range(6000)]
    shares = [drawn.count(tuple(row)) / len(drawn) for row in every.tolist()]
    assert np.abs(np.array(shares) - joint.numpy()).max() < 5 * math.sqrt(0.25 / 6000)


def test_the_lstm_equals_pytorchs_module() -> None:
    policy, tokens = untrained(), torch.tensor([[2, 1, 0], [0, ABSENT, 3]])
    module = torch.nn.LSTM(8, 8, batch_first=True)
    weights = policy.weights
    state = {
        "weight_ih_l0": weights["input"],
        "weight_hh_l0": weights["hidden"],
        "bias_ih_l0": weights["bias"],
        "bias_hh_l0": torch.zeros(32),
    }
    module.load_state_dict(state)
    inputs = torch.zeros(2, 3, 8)  # nothing before the first, nothing where a decision was not made
    inputs[0, 1], inputs[0, 2], inputs[1, 1] = weights["embedding"][0, 2], weights["embedding"][1, 1], weights["embedding"][0, 0]
    states = module(inputs)[0]
    for i, count in enumerate((3, 2, 4)):
        logits = states[:, i] @ weights["head"][i, :, :count] + weights["offset"][i, :count]
        torch.testing.assert_close(policy.log_probabilities(tokens, weights)[:, i, :count], logits.log_softmax(dim=1))


@pytest.mark.parametrize("start", [Policy(1, 8), untrained()], ids=["new", "after other decisions"])
def test_steps_are_adams(start: Policy) -> None:
    """Beside torch.optim.Adam on the same loss; it begins anew where decisions change."""
    policy, tokens = start.deciding({"a": 3, "b": 2}), torch.tensor([[0, 1], [2, ABSENT]])
    weights = {name: tensor.clone().requires_grad_() for name, tensor in policy.weights.items()}
    adam = torch.optim.Adam(weights.values(), lr=0.03)
    for advantages in ([1.0, -0.5], [0.2, 0.7], [-1.0, 1.0]):
        policy = policy.learn(tokens, torch.tensor(advantages), 0.03, 0.1)
        logs = policy.log_probabilities(tokens, weights)
        first = advantages[0] * (logs[0, 0, 0] + logs[0, 1, 1]) + advantages[1] * logs[1, 0, 2]
        unsure = sum(-(part.exp() * part).sum() for part in (logs[0, 0], logs[0, 1, :2], logs[1, 0]))
        adam.zero_grad()
        (-(first + 0.1 * unsure) / 2).backward()
        adam.step()
    for name, tensor in policy.weights.items():
        torch.testing.assert_close(tensor, weights[name].detach(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("imitation", [0.0, 0.7])
def test_steps_go_towards_the_best_too(imitation: float) -> None:
    """Beside a step of torch.optim.Adam on the sum of both losses, of decisions that depend on each other."""
    policy, tokens, best = untrained(), torch.tensor([[0, 1, 2], [2, 0, ABSENT]]), torch.tensor([[1, 1, 3], [0, ABSENT, 0], [2, 1, 1]])
    policy = replace(policy, means={n: torch.zeros_like(t) for n, t in policy.means.items()}, steps=0)
    policy = replace(policy, squares=policy.means)
    weights = {name: tensor.clone().requires_grad_() for name, tensor in policy.weights.items()}
    logs, top = policy.log_probabilities(tokens, weights), policy.log_probabilities(best, weights)
    learned = 0.4 * (logs[0, 0, 0] + logs[0, 1, 1] + logs[0, 2, 2]) - 0.9 * (logs[1, 0, 2] + logs[1, 1, 0])
    likely = (top[0, 0, 1] + top[0, 1, 1] + top[0, 2, 3]) + (top[1, 0, 0] + top[1, 2, 0]) + (top[2, 0, 2] + top[2, 1, 1] + top[2, 2, 1])
    adam = torch.optim.Adam(weights.values(), lr=0.03)
    (-learned / 2 - imitation * likely / 3).backward()
    adam.step()
    moved = policy.learn(tokens, torch.tensor([0.4, -0.9]), 0.03, 0.0, best, imitation)
    for name, tensor in moved.weights.items():
        torch.testing.assert_close(tensor, weights[name].detach(), atol=1e-5, rtol=1e-4)


def test_new_decisions_leave_the_others_as_they_were() -> None:
    policy = untrained()
    more = policy.deciding({"a": 3, "aa": 6, "b": 2, "c": 4})
    back = more.deciding(policy.counts)
    assert list(more.counts) == ["a", "aa", "b", "c"]
    assert all(torch.equal(tensor, policy.weights[name]) for name, tensor in back.weights.items())
    fresh = Policy(7, 8).deciding({"aa": 6})
    assert torch.equal(more.weights["embedding"][1], fresh.weights["embedding"][0])
    changed = policy.deciding({"a": 3, "b": 5, "c": 4})
    assert torch.equal(changed.weights["head"][1], torch.zeros(8, 5))
