"""Options that billing cannot serve are not shown; what leads there otherwise still gets an answer."""

import pytest

from menus.machine.menu import Menu
from menus.machine.unavailable_options import without_options_to
from tests.support.shipped_packs import shipped_menu


def menu_of(operator: str) -> Menu:
    return shipped_menu(operator)


def targets(menu: Menu, screen: str) -> dict[str, str]:
    return {
        key: option.to
        for (channel, key), option in menu.nodes[screen].options_by_key.items()
        if channel == "ussd"
    }


def test_an_option_billing_cannot_serve_is_left_out_and_other_keys_stay() -> None:
    menu = menu_of("orange-ro")
    fitted = without_options_to(menu, ["meter.show"])
    assert targets(menu, "budget") == {"1": "bill", "2": "meter.show", "3": "spending.unbilled"}
    assert targets(fitted, "budget") == {"1": "bill", "3": "spending.unbilled"}
    assert "meter.show" in fitted.nodes


@pytest.mark.parametrize(
    ("lacking", "shown"),
    [([], "8"), (["spending.payments"], "8"), (["spending.payments", "spending.unbilled"], "")],
)
def test_a_screen_that_offers_nothing_else_is_not_offered(lacking: list[str], shown: str) -> None:
    fitted = without_options_to(menu_of("orange-fr"), lacking)
    assert [key for key, to in targets(fitted, "bills").items() if to == "spending"] == [*shown]


def test_a_menu_that_lacks_nothing_stays_as_it_is() -> None:
    menu = menu_of("orange-ro")
    assert without_options_to(menu, ["no.such"]) is menu
