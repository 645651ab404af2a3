"""Gatewright co-designs neural networks and the gates they run on."""

__version__ = "0.1.0"
