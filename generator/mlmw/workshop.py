"""The folder in which files wait until they are published, and what they replace is looked at.

It is in the repository; or in the project, under a name that nothing has, if the repository is on
another file system: files can be renamed and linked on one only. The journal knows that name.
"""

import errno
import os
import shutil
import tempfile
from pathlib import Path

from mlmw.journal import Journal, folder
from mlmw.project import Project

NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}


class Unfit(Exception):
    """A file system on which mlmw cannot work safely."""


def check(place: Path) -> None:
    """Raise `Unfit` where a file cannot get a second name, which publishing depends on."""
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mlmw-", dir=place) as temporary:
        file = Path(temporary) / "file"
        file.touch()
        try:
            os.link(file, file.with_name("link"))
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            raise Unfit(f"there are no hard links in {str(place)!r}") from None


def name(project: Project) -> str | None:
    """A new name for a workshop in the project, if there has to be one."""
    return f".mlmw-{os.urandom(8).hex()}" if _apart(project) else None


def enter(project: Project, journal: Journal) -> Path:
    """The workshop of an update, made if it is not there.

    Raises `FileExistsError` if something else has taken its name.
    """
    place = _place(project, journal)
    if place.is_symlink():
        raise FileExistsError(errno.EEXIST, f"{str(place)!r} is a link now")
    place.mkdir(parents=True, exist_ok=True)
    (place / ".gitignore").write_text("*\n", encoding="utf-8")
    return place


def leave(project: Project, journal: Journal) -> None:
    """Remove it, with what is in it; a link is not followed."""
    shutil.rmtree(_place(project, journal), ignore_errors=True)


def _place(project: Project, journal: Journal) -> Path:
    if journal.workshop:
        return project.folder / journal.workshop
    return folder(project) / f"work{project.label}"


def _apart(project: Project) -> bool:
    return project.git_dir.stat().st_dev != project.folder.stat().st_dev
