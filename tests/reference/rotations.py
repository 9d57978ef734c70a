"""The random rotations of lib/metrics/rotation.ts, for models whose norms subtract the mean: the same seed gives the same matrix, so that
controls can be compared as well. The generator is splitmix32, normal numbers are Box and Muller's.
"""

import math

import numpy as np

MASK = 0xFFFFFFFF
BLOCK = 64


class Random:
    def __init__(self, seed: int):
        self.state = seed & MASK

    def next(self) -> float:
        self.state = (self.state + 0x9E3779B9) & MASK
        z = self.state
        z = ((z ^ z >> 16) * 0x85EBCA6B) & MASK
        z = ((z ^ z >> 13) * 0xC2B2AE35) & MASK
        return (z ^ z >> 16) / 2**32

    def normal(self) -> float:
        radius = math.sqrt(-2 * math.log(1 - self.next()))
        return radius * math.cos(2 * math.pi * self.next())

    def below(self, n: int) -> int:
        return int(self.next() * n)

    def permutation(self, n: int) -> np.ndarray:
        order = np.arange(n)
        for i in range(n - 1, 0, -1):
            j = self.below(i + 1)
            order[i], order[j] = order[j], order[i]
        return order


def haar(n: int, random: Random) -> np.ndarray:
    rows: list[np.ndarray] = []
    while len(rows) < n:
        row = np.array([random.normal() for _ in range(n)])
        for _ in range(2):
            for other in rows:
                row = row - (row @ other) * other
        rows.append(row / np.linalg.norm(row))
    return np.array(rows)


def haar_blocks(n: int, random: Random) -> np.ndarray:
    """[n, n] with Haar-distributed blocks of at most 64 along its diagonal."""
    Q, count = np.zeros((n, n)), math.ceil(n / BLOCK)
    for block in range(count):
        start, end = block * n // count, (block + 1) * n // count
        Q[start:end, start:end] = haar(end - start, random)
    return Q


def orthogonal(n: int, seed: int) -> np.ndarray:
    """[n, n]: blocks, and for more than one a permutation and blocks once more."""
    random = Random(seed)
    first = haar_blocks(n, random)
    if n <= BLOCK:
        return first
    order = random.permutation(n)
    return first @ haar_blocks(n, random)[order]


def rotation(n: int, seed: int) -> np.ndarray:
    """Q [n, n], which maps (1, …, 1) to itself."""
    Q = np.eye(n)
    Q[1:, 1:] = orthogonal(n - 1, seed)
    v = np.full(n, -1 / math.sqrt(n))
    v[0] += 1
    swap = np.eye(n) - 2 * np.outer(v, v) / (v @ v)
    return swap @ Q @ swap
