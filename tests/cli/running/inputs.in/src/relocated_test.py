from pathlib import Path


def test_relocated_files_are_only_at_their_new_paths():
    assert Path("help/deep/page.md").read_text() == "# deep\n"
    assert Path("help/top.md").exists()
    assert Path("page.md").exists()
    assert not Path("docs").exists()
