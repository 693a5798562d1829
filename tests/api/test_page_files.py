"""The files of the page: from here only, no inline code, the same words in each language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from api_place import Place

from apps.api_cpu import web

STATIC = Path(web.__file__).parent / "static"
MODULES = sorted(path.name for path in STATIC.glob("*.js"))
FILES = sorted(path.name for path in STATIC.iterdir())
_IMPORT = re.compile(r'(?:from|import) "/static/([\w.]+)"')
_STRING = re.compile(r'"([\w.]+)": (?:"|\{)')
_USED = re.compile(r'\bt\("([\w.]+)"')
# The name of the drawings' language: it is never fetched.
_SVG_NAME = "http://www.w3.org/2000/svg"


def _text(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def test_each_file_is_served_and_names_no_other_host(place: Place) -> None:
    for name in FILES:
        answer = place.client.get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["etag"]
        assert not re.search(r"https?://", answer.text.replace(_SVG_NAME, "")), name


def test_the_page_has_no_inline_code_or_style(place: Place) -> None:
    page = place.client.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert not re.search(r"<script>|<style| style=| on\w+=", page.text)


@pytest.mark.parametrize("name", MODULES)
def test_nothing_becomes_markup_or_code(name: str) -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", _text(name)
    )


def test_the_key_is_never_written_to_the_disk() -> None:
    assert "sessionStorage" in _text("server.js")
    assert "localStorage" not in _text("server.js") + _text("session.js")


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_short_and_say_what_they_own(name: str) -> None:
    lines = _text(name).splitlines()
    assert lines[0].startswith("// ")
    assert len(lines) < 400


def test_every_module_is_imported_and_preloaded() -> None:
    imported = {found for name in MODULES for found in _IMPORT.findall(_text(name))}
    assert imported <= set(MODULES)
    page = _text("index.html")
    assert '<script type="module" src="/static/app.js">' in page
    assert page.index('<script src="/static/loading.js">') < page.index("<link ")
    for name in MODULES:
        if name not in {"app.js", "loading.js"} and not name.startswith("strings_"):
            assert name in imported, f"{name} is used by nobody"
            assert f'modulepreload" href="/static/{name}"' in page


def test_languages_have_the_same_strings_and_all_that_are_used() -> None:
    english, russian = (set(_STRING.findall(_text(f"strings_{code}.js"))) for code in ("en", "ru"))
    assert english == russian
    used = {found for name in MODULES for found in _USED.findall(_text(name))}
    assert used <= english


def test_every_field_of_our_tasks_has_words() -> None:
    strings = _text("strings_en.js")
    tasks = (Path(__file__).parents[2] / "configs" / "tasks").glob("*.yaml")
    names = {name for task in tasks for name in re.findall(r"- name: (\w+)", task.read_text())}
    assert not {name for name in names if f'"field.{name}"' not in strings}
