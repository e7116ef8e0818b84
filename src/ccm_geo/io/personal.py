"""Personal data of victims stays outside: columns that by their heading hold it are dropped at the door.

The heading alone decides. A column of places, such as the name of a village or of a hazard, stays.
"""

# ruff: noqa: RUF001, SIM905 - words of many scripts, and lists of words read best as words

import re
import unicodedata

import pandas as pd

_SPLIT = re.compile(r"(?<=[a-zа-яё0-9])(?=[A-ZА-ЯЁ])|[^\w]+|_+")

# Headings that always speak of a person, reduced to letters; a heading that contains one is dropped.
_TELLING = tuple(
    """
    firstname lastname surname familyname givenname middlename maidenname fathername mothername
    fathersname mothersname nickname victimname namevictim nameofvictim personname survivorname casualtyname
    dateofbirth birthdate birthday placeofbirth dateborn datebirth bornon yearofbirth birthyear
    phonenumber phoneno mobilenumber mobileno mobilephone telephone cellphone whatsapp homeaddress
    emailaddress nationalid passport identitycard identitynumber personalnumber socialsecurity tazkira cnic
    nombrevictima nombredelavictima nombresyapellidos apellido fechanacimiento fechadenacimiento
    lugardenacimiento cedula numerodocumento documentoidentidad documentodeidentidad pasaporte
    nomvictime nomdelavictime nomdefamille prenom datenaissance datedenaissance lieudenaissance
    passeport carteidentite
    nomevitima nomedavitima sobrenome apelido datanascimento datadenascimento bilhetedeidentidade
    prezime jmbg datumrodjenja datumrođenja
    фамилия отчество датарождения годрождения местожительства паспорт
    прізвище побатькові датанародження рікнародження місцепроживання
    تاريخالميلاد تاريخالولادة رقمالهاتف رقمالهوية جوازالسفر اسمالضحية
    """.split()
)
# Words that are personal wherever they stand in a heading.
_WORDS = frozenset(
    """
    dob birth born nacimiento naissance nascimento rođenja rodjenja рождения народження الميلاد ميلاد الولادة
    phone tel telefono telefone telefon телефон هاتف الهاتف تلفن
    email mail correo courriel почта contact contacts contacto reportedby
    address addresses direccion domicilio adresse endereco morada adresa адрес адреса عنوان العنوان آدرس
    dni ssn nin curp фио піб signature
    """.split()
)
# Words for one person; alone in a heading they stand for the name ("victims" may count them).
_ONE_PERSON = frozenset(
    """
    victim victima victime vitima survivor sobreviviente survivant sobrevivente deminer informant interviewee
    respondent owner propietario proprietaire father mother padre madre mere guardian spouse wife husband
    patient пострадавший потерпевший жертва потерпілий постраждалий ضحية الضحية المصاب
    """.split()
)
_PERSONS = _ONE_PERSON | frozenset(
    """
    victims victimas victimes vitimas survivors vi casualty person persona personne pessoa beneficiary
    beneficiario pere parent injured deceased жертвы
    """.split()
)
_NAMES = frozenset("name names nombre nombres nom noms nome nomes ime имя імя اسم الاسم نام".split())
_PLACES = frozenset(
    """
    place site location settlement village town city hamlet community camp municipality municipio district
    province department departamento vereda region country state county governorate oblast raion hromada
    admin adm adm0 adm1 adm2 adm3 adm4 admin0 admin1 admin2 admin3 hazard area minefield facility hospital
    school road organisation organization operator org operation agency device ordnance file dataset layer
    project task lugar lieu commune village local sector island river shape
    """.split()
)
_CUT = 10  # a shapefile keeps so many letters of a heading


def drop_personal(
    frame: pd.DataFrame, table: str, keep: frozenset[str] = frozenset()
) -> tuple[pd.DataFrame, list[str]]:
    """Leave out the columns whose heading says that they hold personal data.

    Parameters
    ----------
    frame
        Any table.
    table
        Its name: among accidents, a bare ``name`` is taken for a victim's.
    keep
        Columns that hold the geometry or coordinates.

    Returns
    -------
    pandas.DataFrame, list of str
        The table without them, and their headings.

    Examples
    --------
    >>> people = pd.DataFrame(columns=["victim_name", "Fecha de nacimiento", "village_name", "name"])
    >>> drop_personal(people, "accidents")[1]
    ['victim_name', 'Fecha de nacimiento', 'name']
    >>> drop_personal(people, "hazards")[1]
    ['victim_name', 'Fecha de nacimiento']
    """
    found = [name for name in frame.columns if name not in keep and is_personal(str(name), table)]
    return frame.drop(columns=found), [str(name) for name in found]


def is_personal(heading: str, table: str) -> bool:
    """Tell whether a heading speaks of a person's name, birth, address, number or contact."""
    split = _words(heading)
    joined = "".join(split)
    words = {*split, joined}
    cut = len(heading) == _CUT and len(joined) >= _CUT - 2
    if words & _WORDS or any(one in joined or (cut and one.startswith(joined)) for one in _TELLING):
        return True
    if joined in _ONE_PERSON:
        return True
    if not words & _NAMES:
        return False
    return bool(words & _PERSONS) or (table == "accidents" and not words & _PLACES)


def _words(heading: str) -> list[str]:
    """Split a heading at spaces, marks and humps, without the accents of Latin letters."""
    parts = [part.casefold() for part in _SPLIT.split(heading) if part]
    return [_bare(part) for part in parts]


def _bare(word: str) -> str:
    kept: list[str] = []
    for mark in unicodedata.normalize("NFD", word):
        if unicodedata.combining(mark) and kept and kept[-1].isascii():
            continue
        kept.append(mark)
    return unicodedata.normalize("NFC", "".join(kept))
