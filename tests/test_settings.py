from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sayso.settings import (
    EndpointBucket,
    FolderBucket,
    ServiceSettings,
    Settings,
    SettingsError,
    load_service_settings,
)

SECRET = "hush-hush"
ARCHIVE = {"endpoint": "https://s3.example.org", "access_key": "AK", "secret_key": SECRET}


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(f"SAYSO_{name.upper()}", raising=False)


def refused(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(f"SAYSO_{name.upper()}", value)
    with pytest.raises(SettingsError) as caught:
        load_service_settings()
    return str(caught.value)


def test_the_service_is_for_this_machine_unless_told_otherwise() -> None:
    settings = load_service_settings()
    assert (settings.host, settings.port, settings.tls_cert) == ("127.0.0.1", 8080, None)
    assert settings.buckets == {}
    with pytest.raises(ValidationError):
        settings.port = 1


def test_what_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYSO_PORT", "1234")
    monkeypatch.setenv("SAYSO_HOST", "")
    assert load_service_settings().port == 1234
    settings = load_service_settings(port=0, host=None)
    assert (settings.port, settings.host) == (0, "127.0.0.1")


def test_buckets_are_folders_or_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"photos": {"folder": "pictures"}, "archive": {**ARCHIVE, "bucket": "archive-2027"}}
    monkeypatch.setenv("SAYSO_BUCKETS", json.dumps(given))
    settings = load_service_settings()
    photos, archive = settings.buckets["photos"], settings.buckets["archive"]
    assert photos == FolderBucket(folder=Path("pictures"))
    assert isinstance(archive, EndpointBucket)
    assert (archive.region, archive.bucket) == ("us-east-1", "archive-2027")
    assert archive.secret_key.get_secret_value() == SECRET
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)


@pytest.mark.parametrize(
    ("buckets", "told"),
    [
        (SECRET, "it is no JSON object"),
        ([SECRET], "valid dictionary"),
        ({"a": SECRET}, "a: A bucket is an object with either a folder or an endpoint"),
        ({"a": {**ARCHIVE, "folder": "x"}}, "either a folder or an endpoint"),
        ({"a": {"folder": "x", "secret_key": SECRET}}, "Extra inputs are not permitted"),
        ({"a": {**ARCHIVE, "endpoint": f"https://u:{SECRET}@x"}}, "no credentials in it"),
        ({"a": {**ARCHIVE, "endpoint": f"ftp://{SECRET}"}}, "an address such as"),
        ({"a": {**ARCHIVE, "access_key": [SECRET]}}, "access_key: Input should be a valid string"),
        ({"a": {**ARCHIVE, "secret_key": [SECRET]}}, "secret_key: Input should be a valid string"),
    ],
)
def test_a_bucket_that_cannot_be_is_told_without_its_secret(
    monkeypatch: pytest.MonkeyPatch, buckets: Any, told: str
) -> None:
    value = buckets if isinstance(buckets, str) else json.dumps(buckets)
    message = refused(monkeypatch, buckets=value)
    assert message.startswith("SAYSO_BUCKETS: ")
    assert told in message
    assert SECRET not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "tcp://10.0.0.1:8080"),
        ("port", "65536"),
        ("account", "12"),
        ("region", "eu-central-1\n"),
        ("workers", "0"),
        ("key_rate", "nan"),
        ("key_rate", "0"),
        ("log_level", "loud"),
        ("public_url", "https://example.org/faces?x"),
        ("public_url", "https://example.org/a/../b"),
        ("public_url", "https://example.org/v1/faces"),
        ("cors_origins", "*"),
        ("cors_origins", "null"),
        ("cors_origins", "https://app.example.org/"),
        ("cors_origins", "https://app.example.org https://*.example.org"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert refused(monkeypatch, **{name: value}).startswith(f"SAYSO_{name.upper()}={value!r}: ")


@pytest.mark.parametrize(("given", "missing"), [("tls_cert", "TLS_KEY"), ("tls_key", "TLS_CERT")])
def test_tls_takes_both_files(monkeypatch: pytest.MonkeyPatch, given: str, missing: str) -> None:
    message = refused(monkeypatch, **{given: "file.pem"})
    assert message == f"TLS takes a certificate and its key: set SAYSO_{missing}"


def test_an_attestation_takes_a_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refused(monkeypatch, first_key_attestation="form 17")
    assert "SAYSO_FIRST_KEY_PURPOSE" in message


def paths() -> list[tuple[type[Settings | ServiceSettings], str]]:
    """Every setting that is a file or a folder."""
    return [
        (settings, name)
        for settings in (Settings, ServiceSettings)
        for name, field in settings.model_fields.items()
        if "Path" in str(field.annotation)
    ]


def test_paths_are_found() -> None:
    assert {"data", "key_file", "tls_key"} <= {name for _, name in paths()}


@pytest.mark.parametrize(("settings", "name"), paths())
def test_the_home_folder_is_known_in_every_path(
    monkeypatch: pytest.MonkeyPatch, settings: type[Settings | ServiceSettings], name: str
) -> None:
    monkeypatch.setenv("HOME", "/somebody")
    both = {"tls_cert": "c.pem", "tls_key": "k.pem"} if name.startswith("tls") else {}
    found = settings.model_validate({**both, name: "~/faces/x"})
    assert getattr(found, name) == Path("/somebody/faces/x")


def test_the_home_folder_is_known_in_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somebody")
    monkeypatch.setenv("SAYSO_BUCKETS", '{"photos": {"folder": "~/photos"}}')
    photos = load_service_settings().buckets["photos"]
    assert photos == FolderBucket(folder=Path("/somebody/photos"))


def test_the_home_folder_of_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refused(monkeypatch, tls_cert="~no-such-user/c.pem", tls_key="k.pem")
    assert message.startswith("SAYSO_TLS_CERT=")
    assert "no such home folder" in message
