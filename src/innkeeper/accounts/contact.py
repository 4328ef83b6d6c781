"""Contact data of an account: which fields there are and what each may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping

from innkeeper.core.errors import InvalidValue

LENGTHS = {
    "contact_name": 60,
    "company_name": 60,
    "phone": 30,
    "fax": 30,
    "email": 255,
    "street_address": 255,
    "city": 50,
    "state": 25,
    "postal_code": 10,
    "country": 2,
    "locale": 16,
    "external_id": 255,
    "description": 4096,
}
REQUIRED = frozenset({"contact_name"})
EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}")
LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# ISO 3166-1, two letters.
_CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(_CODES.split())


def clean(values: Mapping[str, str]) -> dict[str, str]:
    """The given contact fields, checked. Raises InvalidValue that names the field, what is wrong and what to do."""
    # A description is text that its owner laid out.
    result = {name: value if name == "description" else value.strip() for name, value in values.items()}
    for name, value in result.items():
        if name in REQUIRED and not value:
            raise InvalidValue(f"{name}: it is empty. Give a name.", field=name)
        if len(value) > LENGTHS[name]:
            raise InvalidValue(f"{name}: it has {len(value)} characters. Use at most {LENGTHS[name]}.", field=name)
        if CONTROL.search(value):
            raise InvalidValue(f"{name}: it holds control characters. Leave them out.", field=name)
    if (email := result.get("email")) and not EMAIL.fullmatch(email):
        raise InvalidValue(f"email: {email!r} is not a mail address. Give one such as name@example.com.", field="email")
    if country := result.get("country"):
        result["country"] = country.upper()
        if result["country"] not in COUNTRIES:
            raise InvalidValue(
                f"country: {country!r} is not a country. Give its two letters by ISO 3166, such as DE.", field="country"
            )
    if (locale := result.get("locale")) and not LOCALE.fullmatch(locale):
        raise InvalidValue(f"locale: {locale!r} is not a language. Give a code such as en or en-US.", field="locale")
    return result
