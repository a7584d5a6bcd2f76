"""ETags, and what is done only if nothing has changed."""

from __future__ import annotations

import pytest

from tests.service.rest.conftest import Api
from tests.service.rest.people import consent

ADA = "/collections/club/subjects/ada"


def test_what_has_not_changed_is_not_sent_again(club: Api) -> None:
    paths = ["/collections", "/collections/club", "/collections/club/tags", "/keys", "/key"]
    for path in paths:
        first = club("GET", path, 200)
        etag = first.headers["etag"]
        assert etag.startswith('"')
        assert first.headers["cache-control"] == "private, no-cache"
        for header in (etag, f'"x", W/{etag}', "*"):
            same = club("GET", path, 304, headers={"If-None-Match": header})
            assert same.headers["etag"] == etag
            assert not same.content
        club("GET", path, 200, headers={"If-None-Match": '"x"'})
    club("PUT", "/collections/club/tags", 200, json={"tags": {"a": "1"}})
    club("GET", "/collections/club/tags", 200, headers={"If-None-Match": etag})


def test_deletions_and_replacements_honour_if_match(club: Api) -> None:
    club("PUT", "/collections/club/purposes/photos", 200, json={"notice": "One."})
    club.post(f"{ADA}/consents", consent(), 201)
    club.post("/collections/club/users", {"user": "ada"}, 201)
    key = club.post("/keys", {"actor": "x", "purpose": "photos", "actions": ["search"]}, 201)
    for method, path, body in (
        ("PUT", "/collections/club/purposes/photos", {"notice": "Two."}),
        ("DELETE", "/collections/club/users/ada", None),
        ("DELETE", ADA, None),
        ("DELETE", f"/keys/{key['id']}", None),
        ("DELETE", "/collections/club", None),
    ):
        etag = club("GET", path, 200).headers["etag"]
        for stale in ('"x"', f"W/{etag}", f'"x", W/{etag}'):
            headers = {"If-Match": stale}
            club.problem("precondition-failed", method, path, json=body, headers=headers)
            assert club("GET", path, 200).headers["etag"] == etag
        club(method, path, 200, json=body, headers={"If-Match": f'"x", {etag}'})


def test_any_that_is_there_matches(club: Api) -> None:
    club("DELETE", "/collections/club", 200, headers={"If-Match": "*"})
    headers = {"If-Match": "*"}
    club.problem("collection-not-found", "DELETE", "/collections/club", headers=headers)


@pytest.mark.parametrize("header", ["x", '"a" "b"', '"a",', "", "W/*"])
def test_what_is_no_etag_is_refused(club: Api, header: str) -> None:
    found = club.problem(
        "invalid-request", "DELETE", "/collections/club", headers={"If-Match": header}
    )
    assert found["errors"][0]["where"] == "header"


def test_what_tells_of_people_is_kept_by_no_cache_in_between(club: Api) -> None:
    club.post(f"{ADA}/consents", consent(), 201)
    assert club("GET", ADA, 200).headers["cache-control"] == "private, no-cache"
    for path in (f"{ADA}/report", "/audit", "/audit/head", "/audit/export"):
        assert club("GET", path, 200).headers["cache-control"] == "no-store"
    assert club("DELETE", ADA, 200).headers["cache-control"] == "no-store"


def test_what_is_no_etag_matches_nothing(club: Api) -> None:
    for header in ("x", '"a', "*x"):
        club("GET", "/collections/club", 200, headers={"If-None-Match": header})
