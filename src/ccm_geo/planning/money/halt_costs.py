"""What stopping costs and brings, every number with its source or marked as a placeholder."""

import math
from dataclasses import dataclass, fields
from numbers import Real

import pandas as pd

from ccm_geo.assumptions import Assumption
from ccm_geo.errors import DataError

_NONE = "No source found; a placeholder"
_UNITS = {
    "close_usd": "USD per site under way that is closed",
    "mark_usd_per_m2": "USD per m2 of it that is marked",
    "mark_risk_removed": "share of accidents",
    "eore_usd": "USD per hazard",
    "eore_usd_per_person": "USD per person within reach",
    "eore_risk_removed": "share of accidents",
    "handover_usd": "USD per site under way",
    "staff_per_team": "people",
    "weekly_pay_usd": "USD per person and week",
    "notice_due_weeks": "weeks of notice due by law or contract",
    "severance_weeks": "weeks of pay due to each when leaving",
    "restart_usd_per_team": "USD per team: hiring, training, accreditation",
    "reopen_usd": "USD per site that was closed or left open",
}
_SHARES = ("mark_risk_removed", "eore_risk_removed")


@dataclass(frozen=True, kw_only=True)
class HaltCosts:
    """What stopping costs and brings: every number with its source, or your own.

    A plain number in place of an `Assumption` is the planner's own and counts as known. No published figure
    was found for any of them; `HALT` has placeholders to start from.

    Parameters
    ----------
    close_usd
        Per site under way that is closed: items in sight destroyed, lanes closed, tools and records
        taken off.
    mark_usd_per_m2
        Marking a closed site, per square metre left.
    mark_risk_removed
        Share of a marked site's accidents that no longer happen, from 0 to 1.
    eore_usd
        Risk education at once, per hazard.
    eore_usd_per_person
        Risk education at once, per person within reach.
    eore_risk_removed
        Share of accidents that no longer happen in the year after risk education, from 0 to 1.
    handover_usd
        Per site under way: file and map handed to the authority.
    staff_per_team
        People of a team.
    weekly_pay_usd
        Pay of each of them for a week.
    notice_due_weeks
        Weeks of notice due by law or contract; those not given are paid.
    severance_weeks
        Weeks of pay due to each when leaving.
    restart_usd_per_team
        What hiring, training and accrediting a team again would cost. Told, not paid now.
    reopen_usd
        What opening a site again would cost that was closed or left open. Told, not paid now.

    Examples
    --------
    >>> from dataclasses import replace
    >>> ours = replace(HALT, weekly_pay_usd=180.0)
    >>> ours.weekly_pay_usd.source, ours.close_usd.placeholder
    ('given by the planner', True)
    """

    close_usd: Assumption | float
    mark_usd_per_m2: Assumption | float
    mark_risk_removed: Assumption | float
    eore_usd: Assumption | float
    eore_usd_per_person: Assumption | float
    eore_risk_removed: Assumption | float
    handover_usd: Assumption | float
    staff_per_team: Assumption | float
    weekly_pay_usd: Assumption | float
    notice_due_weeks: Assumption | float
    severance_weeks: Assumption | float
    restart_usd_per_team: Assumption | float
    reopen_usd: Assumption | float

    def __post_init__(self) -> None:
        """Turn plain numbers into assumptions and refuse what cannot be."""
        faults = []
        for name, unit in _UNITS.items():
            given = getattr(self, name)
            if not isinstance(given, (Assumption, Real)):
                faults.append(f"{name} {given!r}: give a number, in {unit}")
                continue
            if not isinstance(given, Assumption):
                own = Assumption(value=float(given), unit=unit, source="given by the planner")
                object.__setattr__(self, name, own)
            value = self.value(name)
            if not (value >= 0 and math.isfinite(value)) or (name in _SHARES and value > 1):
                faults.append(
                    f"{name} {value}: give {'a share from 0 to 1' if name in _SHARES else 'a number >= 0'}"
                )
        if faults:
            raise DataError(f"HaltCosts: {len(faults)} of its values cannot be", faults)

    def value(self, name: str) -> float:
        """Return one of the numbers."""
        found: Assumption = getattr(self, name)
        return float(found.value)

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Names of the numbers that the planner must replace."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name).placeholder)

    def table(self) -> pd.DataFrame:
        """List every number with its unit and source."""
        rows = [{"number": name, **vars(getattr(self, name))} for name in _UNITS]
        return pd.DataFrame(rows).set_index("number")


def _guess(name: str, value: float) -> Assumption:
    return Assumption(value=value, unit=_UNITS[name], source=_NONE, confidence="none", placeholder=True)


HALT = HaltCosts(
    close_usd=_guess("close_usd", 1_500),
    mark_usd_per_m2=_guess("mark_usd_per_m2", 0.005),
    mark_risk_removed=_guess("mark_risk_removed", 0.2),
    eore_usd=_guess("eore_usd", 300),
    eore_usd_per_person=_guess("eore_usd_per_person", 1.5),
    eore_risk_removed=_guess("eore_risk_removed", 0.15),
    handover_usd=_guess("handover_usd", 500),
    staff_per_team=_guess("staff_per_team", 10),
    weekly_pay_usd=_guess("weekly_pay_usd", 150),
    notice_due_weeks=_guess("notice_due_weeks", 4),
    severance_weeks=_guess("severance_weeks", 4),
    restart_usd_per_team=_guess("restart_usd_per_team", 20_000),
    reopen_usd=_guess("reopen_usd", 1_000),
)
"""Numbers to start from. Every one is a placeholder: replace them before anybody decides by them."""
