# ruff: noqa: RUF001 - spaces and words of many languages are what is tested

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from ccm_geo.io import delimited, values
from ccm_geo.io.personal import drop_personal, is_personal


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1200", "3.5"], [1200, 3.5]),
        (["1 200", "1\u00a0200,5", "1'200"], [1200, 1200.5, 1200]),
        (["1,200", "12,345,678"], [1200, 12345678]),
        (["1,5", "1,200"], [1.5, 1.2]),
        (["1.200,5", "1.200.300"], [1200.5, 1200300]),
        (["12 %", "-3", "1e3"], [0.12, -3, 1000]),
        (["n/a", "-", "NULL", "", None], [np.nan] * 5),
    ],
)
def test_numbers_are_read_with_any_grouping(texts, numbers):
    found = values.numbers(pd.Series(texts))
    assert found.read.tolist() == pytest.approx(numbers, nan_ok=True)
    assert not found.unread.any()


def test_words_are_not_numbers():
    assert values.numbers(pd.Series(["many", "12"])).unread.tolist() == [True, False]


def test_commas_taken_for_thousands_are_told():
    assert values.numbers(pd.Series(["1,200"])).assumed == "commas are read as thousands"


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["2024-05-01", "2024-05-01T10:00:00Z", "2024-05-01 23:59"], ["2024-05-01"] * 3),
        (["31.12.2024", "01.02.2024"], ["2024-12-31", "2024-02-01"]),
        (["12/31/2024", "02/01/2024"], ["2024-12-31", "2024-02-01"]),
        (["3 May 2024", "03-May-24", "May 3, 2024"], ["2024-05-03"] * 3),
        (["2019", "2020.0"], ["2019-01-01", "2020-01-01"]),
    ],
)
def test_dates_are_read_as_people_write_them(texts, days):
    found = values.dates(pd.Series(texts))
    assert found.read.dt.strftime("%Y-%m-%d").tolist() == days
    assert not found.unread.any()


def test_whether_day_or_month_stands_first_is_told_where_the_column_does_not_show_it():
    found = values.dates(pd.Series(["03/04/2024"]))
    assert found.read[0] == pd.Timestamp("2024-04-03")
    assert found.assumed == "day before month is assumed in dates such as 03/04/2024"


def test_impossible_days_are_unread():
    assert values.dates(pd.Series(["2024-02-30", "31.13.2024", "0001-01-01", "soon"])).unread.all()


def test_dates_in_memory_lose_their_zone():
    aware = pd.Series(pd.to_datetime(["2024-05-01T00:00:00+02:00"]))
    assert values.dates(aware).read[0] == pd.Timestamp("2024-04-30 22:00")
    assert values.dates(pd.Series([dt.date(2024, 5, 1)])).read[0] == pd.Timestamp("2024-05-01")


def test_flags_without_blanks_are_plain_booleans():
    found = values.flags(pd.Series(["Yes", "0", "SI"]))
    assert found.read.dtype == bool
    assert found.read.tolist() == [True, False, True]
    assert values.flags(pd.Series(["perhaps"])).unread.all()


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_delimiter_and_the_encoding_are_found(delimiter, encoding):
    text = f'code{delimiter}Название{delimiter}"a, b; c"\n05001{delimiter}Нове{delimiter}"x, y; z"\n'
    frame, remarks = delimited.read_csv(text.encode(encoding), "t.csv")
    assert frame.to_dict("list") == {"code": ["05001"], "Название": ["Нове"], "a, b; c": ["x, y; z"]}
    assert remarks == []


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_any_machine_ends_them(ending):
    assert len(delimited.read_csv(ending.join(["a,b", "1,2", "3,4", ""]).encode(), "t.csv")[0]) == 2


def test_a_decimal_comma_is_not_taken_for_the_delimiter():
    frame, _ = delimited.read_csv(b"lon;lat\n18,5;44,1\n18,6;44,2\n", "t.csv")
    assert frame.columns.tolist() == ["lon", "lat"]


def test_windows_1252_is_read_and_told():
    frame, remarks = delimited.read_csv("name\nMambéré–Kadéï\n".encode("cp1252"), "t.csv")
    assert frame["name"][0] == "Mambéré–Kadéï"
    assert "read as Windows-1252" in remarks[0]


def test_latin_1_is_the_last_resort():
    frame, remarks = delimited.read_csv(b"name\nKad\xe9\x81\n", "t.csv")
    assert frame["name"][0].startswith("Kadé")
    assert "read as Latin-1" in remarks[0]


def test_the_hxl_row_is_left_out_and_told():
    frame, remarks = delimited.read_csv(b"code,people\n#adm1+code,#population\nCF11,5\n", "t.csv")
    assert frame.to_dict("list") == {"code": ["CF11"], "people": ["5"]}
    assert remarks == ["the second line holds HXL tags and is left out"]


def test_empty_lines_at_the_end_and_nameless_empty_columns_are_no_records():
    frame, _ = delimited.read_csv(b"a,b,\n1,2,\n,,\n3,4,\n,,\n,,\n", "t.csv")
    assert frame.columns.tolist() == ["a", "b"]
    assert len(frame) == 3


def test_a_line_that_does_not_fit_says_so():
    with pytest.raises(ValueError, match=r"t\.csv: a line does not fit the header .* line 3"):
        delimited.read_csv(b"a,b\n1,2\n1,2,3\n", "t.csv")
    with pytest.raises(ValueError, match=r"t\.csv: the file is empty"):
        delimited.read_csv(b"", "t.csv")


PERSONAL = """
    victim_name, VictimName, nombre_victima, Nombre de la víctima, vi_name, nom_victime,
    nome da vítima, first_name, name of victim, Last Name, surname, apellidos, Prénom, sobrenome,
    Прізвище, Фамилия, ФИО, ПІБ, اسم الضحية, dob, prezime, date_of_birth, birth_date,
    Fecha de nacimiento, date de naissance, data de nascimento, Дата рождения, Дата народження,
    تاريخ الميلاد, address, Home Address, dirección, adresse, endereço, Адрес, Адреса, العنوان,
    phone, phone_number, Teléfono, téléphone, телефон, هاتف, e-mail, email, national_id,
    passport no, cédula, DNI, JMBG, contact_person, owner_name, victim, Пострадавший, victim_nam,
    date_of_bi
"""
HARMLESS = """
    place_name, hazard_name, village name, Унормована назва, nombre_municipio, settlement,
    shapeName, MPIO_CNMBR, victims, killed, injured, vi_gender, vi_age_accident,
    victims_last_6months, activity, hazard_id, id_number, organisation_name, status,
    direct evidence, telecom_tower, namespace, accident_id, surveyed_on, coordinates
"""


def headings(text):
    return [heading.strip() for heading in text.replace("\n", " ").split(",")]


@pytest.mark.parametrize("heading", headings(PERSONAL))
@pytest.mark.parametrize("table", ["hazards", "accidents", "population"])
def test_headings_of_persons_are_known_in_every_table(heading, table):
    assert is_personal(heading, table)


@pytest.mark.parametrize("heading", headings(HARMLESS))
@pytest.mark.parametrize("table", ["hazards", "accidents", "population"])
def test_headings_of_places_and_counts_stay(heading, table):
    assert not is_personal(heading, table)


def test_a_bare_name_among_accidents_is_taken_for_a_victims():
    frame = pd.DataFrame({"name": ["x"], "Nombre": ["y"], "village_name": ["z"]})
    assert drop_personal(frame, "accidents")[1] == ["name", "Nombre"]
    assert drop_personal(frame, "facilities")[1] == []
