"""Work on long arrays in threads, chunk by chunk: for calls that let other threads run meanwhile."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

_CHUNK = 10_000  # rows; below two chunks a thread costs more than it saves


def in_chunks(function: Callable[..., Any], *arrays: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give what a function gives that works row by row, at once for long arrays on several cores.

    Parameters
    ----------
    function
        Takes as many arrays as are given and returns an array of the same length. It must let other threads
        run, as shapely and pyproj do while they compute; else nothing is gained.
    arrays
        Of one length.

    Returns
    -------
    numpy.ndarray
        As ``function(*arrays)``.

    Examples
    --------
    >>> in_chunks(np.add, np.arange(3), np.ones(3)).tolist()
    [1.0, 2.0, 3.0]
    """
    size, cores = len(arrays[0]), os.cpu_count() or 1
    if size < 2 * _CHUNK or cores == 1:
        return np.asarray(function(*arrays))
    starts = range(0, size, _CHUNK)
    with ThreadPoolExecutor(cores) as pool:
        parts = pool.map(lambda at: function(*(one[at : at + _CHUNK] for one in arrays)), starts)
        return np.concatenate(list(parts))
