"""Arrays worked on in chunks are what they are as a whole."""

import threading

import numpy as np
import pytest
import shapely

from ccm_geo import _threads
from ccm_geo._threads import in_chunks


@pytest.mark.parametrize("size", [0, 1, 19_999, 20_000, 45_001])
def test_chunks_give_the_whole_in_order(monkeypatch, size):
    monkeypatch.setattr(_threads.os, "cpu_count", lambda: 3)
    shapes = shapely.points(np.arange(size), np.arange(size))
    found = in_chunks(shapely.get_x, shapes)
    assert found.dtype == float
    assert found.tolist() == list(range(size))


def test_long_arrays_run_beside_each_other_and_short_ones_do_not(monkeypatch):
    monkeypatch.setattr(_threads.os, "cpu_count", lambda: 2)
    where = set()

    def note(one, other):
        where.add(threading.get_ident())
        return one + other

    in_chunks(note, np.arange(10), np.arange(10))
    assert where == {threading.get_ident()}
    in_chunks(note, np.arange(50_000), np.arange(50_000))
    assert len(where) > 1


def test_an_error_in_a_chunk_reaches_the_caller(monkeypatch):
    monkeypatch.setattr(_threads.os, "cpu_count", lambda: 2)

    def fail(part):
        raise ValueError(f"{len(part)} rows")

    with pytest.raises(ValueError, match="10000 rows"):
        in_chunks(fail, np.arange(40_000))
