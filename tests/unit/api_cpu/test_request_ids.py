"""When a request's id is taken: before its document is read, while others work, or at the end."""

from __future__ import annotations

from typing import Any, cast

import pytest

from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.auth.roles import LOCAL_ADMIN
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.request_ids import RequestIds
from apps.api_cpu.extractions.store import ExtractIndex, IndexEntry
from apps.api_cpu.request_context import RequestContext, new_request_id
from lib.errors import Error, Kind


class _Index:
    """An index in which ids are free, after what it raises; and a store that is empty."""

    def __init__(self, *faults: Error) -> None:
        self.taken: list[str] = []
        self._faults = list(faults)
        self.held: IndexEntry | None = None

    def reserve(self, request_id: str, *_: Any) -> IndexEntry | None:
        if self._faults:
            raise self._faults.pop(0)
        self.taken.append(request_id)
        return self.held

    def exists(self, _key: str) -> bool:
        return False


def _draft(*, made: bool = True) -> Draft:
    request_id = new_request_id()
    return Draft(RequestContext(request_id, made_id=request_id if made else None), LOCAL_ADMIN)


def _ids(index: _Index) -> RequestIds:
    return RequestIds(cast(ExtractIndex, index), cast(ArtifactStore, index))


def _away() -> Error:
    return Error("storage_unavailable", Kind.UNAVAILABLE, "Away.", retryable=True)


def test_an_id_that_was_named_is_taken_first() -> None:
    index, draft = _Index(), _draft(made=False)
    with _ids(index).taken(draft):
        assert index.taken == [draft.request_id]
    assert index.taken == [draft.request_id]


def test_one_that_was_made_is_taken_when_there_is_time_and_only_once() -> None:
    index, draft = _Index(), _draft()
    with _ids(index).taken(draft) as take_soon:
        assert index.taken == []
        take_soon()
        take_soon()
        assert index.taken == [draft.request_id]
    assert index.taken == [draft.request_id]


@pytest.mark.parametrize("fails", [False, True])
def test_or_at_the_end_however_that_comes(fails: bool) -> None:
    index, draft = _Index(), _draft()
    try:
        with _ids(index).taken(draft):
            if fails:
                raise ValueError
    except ValueError:
        assert fails
    assert index.taken == [draft.request_id]


def test_a_database_that_is_away_for_a_moment_is_asked_again() -> None:
    index, draft = _Index(_away()), _draft()
    with _ids(index).taken(draft) as take_soon:
        take_soon()
        assert not draft.reserved
    assert draft.reserved


@pytest.mark.parametrize("made", [True, False])
def test_a_made_id_that_was_taken_by_a_lost_try_is_no_conflict_with_itself(made: bool) -> None:
    index, draft = _Index(), _draft(made=made)
    index.held = IndexEntry(draft.request_id, draft.caller.key_id, draft.artifact_rel, 1.0)
    if made:
        with _ids(index).taken(draft):
            assert not draft.reserved
        assert draft.reserved
    else:
        with pytest.raises(Error, match="conflict"), _ids(index).taken(draft):
            raise AssertionError


def test_nothing_is_answered_under_an_id_that_could_not_be_taken() -> None:
    index, draft = _Index(_away(), _away()), _draft()
    with pytest.raises(Error, match="Away"), _ids(index).taken(draft) as take_soon:
        take_soon()
