"""The texts of the page. Any of them can be given in a national language."""

from collections.abc import Mapping

from ccm_geo.errors import DataError

DISCLAIMER = (
    "Only the national mine action authority releases land. Blank places on this map are not known to be "
    "free of explosive ordnance. Boundaries, names and designations do not imply official endorsement or "
    "acceptance."
)
"""Default disclaimer; a national authority replaces it by its own."""

WORDS = {
    "about": "About this map",
    "about_amount": "about {amount}",
    "activities": "Activities",
    "activity_bac": "battle area clearance",
    "activity_clearance": "clearance",
    "activity_eore": "risk education",
    "activity_marking": "marking",
    "activity_nts": "non-technical survey",
    "activity_ts": "technical survey",
    "also": "Also on the map",
    "areas": "{n} areas",
    "averted": "accidents averted over the horizon",
    "blank": "Blank is not safe: no record means no information, not that there are no explosives.",
    "by_year": "by end of {year}",
    "cancelled": "expected to be cancelled by non-technical survey",
    "cha": "Confirmed hazardous area (CHA)",
    "class_of": "Class",
    "cleared": "to be cleared",
    "close": "Close",
    "closed": "Closed in the record",
    "color_by": "Color by",
    "column_accidents_near": "Accidents near",
    "column_adm1": "Province",
    "column_adm2": "District",
    "column_area_m2": "Area measured",
    "column_area_recorded_m2": "Area recorded",
    "column_arrivals": "People expected to arrive within 12 months",
    "column_detour_min": "Detour",
    "column_evidence": "Evidence",
    "column_facilities_near": "Facilities near",
    "column_hazard_class": "Recorded as",
    "column_hazard_id": "Area",
    "column_land_use": "Land use",
    "column_ordnance": "Ordnance",
    "column_people_inside": "People inside",
    "column_people_near": "People near",
    "column_status": "Status in the record",
    "column_surveyed_on": "Surveyed on",
    "column_travel_min": "Travel time",
    "data_of": "Data of {date}",
    "details": "Area details",
    "district_blank": "No record, so nothing is known",
    "district_finished": "Closed or handed over in the record: {n}",
    "district_planned": "Worked on in the plan: {n} of {total} recorded areas",
    "district_planned_by": "Worked on by the end of {year}: {n} of {total} recorded areas",
    "district_shade": "Shade of the districts",
    "district_shade_counts": "In the shade: {n} under {classes}",
    "districts": "Districts",
    "end_interim": "Marking or risk education only",
    "end_of_plan": "Left by the plan",
    "end_released": "To be released by the end of {year}",
    "end_state": "To be left {state}, not released",
    "facts": "What is known",
    "first_benefit": "First {n} areas by accidents averted",
    "first_list": "First {n} areas by score",
    "handed_over": "Handed over in the record",
    "hide_all": "None",
    "in_plan_by": "of {total} planned areas worked on",
    "legend": "Legend",
    "loading": "Opening the map ...",
    "made_on": "Made on {date}",
    "map": "Map of recorded hazardous areas",
    "missing": "Not known: {what}. The score could be between {low} and {high}.",
    "no_date": "date of the data not given",
    "no_geometry": "{n} areas have no outline in the record and are not drawn.",
    "no_script": "The map is drawn by a script, which does not run here. This picture and table stand in.",
    "none_found": "Nothing found",
    "north": "North is up",
    "north_short": "N",
    "not_in_plan": "Not in this plan",
    "not_scored": "No score",
    "notes": "Notes on the data",
    "old_browser": "This browser is too old for the map: use Chrome or Edge 80, Firefox 113, Safari 16.4.",
    "other_steps": "other combinations",
    "panel": "Title, search and legend",
    "parts": "Why this score",
    "people_density": "People per km²",
    "places": "Settlements",
    "placeholders": "Made with placeholder costs or effects: for practice, not for decisions.",
    "proof": "The plan is within {gap} % of the best that its rules allow.",
    "plan": "Place in the plan",
    "plan_later": "Planned for later",
    "play": "Play the years",
    "population": "Where people live",
    "rank_of": "rank {rank} of {total}",
    "recorded": "{n} recorded areas",
    "recorded_as": "Recorded as",
    "recorded_one": "1 recorded area",
    "reduced": "expected to be reduced by technical survey",
    "relative": "benefit, in relative units",
    "results": "{n} results",
    "roads": "Roads",
    "run": "Run {run}",
    "scenario": "Drawn: the plan if “{name}” comes ({chance}); before {year} it is the same whatever comes",
    "score": "Score",
    "scores_of": "{score} of 100",
    "search": "Find an area by id or name",
    "sha": "Suspected hazardous area (SHA)",
    "shade_blank": "Blank: no record, so nothing is known",
    "shade_classes": "Shade: number of areas under {classes}.",
    "shade_more": "{n} more",
    "shade_none": "Recorded areas, none counted in the shade",
    "shade_none_planned": "Recorded areas, none worked on",
    "shade_planned": "Shade: number of areas worked on in the plan.",
    "shade_planned_by": "Shade: number of areas worked on by the end of {year}.",
    "shade_quoted": "\u201c{label}\u201d",
    "show_all": "All",
    "show_panel": "Legend",
    "shown": "{n} shown",
    "skip": "Skip to the list of areas",
    "sources": "Sources",
    "state_confirmed": "confirmed",
    "state_surveyed": "surveyed",
    "then": ", then ",
    "totals": "What the plan does",
    "unit_min": "min",
    "unit_people": "people",
    "unknown": "not recorded",
    "usd": "USD",
    "view_dots": "Each dot is one area.",
    "view_outlines": "Outlines are the recorded areas.",
    "view_shade": "Dots: the first {n}. Specks: all others. Both have the colors of the legend.",
    "year": "Year",
    "year_plan": "First year of work",
}
"""English texts; ``{...}`` are filled in by the page."""

_RIGHT_TO_LEFT = {"ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"}


def wording(own: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the texts of the page, some of them in the planner's words.

    Raises
    ------
    DataError
        If a text is named that the page does not have.

    Examples
    --------
    >>> wording({"legend": "Legende"})["legend"]
    'Legende'
    """
    unknown = sorted(set(own or ()) - WORDS.keys())
    if unknown:
        raise DataError(
            f"words: the page has no text called {', '.join(unknown)}",
            [f"choose from: {', '.join(sorted(WORDS))}"],
        )
    return {**WORDS, **(own or {})}


def direction(language: str) -> str:
    """Say whether a language is written from right to left, ``rtl``, or from left to right, ``ltr``."""
    return "rtl" if language.lower().split("-")[0] in _RIGHT_TO_LEFT else "ltr"
