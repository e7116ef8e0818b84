"""What can go wrong, in words a planner can act on: what is wrong, where, what to do."""

from collections.abc import Iterable

_SHOWN = 20


class CcmGeoError(Exception):
    """Any error that ccm_geo raises on purpose."""


class DataError(CcmGeoError, ValueError):
    """Input that cannot be used as it stands.

    Parameters
    ----------
    message
        One sentence that names the table and says what is wrong.
    failures
        Every fault found, one line each, with row, field and cure. All are kept in
        ``.failures``; the printed text shows the first 20.

    Examples
    --------
    >>> raise DataError("hazards: 1 fault", ["row 12, hazard_class 'Suspected': use SHA or CHA"])
    Traceback (most recent call last):
        ...
    ccm_geo.errors.DataError: hazards: 1 fault
      row 12, hazard_class 'Suspected': use SHA or CHA
    """

    def __init__(self, message: str, failures: Iterable[str] = ()) -> None:
        self.failures = tuple(failures)
        lines = [message, *(f"  {line}" for line in self.failures[:_SHOWN])]
        if len(self.failures) > _SHOWN:
            lines.append(f"  ... and {len(self.failures) - _SHOWN} more, all in .failures")
        super().__init__("\n".join(lines))


class CRSError(DataError):
    """A layer whose place on Earth is unknown, wrong, or apart from the others."""


class SourceError(CcmGeoError, OSError):
    """A file, layer or database that cannot be opened, read or written."""


class PlanError(CcmGeoError, ValueError):
    """No plan can keep all the rules at once.

    Parameters
    ----------
    message
        One sentence.
    conflict
        The rules that cannot hold together, in plain words.
    cures
        The smallest changes that make a plan possible, in plain words.
    """

    def __init__(self, message: str, conflict: Iterable[str] = (), cures: Iterable[str] = ()) -> None:
        self.conflict = tuple(conflict)
        self.cures = tuple(cures)
        lines = [message, *(f"  in conflict: {rule}" for rule in self.conflict)]
        lines += [f"  what would work: {cure}" for cure in self.cures]
        super().__init__("\n".join(lines))


class MissingDependency(CcmGeoError, ImportError):  # noqa: N818 - the name says what to do about it
    """A package that this one call needs is not installed; the text names the command that installs it."""
