"""Addressed randomness: every draw has an address, so nothing depends on what was drawn before it.

An address is the seed, the identity of the image, what the draw is for, and the repeat. The same address gives
the same numbers in any batch, order, process or machine (NumPy's counter-based Philox generator).
"""

import hashlib

import numpy as np
from torch import Tensor


def identify(images: Tensor) -> list[str]:
    """Identity of each image of (N, C, H, W): a hash of its shape and of its pixels as float32.

    >>> import torch
    >>> first, second = identify(torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)]))
    >>> first == second, len(first)
    (False, 32)
    """
    return [
        _digest(str(tuple(image.shape)).encode(), image.numpy().tobytes()) for image in images.detach().float().cpu()
    ]


def addressed(*, seed: int, image: str, purpose: str, repeat: int = 0) -> np.random.Generator:
    """The generator at one address.

    >>> one = addressed(seed=0, image="a", purpose="ties").random()
    >>> other = addressed(seed=0, image="b", purpose="ties").random()
    >>> one == addressed(seed=0, image="a", purpose="ties").random(), one == other
    (True, False)
    """
    key = _digest(*(f"{len(part)}:{part}".encode() for part in (str(seed), image, purpose, str(repeat))))
    return np.random.Generator(np.random.Philox(key=int(key, 16)))


def _digest(*parts: bytes) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()
