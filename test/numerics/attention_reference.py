"""Attention in NumPy, in float64: what attention.sdpa promises, step by step."""

import numpy as np


def attention(q, k, v, scale, bias=None, mask=None, key_lengths=None, offset=0,
              causal=False, window=None, softcap=None, masked_rows="nan",
              score=None, visible=None):
    """(result, log_sum_exp) of q [B, H, L, D], k [B, G, K, D], v [B, G, K, E]."""
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
    s = scale * (q @ k.swapaxes(2, 3))
    index = np.meshgrid(*map(np.arange, s.shape), indexing="ij")
    if softcap:
        s = softcap * np.tanh(s / softcap)
    if score:
        s = score(s, *index)
    if bias is not None:
        s = s + bias
    i, j = index[2] + offset, index[3]
    seen = np.ones(s.shape, bool)
    if mask is not None:
        seen &= mask
    if key_lengths is not None:
        seen &= j < key_lengths[:, None, None, None]
    if causal:
        seen &= j <= i
    if window is not None:
        left, right = window
        seen &= (left < 0) | (j >= i - left)
        seen &= (right < 0) | (j <= i + right)
    if visible:
        seen &= visible(*index)
    s = np.where(seen, s, -np.inf)
    largest = s.max(-1, keepdims=True, initial=-np.inf)
    e = np.exp(s - np.where(np.isneginf(largest), 0, largest))
    total = e.sum(-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = e / total
        log_sum_exp = np.log(total) + np.where(np.isneginf(largest), 0, largest)
    if masked_rows == "zero":
        p = np.where(total == 0, 0, p)
    return p @ v, log_sum_exp[..., 0]
