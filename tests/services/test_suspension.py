"""A suspended customer, webspace or site: no mail, no log-in, at once; and everything back as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from services.mail_clients import refusal
from services.packets import PacketRefused
from services.private import Account, PrivateInstance, Site, xml

ACTIVE, BY_ADMINISTRATOR = 0, 16


@pytest.fixture
def customer(instance: PrivateInstance) -> int:
    return instance.customer(Site.fresh_name("alice").removesuffix(".test"))


@pytest.fixture
def main(instance: PrivateInstance, customer: int) -> Site:
    """The customer's webspace."""
    return instance.webspace(Site.fresh_name("space"), customer)


def set_customer_status(instance: PrivateInstance, customer: int, status: int) -> None:
    values = f"<values><gen_info>{xml('status', status)}</gen_info></values>"
    instance.panel.result(f"<customer><set><filter>{xml('id', customer)}</filter>{values}</set></customer>")


def check(switch: Callable[[int], None], *accounts: Account, untouched: Account) -> None:
    """Suspend and resume; every account follows, at once, and the untouched one does not."""
    instance = untouched.site.instance
    for account in accounts:
        instance.send("bob@peer.invalid", account.address, "Before")
    switch(BY_ADMINISTRATOR)
    for account in accounts:
        code, text = refusal(instance.ports["smtp"], account.address)
        assert (code, text.endswith("This server takes no mail for the domain")) == (554, True)
        assert not account.logs_in()
    assert instance.takes(untouched.address)
    assert untouched.logs_in()
    switch(ACTIVE)
    for account in accounts:
        assert instance.takes(account.address)
        assert account.subjects() == ["Before"]


def test_a_suspended_site_stops_its_own_mail_alone(instance: PrivateInstance, main: Site) -> None:
    addon = instance.site(Site.fresh_name("addon"), main)
    check(lambda status: addon.set_status("site", status), addon.account("bob"), untouched=main.account("alice"))


def test_a_suspended_webspace_stops_all_its_sites(instance: PrivateInstance, main: Site, charlie: Account) -> None:
    addon = instance.site(Site.fresh_name("addon"), main)
    check(
        lambda status: main.set_status("webspace", status),
        main.account("alice"),
        addon.account("bob"),
        untouched=charlie,
    )


def test_a_suspended_customer_stops_all_his_webspaces(
    instance: PrivateInstance, main: Site, customer: int, charlie: Account
) -> None:
    second = instance.webspace(Site.fresh_name("space"), customer)
    check(
        lambda status: set_customer_status(instance, customer, status),
        main.account("alice"), second.account("bob"), untouched=charlie,
    )  # fmt: skip


def test_a_site_that_was_suspended_for_itself_stays_so_when_its_customer_comes_back(
    instance: PrivateInstance, main: Site, customer: int
) -> None:
    addon = instance.site(Site.fresh_name("addon"), main)
    bob = addon.account("bob")
    addon.set_status("site", BY_ADMINISTRATOR)
    set_customer_status(instance, customer, BY_ADMINISTRATOR)
    set_customer_status(instance, customer, ACTIVE)
    assert not instance.takes(bob.address)
    addon.set_status("site", ACTIVE)
    assert instance.takes(bob.address)


@pytest.fixture
def redirected(main: Site, charlie: Account) -> Iterator[str]:
    """An alias and a redirect of the customer's to somebody else."""
    settings = f"<forwarding><enabled>true</enabled>{xml('address', charlie.address)}</forwarding><alias>sales</alias>"
    main.account("out", settings, mailbox="")
    return main.address("sales")


def test_redirects_and_aliases_of_a_suspended_webspace_pass_nothing_on(
    instance: PrivateInstance, main: Site, redirected: str
) -> None:
    assert instance.takes(redirected)
    main.set_status("webspace", BY_ADMINISTRATOR)
    assert not instance.takes(redirected)


def test_a_suspended_customers_own_packets_are_refused(instance: PrivateInstance, customer: int) -> None:
    set_customer_status(instance, customer, BY_ADMINISTRATOR)
    login = instance.sql(f"SELECT login FROM accounts_account WHERE id = {customer}")[0][0]
    from services.packets import Panel
    from services.private import PASSWORD

    with pytest.raises(PacketRefused) as refused:
        Panel(instance.ports["panel"], login, PASSWORD).packet("<mail><get_prefs><filter/></get_prefs></mail>")
    assert refused.value.code == 1011
