from ruamel.yaml import YAML

from tests.support import ROOT
from tests.support.engines_kubernetes import LEAST_RULES


def test_role_that_is_shipped_is_the_one_that_the_spawner_is_tested_with() -> None:
    with (ROOT / "config" / "kubernetes" / "hub-role.yaml").open() as file:
        shipped = {entry["kind"]: entry for entry in YAML(typ="safe").load_all(file)}
    assert shipped["Role"]["rules"] == list(LEAST_RULES)
    assert shipped["RoleBinding"]["roleRef"]["name"] == shipped["Role"]["metadata"]["name"]
    assert shipped["RoleBinding"]["subjects"][0]["name"] == shipped["ServiceAccount"]["metadata"]["name"]
