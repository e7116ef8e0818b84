"""A file is written whole or not at all."""

import pytest

from ccm_geo.errors import DataError, SourceError
from ccm_geo.files import replace_atomically


def test_file_appears_whole_under_its_name_in_a_new_folder(tmp_path):
    target = tmp_path / "new" / "plan.txt"
    with replace_atomically(target) as draft:
        draft.write_text("all", encoding="utf-8")
        assert not target.exists()
        assert draft.suffix == ".txt"
        assert draft.parent == target.parent
    assert target.read_text(encoding="utf-8") == "all"
    assert [p.name for p in target.parent.iterdir()] == ["plan.txt"]


def test_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path):
    target = tmp_path / "plan.txt"
    target.write_text("old", encoding="utf-8")

    def fail():
        with replace_atomically(target) as draft:
            draft.write_text("half", encoding="utf-8")
            raise DataError("hazards: bad")

    with pytest.raises(DataError, match="hazards: bad"):
        fail()
    assert target.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["plan.txt"]


def test_writer_that_writes_nothing_is_an_error_and_keeps_the_old_file(tmp_path):
    target = tmp_path / "plan.txt"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(SourceError, match=r"plan\.txt: cannot be written"), replace_atomically(target):
        pass
    assert target.read_text(encoding="utf-8") == "old"


def test_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(SourceError, match="this is a folder"), replace_atomically(tmp_path):
        pass


def test_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    with (
        pytest.raises(SourceError, match="cannot be written"),
        replace_atomically(tmp_path / "out" / "a.txt"),
    ):
        pass


def test_locked_file_asks_to_close_it(tmp_path, monkeypatch):
    def locked(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.replace", locked)
    with (
        pytest.raises(SourceError, match="open in another program, close it there"),
        replace_atomically(tmp_path / "plan.txt") as draft,
    ):
        draft.write_text("all", encoding="utf-8")
    assert list(tmp_path.iterdir()) == []
