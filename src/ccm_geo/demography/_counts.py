"""Columns of people taken as numbers, with all that is wrong in them told at once."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ccm_geo.io.values import numbers
from ccm_geo.schemas import refuse, spoken_rows


def many(count: int, what: str) -> str:
    """Spell a number of things.

    Examples
    --------
    >>> many(1, "cell"), many(2_000, "cell")
    ('1 cell', '2,000 cells')
    """
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def counts(table: pd.DataFrame, columns: Iterable[str], name: str) -> pd.DataFrame:
    """Read columns of people, NaN where blank.

    Parameters
    ----------
    table
        Numbers, or text as files have it: ``1 200``.
    columns
        Which columns.
    name
        What to call the table in messages.

    Raises
    ------
    DataError
        If a column is absent, not a number, below 0 or infinite.

    Examples
    --------
    >>> counts(pd.DataFrame({"women": ["1 200", ""], "men": [7, 8]}), ["women"], "districts")
        women
    0  1200.0
    1     NaN
    """
    faults: list[str] = []
    found: dict[str, pd.Series] = {}
    for column in columns:
        if column not in table.columns:
            there = ", ".join(repr(str(one)) for one in table.columns if one != "geometry")
            faults.append(f"there is no column {column!r} of people; the columns are {there or 'none'}")
            continue
        read = numbers(table[column])
        for wrong, text in (
            (read.unread, "is not a number; correct it, or leave it blank where it is unknown"),
            (read.read < 0, "is below 0; correct it"),
            (np.isinf(read.read), "is infinite; correct it"),
        ):
            if wrong.any():
                labels = [str(at + 1) for at in np.flatnonzero(wrong.to_numpy())]
                faults.append(f"{spoken_rows(labels)}, {column} {text}")
        found[column] = read.read
    refuse(name, faults)
    return pd.DataFrame(found, index=table.index)
