"""Samplers of ours for Optuna studies."""
