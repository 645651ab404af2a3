"""Max pooling of streams. Average pooling is `gatewright.sw.stochastic.add.mux` or `carry`."""

import numpy as np


def segment_max(streams: np.ndarray, segment: int) -> np.ndarray:
    """Streams [..., N, L] (L a multiple of `segment`): in each segment the one that pulsed most in the last, bool [..., L]."""
    parts = streams.reshape(*streams.shape[:-1], -1, segment)
    best = parts.sum(axis=-1).argmax(axis=-2)  # [..., segments], the first of equals
    shown = np.concatenate([np.zeros_like(best[..., :1]), best[..., :-1]], axis=-1)
    chosen = np.take_along_axis(parts, shown[..., None, :, None], axis=-3)[..., 0, :, :]
    return chosen.reshape(*streams.shape[:-2], streams.shape[-1])
