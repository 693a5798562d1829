"""Runs and their items as files, and found by status and text, as a client sees them."""

from __future__ import annotations

import csv
import io
import json

import openpyxl
import pytest
from api_place import RECEIPT, Place

from apps.api_cpu.auth.roles import Role


@pytest.fixture(scope="module")
def march(shared_place: Place) -> Place:
    """A server with a run of two documents, one of them unreadable."""
    place = shared_place
    folder = place.settings.data_root / "march"
    folder.mkdir()
    (folder / "01.pdf").write_bytes(RECEIPT)
    (folder / "02.pdf").write_bytes(b"unsupported")
    body = {"images_dir": "march", "run_id": "march"}
    assert place.client.post("/v1/batch_extract", json=body).status_code == 200
    return place


def test_items_as_csv(march: Place) -> None:
    answer = march.client.get("/v1/runs/march/items", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="march-items.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(row["file"], row["status"], row["total"]) for row in rows] == [
        ("01.pdf", "ok", "19.90"),
        ("02.pdf", "failed", ""),
    ]
    assert rows[0]["vendor_name"] == "'=Corner Shop"
    assert rows[0]["confidence_min"] == "0.8"
    assert rows[1]["error_code"] == "unsupported_media_type"
    params = {"format": "csv", "sheet": "line_items"}
    text = march.client.get("/v1/runs/march/items", params=params).text
    assert text.splitlines()[1].endswith(",1,19.90")


def test_items_as_a_spreadsheet(march: Place) -> None:
    answer = march.client.get("/v1/runs/march/items", params={"format": "xlsx"})
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["items", "line_items"]
    assert book["items"].max_row == 3


def test_items_as_json_lines_are_what_the_pages_show(march: Place) -> None:
    answer = march.client.get("/v1/runs/march/items", params={"format": "jsonl"})
    items = march.client.get("/v1/runs/march/items").json()["items"]
    assert [json.loads(line) for line in answer.text.splitlines()] == items


@pytest.mark.parametrize(
    ("params", "files"),
    [
        ({"status": "failed"}, ["02.pdf"]),
        ({"status": "ok"}, ["01.pdf"]),
        ({"status": "needs_review"}, []),
        ({"q": "corner"}, ["01.pdf"]),
        ({"q": "02", "status": "ok"}, []),
    ],
)
def test_items_are_found(march: Place, params: dict[str, str], files: list[str]) -> None:
    url = "/v1/runs/march/items"
    assert [i["file"] for i in march.client.get(url, params=params).json()["items"]] == files
    lines = march.client.get(url, params=params | {"format": "jsonl"}).text.splitlines()
    assert [json.loads(line)["file"] for line in lines] == files


def test_pages_of_what_is_found_follow_each_other(march: Place) -> None:
    url, params = "/v1/runs/march/items", {"q": "pdf", "limit": 1}
    first = march.client.get(url, params=params).json()
    rest = march.client.get(url, params=params | {"cursor": first["next_cursor"]}).json()
    assert [i["file"] for i in first["items"] + rest["items"]] == ["01.pdf", "02.pdf"]
    assert rest["next_cursor"] is None


def test_runs_are_found_and_exported(march: Place) -> None:
    body = {"images_dir": "march", "glob": "01.pdf", "run_id": "April_1"}
    march.client.post("/v1/batch_extract", json=body)

    def found(**params: str) -> list[str]:
        runs = march.client.get("/v1/runs", params=params).json()["runs"]
        return [run["run_id"] for run in runs]

    assert found() == ["April_1", "march"]
    assert found(status="failed") == ["march"]
    assert found(status="ok") == ["April_1"]
    assert found(q="APRIL_") == ["April_1"]
    assert found(q="%") == []
    rows = march.client.get("/v1/runs", params={"format": "csv"}).text.splitlines()
    assert [row.partition(",")[0] for row in rows] == ["run_id", "April_1", "march"]
    sheet = march.client.get("/v1/runs", params={"format": "xlsx"}).content
    assert openpyxl.load_workbook(io.BytesIO(sheet))["runs"].max_row == 3


@pytest.mark.parametrize("params", [{"format": "pdf"}, {"status": "x"}, {"sheet": "x"}])
def test_what_is_no_format_status_or_sheet_is_refused(march: Place, params: dict[str, str]) -> None:
    answer = march.client.get("/v1/runs/march/items", params={"format": "csv"} | params)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "validation_error"


def test_somebody_elses_run_is_not_exported(locked: Place) -> None:
    folder = locked.settings.data_root / "march"
    folder.mkdir()
    (folder / "01.pdf").write_bytes(RECEIPT)
    body = {"images_dir": "march", "run_id": "march"}
    locked.client.post("/v1/batch_extract", json=body, headers=locked.headers())
    params = {"format": "csv"}
    for role, status in ((Role.CLIENT, 404), (Role.ADMIN, 200)):
        headers = locked.headers(role)
        answer = locked.client.get("/v1/runs/march/items", params=params, headers=headers)
        assert answer.status_code == status
    text = locked.client.get("/v1/runs", params=params, headers=locked.headers()).text
    assert len(text.splitlines()) == 1
