"""Order of use: oldest first, any name may leave, and what has left is not looked at again."""

import gc

from storage.sessions.use_order import MAX_GAP, UseOrder


def test_names_come_oldest_first_whoever_leaves() -> None:
    order = UseOrder()
    numbers = [order.add_name(name) for name in ("ana", "barbu", "cristi", "dan")]
    order.remove_number(numbers[0])
    order.remove_number(numbers[2])
    order.remove_number(numbers[2])
    assert (list(order.list_oldest(9)), list(order.list_oldest(1)), len(order)) == (
        ["barbu", "dan"],
        ["barbu"],
        2,
    )


def test_a_name_may_leave_while_the_oldest_are_listed() -> None:
    order = UseOrder()
    numbers = {name: order.add_name(name) for name in ("ana", "barbu", "cristi")}
    for name in order.list_oldest(2):
        order.remove_number(numbers[name])
    assert list(order.list_oldest(2)) == ["cristi"]


def test_numbers_that_have_left_are_passed_over_once() -> None:
    order = UseOrder()
    for number in [order.add_name("ana") for _ in range(100)]:
        order.remove_number(number)
    order.add_name("barbu")
    assert list(order.list_oldest(1)) == ["barbu"] and order.first_number == 100


def test_behind_a_name_that_stays_few_numbers_are_passed_over() -> None:
    order = UseOrder()
    order.add_name("ana")
    for number in [order.add_name("barbu") for _ in range(MAX_GAP)]:
        order.remove_number(number)
    last = order.add_name("cristi")
    assert list(order.list_oldest(2)) == ["ana", "cristi"]
    order.remove_number(last)
    order.add_name("dan")
    assert list(order.list_oldest(2)) == ["ana"]


def test_the_collector_does_not_know_its_names() -> None:
    order = UseOrder()
    order.add_name("ana")
    assert not gc.is_tracked(order.names)
