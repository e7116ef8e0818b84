"""What is found while one table is read: notes for the reader, faults for the planner."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, refuse, spoken_rows


class Findings:
    """Collects notes and faults of one table, so that all are told at once.

    The index of the table on its way in is the position of the record in its source; this object knows
    what to call it.

    Parameters
    ----------
    table
        Name of the table.
    files
        Name and number of records of each file, in order.
    """

    def __init__(self, table: str, files: Sequence[tuple[str, int]]) -> None:
        self.table = table
        self.faults: list[str] = []
        self.notes: list[Note] = []
        self.headings: dict[str, str] = {}  # our column -> the heading it was read from
        self._mended: list[Note] = []
        self._names = [name for name, _ in files]
        self._ends = np.cumsum([count for _, count in files])
        self._records: npt.NDArray[np.int64] | None = None

    def reindex(self, records: npt.NDArray[np.int64]) -> None:
        """Say which record each row now comes from, where one record has become several rows."""
        self._records = records

    def rows(self, index: pd.Index) -> tuple[str, ...]:
        """Name the records behind some rows, counted from 1, with the file where there are several."""
        positions = index.to_numpy()
        if self._records is not None:
            positions = self._records[positions]
        if len(self._names) <= 1:
            return tuple(map(str, (positions + 1).tolist()))
        which = np.searchsorted(self._ends, positions, side="right")
        starts = np.concatenate([[0], self._ends])[which]
        numbers = (positions - starts + 1).tolist()
        return tuple(f"{self._names[w]}:{n}" for w, n in zip(which.tolist(), numbers, strict=True))

    def note(self, kind: str, text: str, index: pd.Index | None = None) -> None:
        """Keep something that the reader must know."""
        rows = () if index is None else self.rows(index)
        self.notes.append(Note(self.table, kind, text, len(rows), rows))

    def mend(self, kind: str, text: str, index: pd.Index) -> None:
        """Keep a note of a fault that was mended or set aside; strict reading refuses these."""
        self.note(kind, text, index)
        self._mended.append(self.notes[-1])

    def fault(self, text: str) -> None:
        """Keep a fault that nothing mends."""
        self.faults.append(text)

    def close(self, *, strict: bool) -> tuple[Note, ...]:
        """Raise all faults at once, or give the notes.

        Raises
        ------
        DataError
            If there are faults; if `strict`, also for what was mended or set aside.
        """
        refuse(self.table, self.faults)
        if strict and self._mended:
            lines = [f"{spoken_rows(note.rows)}: {note.text}" for note in self._mended]
            raise DataError(
                f"{self.table}: {len(lines)} kinds of faults would be mended or set aside; correct them "
                "in the source, or read with strict=False",
                lines,
            )
        return tuple(self.notes)
