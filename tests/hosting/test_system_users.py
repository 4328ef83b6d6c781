"""Web users, FTP accounts and users of subdomains: rows, limits, events and what they mean on the machine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hosting_records import MakeWebspace, events

from innkeeper.core.actor import Actor
from innkeeper.core.errors import AlreadyExists, InvalidValue, LimitReached, NotAllowed, NotFound
from innkeeper.core.models import AuditEntry, OutboxEvent
from innkeeper.core.operation import planning
from innkeeper.hostd.hosting_accounts import Spec
from innkeeper.hosting.models import FTPAccount, Site, SubdomainUser, WebUser
from innkeeper.hosting.operations import (
    create_ftp_account,
    create_site,
    create_web_user,
    create_webspace,
    remove_ftp_account,
    remove_site,
    remove_web_user,
    remove_webspace,
    set_web_user_scripts,
    update_ftp_account,
    update_site,
    update_web_user,
    update_webspace,
)
from innkeeper.hosting.placement import hosting_accounts, system_users
from innkeeper.hosting.queries import find_ftp_account, find_web_user, properties_of
from innkeeper.hosting.requests import (
    Entitlements,
    FTPAccountChanges,
    HostingSettings,
    NewFTPAccount,
    NewSite,
    NewWebspace,
    NewWebUser,
    SiteChanges,
    SubdomainLogin,
    WebspaceChanges,
    WebUserChanges,
)
from innkeeper.hosting.statistics import figures_of_webspaces
from innkeeper.jobs.models import Job

PASSWORD = "Crumb-9-Tray"
HOSTING = HostingSettings("vrt_hst", {"ftp_login": "bakery", "ftp_password": PASSWORD})


@pytest.fixture
def bakery(admin: Actor, alice: Actor, webspace: MakeWebspace) -> int:
    made = webspace(admin, alice, hosting=HOSTING)
    OutboxEvent.objects.all().delete()
    Job.objects.all().delete()
    return made.pk


def jobs() -> list[Any]:
    """The webspaces that somebody asked to be placed."""
    return [json.loads(job.arguments)[0][0] for job in Job.objects.filter(task__endswith="place_hosting_task")]


def test_a_web_user_comes_changes_and_goes_with_its_events(alice: Actor, bakery: int) -> None:
    user = create_web_user(
        alice, NewWebUser(bakery, "petr", PASSWORD, quota_bytes=10, services={"php": "1", "asp": "1"})
    )
    assert user.password.startswith("{BLF-CRYPT}")
    assert user.services == {"php": True}
    update_web_user(alice, user.pk, WebUserChanges(quota_bytes=-1, services={"write_modify": "true"}))
    assert WebUser.objects.get().services == {"php": True, "write_modify": True}
    remove_web_user(alice, user.pk)
    found = events()
    assert [name for name, _ in found] == ["webuser_create", "webuser_update", "webuser_delete"]
    assert found[0][1]["new_webuser_name"] == "petr"
    assert (found[1][1]["old_hard_disk_quota"], found[1][1]["new_hard_disk_quota"]) == ("10", "-1")
    assert found[2][1] == {"old_domain_name": "bakery.example", "old_webuser_name": "petr"}
    assert PASSWORD not in repr([*OutboxEvent.objects.values_list(), *AuditEntry.objects.values_list()])
    assert jobs() == [[bakery]] * 3


def test_an_ftp_account_comes_changes_and_goes_with_its_events(alice: Actor, bakery: int) -> None:
    account = create_ftp_account(alice, NewFTPAccount(bakery, "web-team", PASSWORD, home="/httpdocs//shop/"))
    assert account.home == "httpdocs/shop"
    update_ftp_account(alice, account.pk, FTPAccountChanges(name="shop-team", may_write=False))
    remove_ftp_account(alice, account.pk)
    found = events()
    assert [name for name, _ in found] == ["ftpuser_create", "ftpuser_update", "ftpuser_delete"]
    assert (found[0][1]["new_home_directory"], found[0][1]["new_write_permission"]) == ("/httpdocs/shop", "true")
    assert (found[1][1]["old_system_user"], found[1][1]["new_system_user"]) == ("web-team", "shop-team")
    assert found[2][1] == {"old_system_user": "shop-team", "old_domain_name": "bakery.example"}
    assert jobs() == [[bakery]] * 2


def test_the_home_of_an_ftp_account_is_made_where_its_owner_may(alice: Actor, bakery: int) -> None:
    made = {"home": "/httpdocs/shop", "makes_home": True}
    account = create_ftp_account(alice, NewFTPAccount(bakery, "team", PASSWORD, **made))
    update_ftp_account(alice, account.pk, FTPAccountChanges(home="private/x", makes_home=True))
    found = Job.objects.filter(task__endswith="make_home_task").order_by("pk")
    assert [json.loads(job.arguments)[0] for job in found] == [[bakery, "httpdocs/shop"], [bakery, "private/x"]]
    for home in ("/", "conf/x", ".trash/x", "web_users/x"):
        with pytest.raises(InvalidValue, match="cannot be made there"):
            update_ftp_account(alice, account.pk, FTPAccountChanges(home=home, makes_home=True))


def test_a_subdomain_may_have_a_user_of_its_own(alice: Actor, bakery: int) -> None:
    own = SubdomainLogin("shop-user", PASSWORD, 5)
    shop = create_site(alice, NewSite("shop", parent_id=bakery, hosting=HostingSettings("vrt_hst"), own_user=own))
    assert SubdomainUser.objects.get(site=shop).password.startswith("{BLF-CRYPT}")
    values = events()[-1][1]
    assert (values["new_system_user_type"], values["new_system_user"]) == ("native", "shop-user")
    assert PASSWORD not in repr(values)
    with pytest.raises(InvalidValue, match="only a subdomain"):
        create_site(alice, NewSite("other.example", webspace_id=bakery, own_user=own))


def test_a_log_in_name_is_given_once(admin: Actor, alice: Actor, bakery: int, webspace: MakeWebspace) -> None:
    create_web_user(alice, NewWebUser(bakery, "petr"))
    create_ftp_account(alice, NewFTPAccount(bakery, "web-team", PASSWORD))
    own = SubdomainLogin("shop-user", PASSWORD)
    create_site(alice, NewSite("shop", parent_id=bakery, own_user=own))
    for login in ("bakery", "petr", "web-team", "shop-user"):
        with pytest.raises(AlreadyExists, match=f"System user {login} already exists"):
            create_web_user(alice, NewWebUser(bakery, login))
        with pytest.raises(AlreadyExists):
            create_ftp_account(alice, NewFTPAccount(bakery, login, PASSWORD))
        with pytest.raises(AlreadyExists):
            create_site(alice, NewSite("x", parent_id=bakery, own_user=SubdomainLogin(login, PASSWORD)))
        with pytest.raises(AlreadyExists):
            webspace(
                admin,
                alice,
                "x.example",
                hosting=HostingSettings("vrt_hst", {"ftp_login": login, "ftp_password": PASSWORD}),
            )
    assert Site.objects.count() == 2
    account = FTPAccount.objects.get()
    update_ftp_account(alice, account.pk, FTPAccountChanges(name="web-team"))
    with pytest.raises(AlreadyExists):
        update_ftp_account(alice, account.pk, FTPAccountChanges(name="petr"))


def test_limits_and_permissions_hold(admin: Actor, alice: Actor, bakery: int) -> None:
    def entitle(**changes: Any) -> None:
        update_webspace(admin, bakery, WebspaceChanges(entitlements=Entitlements(**changes)))

    entitle(limits={"max_wu": "1", "max_subftp_users": "0"})
    create_web_user(alice, NewWebUser(bakery, "petr"))
    with pytest.raises(LimitReached, match=r"max_wu of this webspace is reached \(1 of 1"):
        create_web_user(admin, NewWebUser(bakery, "anna"))
    with pytest.raises(LimitReached, match="max_subftp_users"):
        create_ftp_account(admin, NewFTPAccount(bakery, "web-team", PASSWORD))
    entitle(
        limits={"max_wu": "-1", "max_subftp_users": "-1"}, permissions={"manage_subftp": "0", "manage_phosting": "0"}
    )
    account = create_ftp_account(admin, NewFTPAccount(bakery, "web-team", PASSWORD))
    for refused in (
        lambda: create_web_user(alice, NewWebUser(bakery, "anna")),
        lambda: remove_web_user(alice, WebUser.objects.get().pk),
        lambda: set_web_user_scripts(alice, bakery, True),
        lambda: create_ftp_account(alice, NewFTPAccount(bakery, "other", PASSWORD)),
        lambda: update_ftp_account(alice, account.pk, FTPAccountChanges(home="x")),
        lambda: remove_ftp_account(alice, account.pk),
    ):
        with pytest.raises(NotAllowed):
            refused()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("login", {"login": "root"}),
        ("login", {"login": "Petr"}),
        ("login", {"login": "../x"}),
        ("login", {"login": "a" * 33}),
        ("password", {"password": "petr-petr"}),
        ("password", {"password": "$1$", "crypt": True}),
        ("ftp-quota", {"quota_bytes": -2}),
        ("php", {"services": {"php": "maybe"}}),
        ("ruby", {"services": {"ruby": "true"}}),
    ],
)
def test_a_bad_web_user_names_the_field(alice: Actor, bakery: int, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue) as refused:
        create_web_user(alice, NewWebUser(**{"site_id": bakery, "login": "petr"} | changes))
    assert refused.value.field == field
    assert not WebUser.objects.exists()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": "ROOT"}),
        ("password", {"password": ""}),
        ("home", {"home": "/../../etc"}),
        ("home", {"home": "a\nb"}),
        ("home", {"home": "x" * 300}),
        ("quota", {"quota_bytes": 2**63}),
    ],
)
def test_a_bad_ftp_account_names_the_field(alice: Actor, bakery: int, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue) as refused:
        create_ftp_account(
            alice, NewFTPAccount(**{"webspace_id": bakery, "name": "team", "password": PASSWORD} | changes)
        )
    assert refused.value.field == field


def test_what_has_no_hosting_takes_nobody(admin: Actor, alice: Actor, bakery: int, webspace: MakeWebspace) -> None:
    plain = webspace(admin, alice, "plain.example")
    shop = create_site(alice, NewSite("shop", parent_id=bakery, hosting=HostingSettings("vrt_hst")))
    for site_id in (plain.pk, shop.pk):
        with pytest.raises(InvalidValue, match="no virtual hosting"):
            create_web_user(alice, NewWebUser(site_id, "petr"))
    with pytest.raises(InvalidValue, match="no virtual hosting"):
        create_ftp_account(alice, NewFTPAccount(plain.pk, "team", PASSWORD))


def test_a_strangers_user_is_a_missing_one(alice: Actor, charlie: Actor, bakery: int) -> None:
    user = create_web_user(alice, NewWebUser(bakery, "petr"))
    account = create_ftp_account(alice, NewFTPAccount(bakery, "team", PASSWORD))
    for pk in (user.pk, 10**30, 0):
        with pytest.raises(NotFound, match="Web user does not exist"):
            find_web_user(charlie, pk)
        with pytest.raises(NotFound, match="FTP account does not exist"):
            find_ftp_account(charlie, account.pk if pk == user.pk else pk)
    with pytest.raises(NotFound):
        create_web_user(charlie, NewWebUser(bakery, "eve"))


def test_a_plan_makes_no_user_and_no_job(alice: Actor, bakery: int) -> None:
    with planning() as plan:
        create_web_user(alice, NewWebUser(bakery, "petr", PASSWORD))
    assert [(change.object_type, change.object_name) for change in plan.changes] == [("webuser", "petr")]
    assert not WebUser.objects.exists()
    assert jobs() == []


def test_the_rows_mean_accounts_on_the_machine(admin: Actor, alice: Actor, bakery: int, webspace: MakeWebspace) -> None:
    virtual = HostingSettings("vrt_hst", {"write_modify": "true"})
    petr = create_web_user(alice, NewWebUser(bakery, "petr", services={"write_modify": "1"}))
    team = create_ftp_account(alice, NewFTPAccount(bakery, "team", PASSWORD))
    own = SubdomainLogin("shop-user", PASSWORD)
    shop = create_site(alice, NewSite("shop", parent_id=bakery, hosting=virtual, own_user=own))
    deep = create_site(alice, NewSite("a", parent_id=shop.pk, hosting=HostingSettings("vrt_hst")))
    create_site(alice, NewSite("mail-only", parent_id=bakery))
    cakes = HostingSettings("vrt_hst", {"www_root": "/cakes.example/"})
    addon = create_site(alice, NewSite("cakes.example", webspace_id=bakery, hosting=cakes))
    framed = webspace(admin, alice, "framed.example", hosting=HostingSettings("frm_fwd", url="http://a.example"))
    create_site(alice, NewSite("x", parent_id=framed.pk, hosting=HostingSettings("vrt_hst")))
    webspace(admin, alice, "plain.example")
    webspace(admin, alice, "away.example", hosting=HostingSettings("std_fwd", url="http://a.example"))
    specs = [
        Spec("domain", bakery, bakery, bakery, "bakery.example"),
        Spec("subdomain", deep.pk, bakery, bakery, "bakery.example", "a.shop"),
        Spec("subdomain", shop.pk, bakery, bakery, "bakery.example", "shop", native=True, writable=True),
        Spec("webuser", petr.pk, bakery, bakery, "bakery.example", "petr", writable=True),
        Spec("domain", addon.pk, bakery, addon.pk, "cakes.example", www_root="cakes.example"),
        Spec("domain", framed.pk, framed.pk, framed.pk, "framed.example", hosting="frame"),
    ]
    assert hosting_accounts() == specs
    assert hosting_accounts([bakery]) == specs[:5]
    assert hosting_accounts([]) == []
    assert set(system_users(specs, [bakery, framed.pk])) == {
        f"s{bakery}", f"s{bakery}-web", f"d{shop.pk}", f"d{shop.pk}-web", f"s{addon.pk}-web", f"u{petr.pk}",
        f"f{team.pk}", f"s{framed.pk}", f"s{framed.pk}-web",
    }  # fmt: skip
    update_site(alice, shop.pk, SiteChanges(name="elsewhere.example"))
    assert hosting_accounts([bakery])[1:3] == [
        Spec("subdomain", deep.pk, bakery, bakery, "bakery.example", "_a.elsewhere.example"),
        Spec("subdomain", shop.pk, bakery, bakery, "bakery.example", "_elsewhere.example", native=True, writable=True),
    ]


def test_a_document_root_is_taken_as_it_is_shown_and_stays_in_its_sites_tree(alice: Actor, bakery: int) -> None:
    shop = create_site(alice, NewSite("shop", parent_id=bakery, hosting=HostingSettings("vrt_hst")))
    for sent, shown in (("/a/b/", "a/b"), ("httpdocs/x", "httpdocs/x"), ("/httpdocs", "httpdocs"), ("", "httpdocs")):
        for site in (bakery, shop.pk):
            update_site(alice, site, SiteChanges(hosting=HostingSettings("vrt_hst", {"www_root": sent})))
            (found,) = properties_of([Site.objects.select_related("webspace").get(pk=site)]).values()
            assert found["www_root"].endswith(f"/{shown}")
            update_site(alice, site, SiteChanges(hosting=HostingSettings("vrt_hst", {"www_root": found["www_root"]})))
            (again,) = properties_of([Site.objects.select_related("webspace").get(pk=site)]).values()
            assert again["www_root"] == found["www_root"]
    for wrong in (
        "../x",
        "a/../..",
        ".trash",
        "conf",
        "subdomains/x",
        "logs/",
        "a\tb",
        "a/ b",
        "/".join("x" * 17),
        "x" * 256,
    ):
        with pytest.raises(InvalidValue, match="www_root"):
            update_site(alice, bakery, SiteChanges(hosting=HostingSettings("vrt_hst", {"www_root": wrong})))


def test_each_operation_asks_for_what_it_changes(admin: Actor, alice: Actor, bakery: int) -> None:
    shop = create_site(alice, NewSite("shop", parent_id=bakery, hosting=HostingSettings("vrt_hst")))
    update_site(alice, shop.pk, SiteChanges(name="store.bakery.example"))
    update_site(alice, shop.pk, SiteChanges(hosting=HostingSettings("none")))
    remove_site(alice, shop.pk)  # there is nothing any more
    assert jobs() == [[bakery]] * 3
    update_webspace(admin, bakery, WebspaceChanges(name="rolls.example"))
    remove_webspace(admin, bakery)
    assert jobs() == [[bakery]] * 5
    made = create_webspace(admin, NewWebspace("plain.example", owner_id=alice.account_id))
    update_webspace(admin, made.pk, WebspaceChanges(name="simple.example"))
    remove_webspace(admin, made.pk)
    assert jobs() == [[bakery]] * 5


def test_web_users_are_counted(alice: Actor, bakery: int) -> None:
    for login in ("petr", "anna"):
        create_web_user(alice, NewWebUser(bakery, login))
    assert figures_of_webspaces([bakery])[bakery].web_users == 2


def test_a_removed_webspace_takes_its_users_with_their_events(admin: Actor, alice: Actor, bakery: int) -> None:
    create_web_user(alice, NewWebUser(bakery, "petr"))
    create_ftp_account(alice, NewFTPAccount(bakery, "team", PASSWORD))
    OutboxEvent.objects.all().delete()
    remove_webspace(admin, bakery)
    assert [name for name, _ in events()][:2] == ["ftpuser_delete", "webuser_delete"]
    assert not WebUser.objects.exists() and not FTPAccount.objects.exists()


def test_scripts_of_web_users_are_a_setting_of_their_site(alice: Actor, bakery: int) -> None:
    set_web_user_scripts(alice, bakery, True)
    site = Site.objects.select_related("webspace__site").get(pk=bakery)
    assert properties_of([site])[bakery]["wu_script"] == "true"
