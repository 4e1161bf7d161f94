import pytest

from withhold.catalogue.fields import is_data
from withhold.catalogue.taxonomy import CATEGORIES, misspelt


@pytest.mark.parametrize(
    ("data", "meant"),
    [
        ("user.contact.emial", "user.contact.email"),
        ("user.contact.mail", "user.contact.email"),
        ("user.contact.phone", "user.contact.phone_number"),
        ("user.contacts", "user.contact"),
        ("user.device.ip_adress", "user.device.ip_address"),
    ],
)
def test_a_slip_of_the_pen_is_told(data: str, meant: str) -> None:
    assert misspelt(data) == meant


@pytest.mark.parametrize(
    "data", ["user", "user.contact.email", "user.device.push_token", "user.device.id", "user.feud"]
)
def test_a_category_and_what_extends_one_are_no_slip(data: str) -> None:
    assert misspelt(data) is None


def test_every_category_may_stand_in_a_catalogue() -> None:
    assert len(CATEGORIES) == 85
    assert all(map(is_data, CATEGORIES))
