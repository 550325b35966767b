"""Codes of states and provinces for shops that write them in full. ISO 3166-2, without the country's part."""

from __future__ import annotations

_NAMES = {
    "US": (
        "AL Alabama, AK Alaska, AZ Arizona, AR Arkansas, CA California, CO Colorado, CT Connecticut, DE Delaware, "
        "DC District of Columbia, FL Florida, GA Georgia, HI Hawaii, ID Idaho, IL Illinois, IN Indiana, IA Iowa, "
        "KS Kansas, KY Kentucky, LA Louisiana, ME Maine, MD Maryland, MA Massachusetts, MI Michigan, MN Minnesota, "
        "MS Mississippi, MO Missouri, MT Montana, NE Nebraska, NV Nevada, NH New Hampshire, NJ New Jersey, "
        "NM New Mexico, NY New York, NC North Carolina, ND North Dakota, OH Ohio, OK Oklahoma, OR Oregon, "
        "PA Pennsylvania, RI Rhode Island, SC South Carolina, SD South Dakota, TN Tennessee, TX Texas, UT Utah, "
        "VT Vermont, VA Virginia, WA Washington, WV West Virginia, WI Wisconsin, WY Wyoming, AS American Samoa, "
        "GU Guam, MP Northern Mariana Islands, PR Puerto Rico, VI Virgin Islands, AA Armed Forces Americas, "
        "AE Armed Forces Europe, AE Armed Forces Africa, AE Armed Forces Canada, AE Armed Forces Middle East, "
        "AP Armed Forces Pacific"
    ),
    "CA": (
        "AB Alberta, BC British Columbia, MB Manitoba, NB New Brunswick, NL Newfoundland and Labrador, "
        "NT Northwest Territories, NS Nova Scotia, NU Nunavut, ON Ontario, PE Prince Edward Island, QC Quebec, "
        "SK Saskatchewan, YT Yukon"
    ),
    "AU": (
        "ACT Australian Capital Territory, NSW New South Wales, NT Northern Territory, QLD Queensland, "
        "SA South Australia, TAS Tasmania, VIC Victoria, WA Western Australia"
    ),
}
_CODES = {
    country: {name.casefold(): code for code, _, name in (one.partition(" ") for one in names.split(", "))}
    for country, names in _NAMES.items()
}


def region_code(country: str, region: str) -> str:
    """The code of a region named in full, in any case; what is not known, and what is a code already, as it is."""
    return _CODES.get(country.upper(), {}).get(region.strip().casefold(), region)
