"""What the policies permit: by role as docs/access.md says, less whatever an organisation forbids, and nothing else."""

from itertools import product

import pytest

pytest.importorskip("cedarpy", reason="cedarpy is not installed: the extra `server` has it")

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.server.access.deciding import Policies
from wherefrom.statements import ACTIONS, ROLES

MAY = {
    "viewer": {"read"},
    "producer": {"write"},
    "steward": {"read", "steward"},
    "auditor": {"read", "audit"},
    "admin": set(ACTIONS),
}


def ask(policies, action, *, roles=(), who="user:ada", groups=(), namespace="lake"):
    return policies.permits(who, groups=groups, roles=frozenset(roles), action=action, namespace=namespace)


@pytest.fixture(scope="module")
def ours():
    return Policies.read()


@pytest.fixture
def own(tmp_path):
    """`own("name.cedar", text)` adds a file of the organisation's and reads all."""

    def add(name, text):
        (tmp_path / name).write_text(text)
        return Policies.read(tmp_path)

    return add


def test_each_role_may_do_what_it_is_for_and_nothing_else(ours):
    for role, action in product(ROLES, ACTIONS):
        assert ask(ours, action, roles=[role]) is (action in MAY[role]), (role, action)
    for action in ACTIONS:
        assert not ask(ours, action)
        assert not ask(ours, action, roles=["owner"])


def test_roles_add_up(ours):
    assert ask(ours, "write", roles=["viewer", "producer"])
    assert ask(ours, "read", roles=["viewer", "producer"])
    assert not ask(ours, "steward", roles=["viewer", "producer"])


def test_whoever_is_no_principal_may_nothing_and_spoils_nothing_for_others(ours):
    for who in ("group:staff", "ada", "", "role:admin", "User:ada"):
        assert not ask(ours, "read", roles=["steward"], who=who)
    for who in ("user:ada", "service:etl", "anonymous", 'user:"; permit(principal,action,resource); //'):
        assert ask(ours, "read", roles=["steward"], who=who)


@pytest.mark.parametrize("namespace", ["s3://a", 'a"b', "a\\b", "a\nb", "", "💾", "x" * 100_000, "\ud800"])
def test_no_name_breaks_out_of_a_question(own, namespace):
    policies = own("hr.cedar", 'forbid (principal, action, resource) when { resource.name == "hr" };')
    assert ask(policies, "read", roles=["viewer"], namespace=namespace) is (namespace != "\ud800")
    assert not ask(policies, "write", roles=["viewer"], namespace=namespace)


def test_an_organisation_forbids_what_a_role_permits(own):
    policies = own(
        "hr.cedar",
        """
        @id("only the people department reads about people")
        forbid (principal, action, resource)
        when { resource.name like "hr/*" }
        unless { principal in Group::"group:people department" };
        """,
    )
    assert ask(policies, "read", roles=["admin"], namespace="lake")
    assert not ask(policies, "read", roles=["admin"], namespace="hr/pay")
    assert ask(policies, "read", roles=["viewer"], namespace="hr/pay", groups=["group:people department"])
    assert not ask(policies, "read", namespace="hr/pay", groups=["group:people department"])


def test_an_organisation_permits_more_and_forbid_goes_before_it(own):
    own("a.cedar", 'permit (principal is Service, action == Action::"read", resource);')
    policies = own("b.cedar", 'forbid (principal == Service::"service:old", action, resource);')
    assert ask(policies, "read", who="service:etl")
    assert not ask(policies, "read", who="service:old")
    assert not ask(policies, "read", who="user:ada")
    assert not ask(policies, "read", who="anonymous")


def test_only_ours_are_asked_about_roles_alone(own, ours):
    assert ours.is_ours
    assert not own("a.cedar", 'forbid (principal == User::"user:eve", action, resource);').is_ours


def test_a_policy_that_fails_when_it_is_asked_denies(own):
    """Cedar passes over a `forbid` that fails, and would permit by the others."""
    text = "forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };"
    assert not ask(own("a.cedar", text), "read", roles=["admin"])


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("\n\npermit (principal, action", 3, "unexpected end"),
        ('// "\npermit (principal, action, resource);\npermit it;', 3, "unexpected token"),
        ('permit (principal, action == Action::"reed", resource);', 1, "reed"),
        ("permit (principal, action, resource)\nwhen { resource.nam == 1 };", 1, "nam"),
        ("permit (principal is Robot, action, resource);", 1, "Robot"),
        ('permit (principal, action, resource)\n  when { resource.name == "a;b" };\n\n  nonsense', 4, "unexpected"),
        ("permit (principal, action, resource) when { 1 };", 1, ""),
    ],
)
def test_a_policy_that_says_nothing_sensible_is_refused_with_its_file_and_line(own, text, line, problem):
    own("a.cedar", 'permit (principal is Service, action == Action::"read", resource);')
    with pytest.raises(FormatError, match=rf"policy in wrong\.cedar, line {line}: .*{problem}"):
        own("wrong.cedar", text)


def test_a_folder_that_is_not_there_is_not_passed_over(tmp_path):
    with pytest.raises(UnavailableError):
        Policies.read(tmp_path / "missing")
    (tmp_path / "x.cedar").write_bytes(b"\xff")
    with pytest.raises(UnavailableError):
        Policies.read(tmp_path)


def test_other_files_are_none_of_its_business_and_an_own_file_never_replaces_ours(own, tmp_path):
    (tmp_path / "README.md").write_text("not a policy")
    policies = own("roles.cedar", 'forbid (principal, action == Action::"write", resource);')
    assert [name for name, _ in policies.files] == ["roles.cedar", "own/roles.cedar"]
    assert ask(policies, "read", roles=["viewer"])
    assert not ask(policies, "write", roles=["producer"])
