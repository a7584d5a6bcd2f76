"""Every page that a test is answered with is held against what all pages promise."""

from __future__ import annotations

import json
import re
from collections import Counter
from urllib.parse import urlsplit

import httpx

from sayso.console.application import PAGES
from sayso.console.assets import ROOT, version
from sayso.console.security import HEADERS
from tests.console.markup import Element, parse
from tests.service.rest.checking import DESCRIPTION

DOORS = frozenset({"sign-in", "enter", "sign-out"})
_DEEDS = {page.path: set(page.deeds or ()) for page in PAGES}
_API = [re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)) for path in DESCRIPTION["paths"]]
_API_PAGES = re.compile(r"/v1/(docs|problems/.*|openapi\.json)?")
_ADDRESSES = ("href", "src", "action", "formaction", "poster", "data")
_LABELLED = frozenset({"input", "select", "textarea"})
_BY_ITSELF = frozenset({"hidden", "submit", "button", "image", "reset"})
#: Answered before a request comes to the console: too large, a slash too many, an error of ours.
_ELSEWHERE = frozenset({413, 307, 500})
#: 128 numbers, as anybody might write them: base64, hex, a list.
_TEMPLATE = re.compile(r"[A-Za-z0-9+/]{680,}|[0-9a-f]{1000,}|(?:-?\d\.\d+(?:e-?\d+)?,\s*){30,}")
_PICTURE = re.compile(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]+")


def check(response: httpx.Response) -> None:
    """Raise AssertionError unless an answer of the console is as it should be."""
    path = response.request.url.path
    if not path.startswith("/console/") or path.startswith("/console/static/"):
        return
    if response.status_code in _ELSEWHERE:
        return
    for name, value in HEADERS.items():
        assert response.headers.get(name) == value, (path, name)
    assert response.headers["x-content-type-options"] == "nosniff"
    if response.headers.get("content-type", "").startswith("text/html") and response.text:
        check_page(response.text, whole="<html" in response.text)


def check_page(html: str, *, whole: bool) -> None:
    """Raise AssertionError unless a page, or a part of one, is as it should be."""
    assert "Traceback" not in html
    assert not _TEMPLATE.search(_PICTURE.sub("", html)), "a template may be in the page"
    page = parse(html)
    for element in page.walk():
        _check_element(element)
        _check_addresses(element)
    ids = Counter(each["id"] for each in page.walk() if "id" in each.attributes)
    assert not [name for name, count in ids.items() if count > 1], "an id is there twice"
    _check_forms(page)
    if whole:
        _check_labels(page, set(ids))
        assert page.one("html")["lang"] == "en"
        assert page.one("title").text
        assert len(page.all("h1")) == 1, [each.text for each in page.all("h1")]
        assert len(page.all("main")) == 1


def _check_element(element: Element) -> None:
    """The policy would keep a browser from it: nothing but data is written into a page."""
    assert element.tag not in {"style", "object", "embed", "base"}, element.tag
    if element.tag == "iframe":  # a report, which runs nothing and reaches nothing
        assert element.get("src").startswith("/v1/evaluations/"), element
        assert element.attributes.get("sandbox") == "", element
    for name in element.attributes:
        assert name != "style", element
        assert not name.startswith("on"), element
    if element.tag == "script":
        if element.get("type") == "application/json":
            json.loads(element.source)
        else:
            assert element.get("type") == "module", element
            assert element.get("src")
            assert not element.source.strip(), element
    if element.tag == "a" and element.get("target"):
        assert "noopener" in element.get("rel") or "noreferrer" in element.get("rel"), element


def _check_addresses(element: Element) -> None:
    for name in _ADDRESSES:
        given = element.attributes.get(name)
        if given is None or (name == "data" and element.tag != "object"):
            continue
        parts = urlsplit(given)
        assert not parts.netloc, f"{element.tag} {name}={given!r} leads to another host"
        assert parts.scheme in {"", "data"}, f"{element.tag} {name}={given!r}"
        if parts.scheme == "data":
            assert element.tag == "img", element
        elif parts.path:
            assert leads_somewhere(parts.path), f"{element.tag} {name}={given!r} leads nowhere"
            assert element.tag == "form" or parts.path != "/console/sign-out"
    assert "srcset" not in element.attributes


def leads_somewhere(path: str) -> bool:
    """Tell whether the service has something at a path."""
    if path.startswith("/console/static/"):
        file = path.removeprefix(f"/console/static/{version()}/")
        return (ROOT / file).is_file()
    if path.startswith("/console/"):
        return path.removeprefix("/console/") in _DEEDS.keys() | DOORS
    return bool(_API_PAGES.fullmatch(path)) or any(each.fullmatch(path) for each in _API)


def _check_forms(page: Element) -> None:
    for form in page.all("form"):
        method = form.get("method", "get")
        fields = {each.get("name"): each.get("value") for each in form.all("input")}
        action = urlsplit(form.get("action")).path
        if method == "get":
            assert "csrf" not in fields, "a token in an address stays in histories"
            continue
        assert method == "post"
        if action in {"/console/sign-in", "/console/enter"}:
            continue
        assert fields.get("csrf"), f"the form for {action} has no token"
        if action and action != "/console/sign-out":
            place = action.removeprefix("/console/")
            # A script may fill in what is done; otherwise the page must know it.
            assert fields.get("do") in _DEEDS[place], (action, fields.get("do"))


def _check_labels(page: Element, ids: set[str]) -> None:
    labelled = {each.get("for") for each in page.all("label")}
    within = {id(each) for label in page.all("label") for each in label.walk()}
    for each in page.walk():
        if each.tag in _LABELLED and each.get("type") not in _BY_ITSELF:
            named = each.get("aria-label") or each.get("aria-labelledby")
            assert named or each.get("id") in labelled or id(each) in within, each
        for name in ("aria-describedby", "aria-labelledby", "aria-controls"):
            for target in each.get(name).split():
                assert target in ids, f"{each.tag} {name}={target!r} names nothing"
    for target in labelled - {""}:
        assert target in ids, f"a label is for {target!r}, which is not there"
