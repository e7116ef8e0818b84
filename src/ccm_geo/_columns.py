"""What every column of every table means and may hold: names, units, codes, headings of known systems."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Kind = Literal["id", "text", "code", "codes", "number", "share", "date", "flag"]
"""What a column holds: ``codes`` is one or several codes with semicolons, ``flag`` is yes or no."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """What one column of a table means and may hold.

    Parameters
    ----------
    name
        Its name in ccm_geo, unit as suffix.
    kind
        What it holds.
    meaning
        One sentence for the planner.
    unit
        Unit of measurement, empty where there is none.
    required
        Whether a table without it, or with a blank in it, is refused.
    allowed
        The codes it may hold; empty where anything goes.
    spelled
        Other spellings of those codes, plain (see `plain`), each with the code it stands for.
    minimum, maximum
        Range of its numbers, both ends included.
    aliases
        Headings of known systems, plain, the most telling first.
    made
        Whether the reader makes it from the record number where the source has none.
    blank
        What a blank means where the column is required: a ``fault``; the record is ``set aside``; or it is
        kept as ``unknown``. It is never zero.
    lenient
        Whether what cannot be read counts as unknown and not as a fault.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    required: bool = False
    allowed: tuple[str, ...] = ()
    spelled: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    minimum: float = -math.inf
    maximum: float = math.inf
    aliases: tuple[str, ...] = ()
    made: bool = False
    blank: Literal["fault", "set aside", "unknown"] = "fault"
    lenient: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """What one table holds.

    Parameters
    ----------
    name
        Its name, for example ``hazards``.
    meaning
        One sentence.
    shapes
        The kinds of geometry it may hold: ``Point``, ``LineString``, ``Polygon``.
    located
        Whether every record needs a place.
    key
        The column that names a record; empty where records have no name of their own.
    columns
        Its columns, in order.
    """

    name: str
    meaning: str
    shapes: tuple[str, ...]
    located: bool
    key: str
    columns: tuple[Column, ...]

    def __getitem__(self, name: str) -> Column:
        """Find a column by its name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def plain(heading: object) -> str:
    """Reduce a heading or a code to its letters and digits, so that spelling does not part them.

    Examples
    --------
    >>> plain("Hazard_Cla"), plain("admin2Pcode"), plain("AÑO ")
    ('hazardcla', 'admin2pcode', 'año')
    """
    return "".join(letter for letter in str(heading).casefold() if letter.isalnum())


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _spelled(**codes: str) -> Mapping[str, str]:
    return MappingProxyType({word: code for code, words in codes.items() for word in words.split()})


_ADM1 = Column(
    name="adm1",
    kind="text",
    meaning="Name of the first administrative level: province, entity, department.",
    aliases=_words(
        "admin1 adm1en adm1name admin1name adm1nameen adm1fr adm1es adm1pt adm1ref province governorate "
        "oblast departamento dptocnmbr"
    ),
)
_ADM2 = Column(
    name="adm2",
    kind="text",
    meaning="Name of the second administrative level: district, municipality.",
    aliases=_words(
        "admin2 adm2en adm2name admin2name adm2nameen adm2fr adm2es adm2pt adm2ref district raion "
        "municipio municipality mpiocnmbr"
    ),
)
_ORDNANCE_SPELLED = _spelled(
    cluster="clustermunition clustermunitions clustermunitionremnants cmr submunition submunitions",
    ap_mine="ap apm antipersonnelmine antipersonnelmines",
    at_mine="at atm av antitankmine antitankmines antivehiclemine antivehiclemines",
    uxo="unexplodedordnance",
    ied="improvisedexplosivedevice improvisedexplosivedevices",
)
_ORDNANCE = ("cluster", "ap_mine", "at_mine", "uxo", "ied")

HAZARDS = Table(
    name="hazards",
    meaning="Recorded hazardous areas: where explosive ordnance is suspected or confirmed.",
    shapes=("Polygon",),
    located=True,
    key="hazard_id",
    columns=(
        Column(
            name="hazard_id",
            kind="id",
            required=True,
            made=True,
            meaning="Names the area, each once.",
            aliases=_words("haid hacode idhasy hazardlocalid hazardguid imsmaid hazard shaid chaid"),
        ),
        Column(
            name="hazard_class",
            kind="code",
            required=True,
            allowed=("SHA", "CHA"),
            meaning="SHA suspected (indirect evidence) or CHA confirmed (direct evidence) hazardous area.",
            spelled=_spelled(SHA="suspectedhazardousarea suspectedhazardarea", CHA="confirmedhazardousarea"),
            aliases=_words("hazardcla hazardclassification hatype areatype"),
        ),
        Column(
            name="status",
            kind="code",
            required=True,
            allowed=("open", "closed", "handed_over"),
            meaning="Whether work is left: open, closed, or handed over to its users.",
            aliases=_words("statusha statuscha hastatus hazardstatus"),
        ),
        Column(
            name="evidence",
            kind="code",
            allowed=("direct", "indirect"),
            meaning="The best evidence on record.",
            spelled=_spelled(direct="directevidence", indirect="indirectevidence"),
            aliases=_words("evidencetype typeofevidence"),
        ),
        Column(
            name="ordnance",
            kind="codes",
            allowed=_ORDNANCE,
            spelled=_ORDNANCE_SPELLED,
            meaning="Device categories, the main one first, several with semicolons: cluster;uxo.",
            aliases=_words("hazardtyp hazardtype devicecategory"),
        ),
        Column(
            name="area_recorded_m2",
            kind="number",
            unit="m2",
            minimum=0,
            meaning="Size as the survey form has it; the measured size is area_m2.",
            aliases=_words("arearecordedm2 recordedarea aream2recorded areasqm areasize"),
        ),
        _ADM1,
        _ADM2,
        Column(
            name="land_use",
            kind="text",
            meaning="What the land is, or would be, used for.",
            aliases=_words("landuse uselandtype"),
        ),
        Column(
            name="surveyed_on",
            kind="date",
            meaning="Day of the last survey.",
            aliases=_words("surveydate dateofsurvey dateofinvestigation"),
        ),
        Column(
            name="name",
            kind="text",
            meaning="Name of the area or of the nearest place.",
            aliases=_words("hazardname haname"),
        ),
    ),
)

_PEOPLE = Column(
    name="people",
    kind="number",
    unit="people",
    required=True,
    minimum=0,
    blank="unknown",
    meaning="How many people live here; a blank is unknown, not zero.",
    aliases=_words(
        "population pop popest totalpopulation populationtotal poptotal poptot totpop ttl populationnow "
        "inhabitants habitants habitantes poblacion población stanovnistvo население населення "
        "populacao população"
    ),
)
POPULATION = Table(
    name="population",
    meaning="Where people live: settlements as points, or areas with their people.",
    shapes=("Point", "Polygon"),
    located=True,
    key="",
    columns=(
        _PEOPLE,
        *(
            Column(
                name=name,
                kind="number",
                unit="people",
                minimum=0,
                lenient=True,
                meaning=f"How many of them are {name}; a blank is unknown, not zero.",
            )
            for name in ("women", "girls", "boys", "men")
        ),
        Column(
            name="place_id",
            kind="id",
            meaning="Names the place.",
            aliases=_words("placecode settlementcode pcode osmid geonameid adm2pcode adm1pcode"),
        ),
        Column(
            name="name", kind="text", meaning="Name of the place.", aliases=_words("settlement placename")
        ),
        _ADM1,
        _ADM2,
    ),
)
ACCIDENTS = Table(
    name="accidents",
    meaning="Accidents with explosive ordnance. Never names, birth dates or addresses of victims.",
    shapes=("Point",),
    located=True,
    key="accident_id",
    columns=(
        Column(
            name="accident_id",
            kind="id",
            required=True,
            made=True,
            meaning="Names the accident, each once.",
            aliases=_words("acid accidentcode accidentlocalid accidentguid imsmaid eventid"),
        ),
        Column(
            name="date",
            kind="date",
            meaning="Day of the accident; 1 January where only the year is known.",
            aliases=_words("acdate accidentdate dateofaccident eventdate incidentdate fecha year año ano"),
        ),
        Column(
            name="killed",
            kind="number",
            unit="people",
            minimum=0,
            meaning="People killed; a blank is unknown.",
            aliases=_words("fatalities dead deaths personskilled muertos fallecidos"),
        ),
        Column(
            name="injured",
            kind="number",
            unit="people",
            minimum=0,
            meaning="People injured; a blank is unknown.",
            aliases=_words("wounded injuries personsinjured heridos"),
        ),
        Column(
            name="ordnance",
            kind="codes",
            allowed=_ORDNANCE,
            spelled=_ORDNANCE_SPELLED,
            meaning="Device category, several with semicolons.",
            aliases=_words("aceo devicecategory"),
        ),
        Column(
            name="civilian", kind="flag", meaning="Whether the people hurt were civilians (not deminers)."
        ),
        Column(
            name="precision_m",
            kind="number",
            unit="m",
            minimum=0,
            meaning="How far the point may be from the spot.",
            aliases=_words("precisionm accuracym gpsaccuracy gpsprecision"),
        ),
        _ADM1,
        _ADM2,
    ),
)
DISPLACEMENT = Table(
    name="displacement",
    meaning="Displaced and returning people by site: one administrative level, one round of each operation.",
    shapes=("Point",),
    located=False,
    key="",
    columns=(
        Column(
            name="place_id",
            kind="id",
            required=True,
            made=True,
            meaning="Names the site or area where the people are.",
            aliases=_words("siteid sitecode locationid placecode coa coaiso"),
        ),
        Column(
            name="group",
            kind="code",
            required=True,
            allowed=("idp", "returnee", "refugee"),
            meaning="Who they are.",
            spelled=_spelled(
                idp="idps internallydisplaced internallydisplacedperson internallydisplacedpersons",
                returnee="returnees",
                refugee="refugees",
            ),
            aliases=_words("populationgroup displacementgroup"),
        ),
        Column(
            name="people",
            kind="number",
            unit="people",
            required=True,
            minimum=0,
            blank="set aside",
            meaning="How many; a blank is unknown, not zero.",
            aliases=_words("numpresentidpind numberidps individuals idpind idpindividuals"),
        ),
        Column(
            name="origin_code",
            kind="id",
            meaning="Code of the district they come from; text, leading zeros kept.",
            aliases=_words(
                "idporiginadmin2pcode originadmin2pcode originpcode idporiginadmin1pcode "
                "originadmin1pcode coo cooiso"
            ),
        ),
        Column(
            name="intend_return_share",
            kind="share",
            minimum=0,
            maximum=1,
            meaning="Share of them who intend to go home, 0 to 1.",
            aliases=_words("intentionreturnshare sharereturn"),
        ),
        Column(
            name="round",
            kind="number",
            meaning="Round of the assessment; the latest of each operation is kept.",
            aliases=_words("roundnumber dtmround"),
        ),
        Column(
            name="date",
            kind="date",
            meaning="Day of the report.",
            aliases=_words("reportingdate surveydate assessmentdate year"),
        ),
        Column(
            name="operation",
            kind="text",
            meaning="Which operation counted; two operations may count the same people.",
            aliases=_words("operationname"),
        ),
        Column(
            name="level",
            kind="number",
            minimum=0,
            meaning="Administrative level of the record; one level is kept.",
            aliases=_words("adminlevel admlevel"),
        ),
        _ADM1,
        _ADM2,
    ),
)
ROADS = Table(
    name="roads",
    meaning="Roads and tracks people travel on.",
    shapes=("LineString",),
    located=True,
    key="road_id",
    columns=(
        Column(
            name="road_id",
            kind="id",
            required=True,
            made=True,
            meaning="Names the piece of road, each once.",
            aliases=_words("osmid roadcode linkid"),
        ),
        Column(
            name="road_class",
            kind="text",
            meaning="Class of road, as the source has it: primary, track ...",
            aliases=_words("highway fclass roadtype class"),
        ),
        Column(
            name="speed_kmh",
            kind="number",
            unit="km/h",
            minimum=0,
            lenient=True,
            meaning="Usual speed.",
            aliases=_words("speed maxspeed speedkmh speedkph"),
        ),
        Column(
            name="oneway",
            kind="flag",
            lenient=True,
            meaning="Whether one may travel only in the drawn direction.",
        ),
    ),
)
FACILITIES = Table(
    name="facilities",
    meaning="Places that serve people: hospitals, clinics, schools, rehabilitation centres.",
    shapes=("Point",),
    located=True,
    key="facility_id",
    columns=(
        Column(
            name="facility_id",
            kind="id",
            required=True,
            made=True,
            meaning="Names the facility, each once.",
            aliases=_words("facilitycode osmid hfid"),
        ),
        Column(
            name="kind",
            kind="text",
            meaning="What it is: hospital, clinic, school ...",
            aliases=_words("amenity healthcare facilitytype facilitykind"),
        ),
        Column(
            name="capacity",
            kind="number",
            minimum=0,
            lenient=True,
            meaning="Beds, seats or people served, as the source counts.",
            aliases=_words("beds capacitypersons"),
        ),
        Column(name="name", kind="text", meaning="Name of the facility.", aliases=_words("facilityname")),
    ),
)
ADMIN = Table(
    name="admin",
    meaning="Administrative areas.",
    shapes=("Polygon",),
    located=True,
    key="",
    columns=(
        Column(
            name="code",
            kind="id",
            meaning="Code of the area; text, leading zeros kept. Join on it, never on names.",
            aliases=_words(
                "adm4pcode adm3pcode admin3pcode adm2pcode admin2pcode mpioccnct adm1pcode admin1pcode "
                "dptoccdgo provcode pcode shapeid"
            ),
        ),
        _ADM1,
        _ADM2,
        Column(
            name="name",
            kind="text",
            meaning="Name of the area; two areas may bear the same.",
            aliases=_words("shapename provname"),
        ),
    ),
)

TABLES: Mapping[str, Table] = MappingProxyType(
    {table.name: table for table in (HAZARDS, POPULATION, ACCIDENTS, DISPLACEMENT, ROADS, FACILITIES, ADMIN)}
)
"""All tables that are read from files, by name."""
