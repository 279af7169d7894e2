"""What a person's server makes of its remote storage, for rclone and the AWS tools."""

import configparser
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from jupytercloud_hub.profiles.catalogue import Profile
from jupytercloud_hub.profiles.remotes import REMOTES_VARIABLE, Remote
from jupytercloud_hub.spawners import inside

S3 = {"name": "data", "kind": "s3", "url": "https://s3.example.fr", "region": "eu-1"}
DAV = {"name": "cloud", "kind": "webdav", "url": "https://cloud.example.fr/dav/{username}/", "vendor": "nextcloud"}


def told(*remotes: dict[str, str]) -> dict[str, str]:
    return {REMOTES_VARIABLE: json.dumps([Remote(**each).public("marie") for each in remotes])}


def test_rclone_and_the_aws_tools_know_the_remotes_and_ask_for_credentials_when_they_need_them(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), **told(S3, DAV)}
    assert inside.set_up(environment, tmp_path) == ["data", "cloud"]
    assert environment["RCLONE_CONFIG_CLOUD_TYPE"] == "webdav"
    assert environment["RCLONE_CONFIG_CLOUD_URL"] == "https://cloud.example.fr/dav/marie/"
    assert environment["RCLONE_CONFIG_CLOUD_BEARER_TOKEN_COMMAND"].endswith("inside.credentials cloud")
    assert environment["RCLONE_CONFIG_DATA_ENDPOINT"] == "https://s3.example.fr"
    config = configparser.ConfigParser()
    config.read(environment["AWS_CONFIG_FILE"])
    assert config.sections() == ["default", "profile data"]
    assert config["profile data"]["endpoint_url"] == "https://s3.example.fr"
    assert config["profile data"]["region"] == "eu-1"
    assert config["profile data"]["credential_process"] == inside.command("data")


def test_what_a_person_set_up_herself_stays(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\n")
    environment = {"HOME": str(tmp_path), "RCLONE_CONFIG_CLOUD_TYPE": "local", **told(S3, DAV)}
    inside.set_up(environment, tmp_path)
    assert environment["RCLONE_CONFIG_CLOUD_TYPE"] == "local"
    assert "AWS_CONFIG_FILE" not in environment
    assert Path(environment["JUPYTERCLOUD_AWS_CONFIG_FILE"]).exists()


@pytest.mark.parametrize("value", ["", "no json", "{}", "[1]"])
def test_a_server_without_remotes_is_left_alone(value: str, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), REMOTES_VARIABLE: value}
    assert inside.set_up(environment, tmp_path) == []
    assert sorted(environment) == ["HOME", REMOTES_VARIABLE]


def test_it_needs_nothing_but_python_inside_the_server() -> None:
    code = "import sys; import jupytercloud_hub.spawners.inside.credentials; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "jupyterhub", "tornado", "httpx"} & set(loaded)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"url": "http://s3.example.fr"}, "https://"),
        ({"url": "https://me:secret@s3.example.fr"}, "without user, password"),
        ({"duration": "1 min"}, "greater than or equal"),
        ({"kind": "webdav", "role": "arn:aws:iam::123456789012:role/x"}, "for kind: s3"),
        ({"kind": "webdav", "trusts": "id"}, "access token"),
        ({"name": "Data"}, "pattern"),
    ],
)
def test_a_remote_that_would_leak_or_fail_is_refused_in_the_settings(change: dict[str, str], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        TypeAdapter(Remote).validate_python({**S3, **change})


def test_two_remotes_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="stands here twice"):
        Profile(name="lab", title="Lab", remotes=[S3, {**DAV, "name": "data"}])
