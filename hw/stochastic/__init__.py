"""Stochastic computing as circuits: number sources, generators, multipliers, adders, activations, pooling. One block a file."""
