"""Where every hazard stands on the day the money stops: what is done, under way, and left of its harm."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.prices import plain, walk
from ccm_geo.planning.listing import Floats, Listing

if TYPE_CHECKING:
    from ccm_geo.planning.plan import Plan


def standing_of(plan: "Plan", year: int, gone: float, harm: pd.DataFrame | None) -> pd.DataFrame:
    """Say for each hazard where it stands on the day.

    Parameters
    ----------
    plan
        What was to be done.
    year, gone
        Year of the day, and the share of it that is gone.
    harm
        Accidents a year; None: what the options could avert.

    Returns
    -------
    pandas.DataFrame
        Index hazard_id; adm1, people, harm (accidents in the year if nothing had been done), removed (share
        of it that ended steps have taken off), left, under_way, standing (in words), and of the step under
        way activity, done (share), cost_usd, area_m2 and share (of the harm, taken off once it is finished).
    """
    listing = Listing.of(plan.options)
    whole = _onward(listing, harm)
    table = _worked(plan.table, year, gone)
    table["share"] = table["benefit"] / _at(whole, table)
    table["share"] = table["share"].where(np.isfinite(table["share"]), 0.0).clip(0, 1)
    ended = table[table["done"] >= 1].groupby("hazard")["share"].sum().clip(0, 1)
    today = _places(listing, year, harm)
    today["harm"] = _yearly(whole, plan, year, harm).reindex(today.index)
    today["removed"] = ended.reindex(today.index).fillna(0.0)
    today["left"] = (today["harm"] * (1 - today["removed"])).fillna(0.0)
    now = table[(table["done"] > 0) & (table["done"] < 1)].set_index("hazard")
    for name in ("activity", "done", "cost_usd", "area_m2", "share"):
        today[name] = now[name].reindex(today.index) if name in now else np.nan
    today["under_way"] = today["done"].notna()
    planned = table.groupby("hazard")["done"].agg(["min", "max"]).reindex(today.index)
    today["standing"] = np.select(
        [today["under_way"], planned["max"].isna(), planned["max"] <= 0, planned["min"] >= 1],
        ["under way", "not in the plan", "planned, not begun", "planned work done"],
        "begun, the rest not",
    )
    return today


def _worked(table: pd.DataFrame, year: int, gone: float) -> pd.DataFrame:
    """Say how far each planned step has come: its share of work done on the day."""
    steps = table[table["state_from"].astype(str) != table["state_to"].astype(str)].copy()
    steps["hazard"] = steps["hazard_id"].astype(str)
    total = steps.groupby(["hazard", "year"])["cost_usd"].transform("sum")
    steps["weight"] = steps["cost_usd"].where(total > 0, 1.0)
    groups = steps.groupby(["hazard", "year"])["weight"]
    before = groups.cumsum() - steps["weight"]
    reached = gone * groups.transform("sum") - before
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(steps["weight"] > 0, reached / steps["weight"], np.where(reached > 0, 1.0, 0.0))
    share = np.clip(np.where(np.abs(share - 1) < 1e-9, 1.0, share), 0, 1)
    steps["done"] = np.where(steps["year"] < year, 1.0, np.where(steps["year"] > year, 0.0, share))
    return steps


def _onward(listing: Listing, harm: pd.DataFrame | None) -> pd.DataFrame:
    """Accidents from each year on that could be averted: index hazard, a column for each year."""
    if harm is not None:
        grid = harm.assign(hazard=harm["hazard_id"].astype(str)).pivot_table(
            index="hazard", columns="year", values="harm"
        )
        return grid.iloc[:, ::-1].cumsum(axis=1).iloc[:, ::-1]
    arcs, columns = Arcs.of(plain(listing)), {}
    steps = listing.src != listing.dst
    for year in listing.years.tolist():
        own = steps & (listing.year == year)
        columns[year] = walk(arcs.keep(own), listing.benefit[own], 1)[1]
    return pd.DataFrame(columns, index=[str(h) for h in listing.hazard_ids])


def _at(whole: pd.DataFrame, steps: pd.DataFrame) -> Floats:
    row, column = whole.index.get_indexer(steps["hazard"]), whole.columns.get_indexer(steps["year"])
    values = whole.to_numpy(dtype=float)[row, column]
    return np.where((row >= 0) & (column >= 0), values, np.nan)


def _yearly(whole: pd.DataFrame, plan: "Plan", year: int, harm: pd.DataFrame | None) -> pd.Series:
    """Accidents in one year: what is averted from it on, less what is averted from the next one on."""
    if harm is not None or year + 1 in whole:
        return whole[year] - whole.get(year + 1, 0.0)
    last = plan.horizon[1] if plan.horizon else year
    return whole[year] / max(last - year + 1, 1)


def _places(listing: Listing, year: int, harm: pd.DataFrame | None) -> pd.DataFrame:
    """Region and people of each hazard in the year; people unknown where no table says."""
    first = listing.frame.iloc[listing.first[:-1]]
    index = pd.Index([str(h) for h in listing.hazard_ids], name="hazard_id")
    region = (
        first["adm1"].astype(object).to_numpy()
        if "adm1" in first
        else np.full(len(index), None, dtype=object)
    )
    source = listing.frame if harm is None else harm
    people = pd.Series(np.nan, index=index)
    if "people" in source:
        now = source[source["year"] == year]
        people = now.groupby(now["hazard_id"].astype(str))["people"].max().reindex(index)
    return pd.DataFrame({"adm1": region, "people": people.to_numpy(dtype=float)}, index=index)
