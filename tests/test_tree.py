from pathlib import Path

from mlmw.tree import count_files, draw


def furnish(folder: Path) -> None:
    for name in ["b.txt", "A.txt", "src/pkg/m.py", "src/z.py", ".git/HEAD", ".hidden"]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "void").mkdir()


def test_folders_first_and_git_left_out(here: Path) -> None:
    furnish(here)
    assert list(draw(here)) == [
        "├── src/",
        "│   ├── pkg/",
        "│   │   └── m.py",
        "│   └── z.py",
        "├── void/",
        "├── .hidden",
        "├── A.txt",
        "└── b.txt",
    ]
    assert count_files(here) == 5


def test_plain(here: Path) -> None:
    furnish(here)
    assert list(draw(here, plain=True))[:3] == ["|-- src/", "|   |-- pkg/", "|   |   `-- m.py"]
