"""Bit-exact models of the circuits in `gatewright.hw.stochastic`, whole streams at once: arrays of bool [..., L], time last."""
