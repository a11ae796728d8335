"""Where a project's template is: the history that an installed mlmw carries, URLs, settings."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import releases
from conftest import Mlmw
from releases import Releases, append, commit, git, working_tree
from test_new import answers

from mlmw import __version__, history, source

Install = Callable[[str], Path]
MODULES = ("catalogue", "history", "names", "new", "source")


@pytest.fixture
def install(prepared: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes this process an installed mlmw of some release, with the history up to it."""

    def install(tag: str, carries: bool = True) -> Path:
        checkout, root = tmp_path / f"checkout-{tag}", tmp_path / f"installed-{tag}"
        if not checkout.exists():
            git(tmp_path, "clone", "--quiet", str(prepared.all), str(checkout))
            git(checkout, "reset", "--quiet", "--hard", tag)
            for name in git(checkout, "tag", "--no-merged", tag).split():
                git(checkout, "tag", "--delete", name)
            shutil.copytree(checkout, root, ignore=shutil.ignore_patterns(".git"))
            if carries:
                assert history.carry(checkout, root)
        for module in MODULES:
            monkeypatch.setattr(f"mlmw.{module}.template_root", lambda: root)
        return root

    return install


def use_home(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    return home


def copier_update(project: Path, *data: str) -> None:
    """What somebody does who knows Copier and not mlmw."""
    command = [sys.executable, "-m", "copier", "update", "--defaults", "--quiet"]
    options = [f"--data={one}" for one in data]
    git_identity = {
        f"GIT_{role}_{part}": "Ada"
        for role in ("AUTHOR", "COMMITTER")
        for part in ("NAME", "EMAIL")
    }
    environment = os.environ | git_identity
    subprocess.run([*command, *options], cwd=project, check=True, env=environment)


# --- Installed from a wheel -----------------------------------------------------------------------


def test_plain_copier_updates_on_a_colleagues_machine(
    install: Install, here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install("v0.1.0")
    assert mlmw("new", "project", "--defaults").code == 0
    stored = answers(here / "project")
    assert (stored["_src_path"], stored["_commit"]) == (history.KEPT, "v0.1.0")
    git(here, "clone", "--quiet", "project", "colleague")
    use_home(monkeypatch, tmp_path / "colleague-home")
    install("v0.2.0")
    assert "1 release behind" in mlmw("status", "colleague").out
    copier_update(here / "colleague")
    assert mlmw("new", "fresh", "--name", "project", "--defaults").code == 0
    assert working_tree(here / "colleague") == working_tree(here / "fresh")


def test_plain_copier_adds_a_recipe(install: Install, here: Path, mlmw: Mlmw) -> None:
    install("v0.1.0")
    assert mlmw("new", "project", "--defaults").code == 0
    copier_update(here / "project", "recipes=[tabular]")
    assert mlmw("new", "fresh", "--name", "project", "--recipe=tabular", "--defaults").code == 0
    assert working_tree(here / "project") == working_tree(here / "fresh")


def test_update_on_a_colleagues_machine(
    install: Install, here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install("v0.1.0")
    assert mlmw("new", "project", "--defaults").code == 0
    use_home(monkeypatch, tmp_path / "colleague-home")
    install("v0.3.0")
    assert mlmw("update", "project").code == 0
    assert answers(here / "project")["_commit"] == "v0.3.0"


def test_kept_history_never_shrinks(
    install: Install, here: Path, mlmw: Mlmw, tmp_path: Path
) -> None:
    kept = Path(history.KEPT).expanduser()
    install("v0.2.0")
    history.keep()
    newest = kept.read_bytes()
    install("v0.1.0")
    history.keep()
    assert kept.read_bytes() == newest
    install("v0.3.0")
    history.keep()
    with source.opened(history.KEPT) as template:
        assert template.releases() == ["v0.1.0", "v0.2.0", "v0.3.0"]
        assert template.commit("HEAD") == template.commit("v0.3.0")
    grown = kept.read_bytes()
    history.keep()
    assert kept.read_bytes() == grown


def test_histories_that_have_nothing_in_common(install: Install, tmp_path: Path) -> None:
    install("v0.1.0")
    history.keep()
    other = tmp_path / "other"
    releases.copy_template(other)
    append(other / "template" / "README.md.jinja", "Another.\n")
    git(other, "init", "--quiet")
    commit(other)
    git(other, "tag", "v0.9.0")
    root = install("v0.2.0")
    (root / history.HISTORY).unlink()
    assert history.carry(other, root)
    history.keep()
    with source.opened(history.KEPT) as template:
        assert template.releases() == ["v0.1.0", "v0.9.0"]
        assert template.newest() == "v0.9.0"


def test_without_history_the_one_version_is_kept(
    prepared: Releases,
    tmp_path: Path,
    here: Path,
    mlmw: Mlmw,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wheel that was built from an archive has no history, and projects of it still update."""
    kept = []
    for number in (1, 2):  # two machines keep the same commit
        root = tmp_path / f"root-{number}"
        releases.copy_template(root)
        for module in MODULES:
            monkeypatch.setattr(f"mlmw.{module}.template_root", lambda root=root: root)
        use_home(monkeypatch, tmp_path / f"home-{number}")
        assert mlmw("new", f"project-{number}", "--name=p", "--defaults").code == 0
        with source.opened(history.KEPT) as template:
            kept.append(template.commit(f"v{__version__}"))
    assert kept[0] == kept[1]
    assert working_tree(here / "project-1") == working_tree(here / "project-2")
    assert answers(here / "project-1")["_commit"] == f"v{__version__}"
    assert mlmw("add", "tabular", "--project", "project-1").code == 0
    append(root / "template" / "README.md.jinja", "Newer.\n")
    monkeypatch.setattr("mlmw.history.__version__", "9.0.0")
    assert mlmw("update", "project-2").code == 0
    assert answers(here / "project-2")["_commit"] == "v9.0.0"


def test_history_of_uncommitted_changes(prepared: Releases, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    git(tmp_path, "clone", "--quiet", str(prepared.all), str(checkout))
    append(checkout / "template" / "README.md.jinja", "Not committed.\n")
    (checkout / "template" / "new.txt").write_text("new\n")
    (checkout / "template" / ".gitattributes").unlink()
    (checkout / "template" / "__pycache__").mkdir()
    (checkout / "template" / "__pycache__" / "x.pyc").write_bytes(b"x")
    head = git(checkout, "rev-parse", "HEAD")
    before = git(checkout, "status", "--porcelain")
    assert history.carry(checkout, tmp_path)
    assert (git(checkout, "rev-parse", "HEAD"), git(checkout, "status", "--porcelain")) == (
        *(head, before),
    )
    known = history.provenance(tmp_path)
    with source.opened(str(tmp_path / history.HISTORY)) as template:
        template.export(template.commit(str(known["commit"])), tmp_path / "out")
    shutil.rmtree(checkout / "template" / "__pycache__")
    carried, present = (
        working_tree(folder / "template") for folder in (tmp_path / "out", checkout)
    )
    assert carried == present


def test_shallow_checkout_has_no_history_to_carry(prepared: Releases, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{prepared.all}", str(shallow))
    assert not history.carry(shallow, tmp_path)
    assert not (tmp_path / history.HISTORY).exists()


@pytest.mark.parametrize(
    ("origin", "recorded"),
    [
        ("https://git.example.org/mlmw.git", "https://git.example.org/mlmw.git"),
        ("https://me:secret@git.example.org/mlmw.git", "https://git.example.org/mlmw.git"),
        ("git@git.example.org:ml/mlmw.git", "git@git.example.org:ml/mlmw.git"),
        ("/home/somebody/mlmw", None),
        (None, None),
    ],
)
def test_origin_of_a_release(
    origin: str | None, recorded: str | None, prepared: Releases, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    git(tmp_path, "clone", "--quiet", str(prepared.all), str(checkout))
    git(checkout, "tag", "--force", f"v{__version__}")
    for tag in git(checkout, "tag").split():
        if tag != f"v{__version__}":
            git(checkout, "tag", "--delete", tag)
    git(
        checkout,
        *(["remote", "set-url", "origin", origin] if origin else ["remote", "rm", "origin"]),
    )
    assert history.carry(checkout, tmp_path)
    assert history.provenance(tmp_path) == {"commit": f"v{__version__}", "origin": recorded}
    append(checkout / "template" / "README.md.jinja", "Not released.\n")
    assert history.carry(checkout, tmp_path)
    assert history.provenance(tmp_path)["origin"] is None


def test_origin_that_cannot_be_reached(
    install: Install, here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an mlmw carries serves in place of the address that it was built from."""
    url = "https://localhost:1/mlmw.git"
    for tag in ("v0.1.0", "v0.2.0"):
        root = install(tag)
        known = {"commit": tag, "origin": url}
        (root / history.PROVENANCE).write_text(json.dumps(known))
        if tag == "v0.1.0":
            assert mlmw("new", "project", "--defaults").code == 0
    stored = answers(here / "project")
    assert (stored["_src_path"], stored["_commit"]) == (url, "v0.1.0")
    assert mlmw("update", "project").code == 0
    stored = answers(here / "project")
    assert (stored["_src_path"], stored["_commit"]) == (url, "v0.2.0")


def test_home_that_cannot_be_written(
    install: Install, here: Path, mlmw: Mlmw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    use_home(monkeypatch, tmp_path / "file")
    install("v0.1.0")
    result = mlmw("new", "project", "--defaults", "--no-git")
    assert (result.code, result.err) == (0, "")
    assert f"Note: {history.KEPT} could not be written (" in result.out
    refused = mlmw("status", "project")
    assert f"template {history.KEPT!r}: it cannot be written (" in refused.out


def test_dry_run_keeps_nothing(install: Install, mlmw: Mlmw) -> None:
    install("v0.1.0")
    assert mlmw("new", "project", "--defaults", "--dry-run").code == 0
    assert not Path(history.KEPT).expanduser().exists()


# --- Sources of one's own -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ("~/x/template", "~/x/template"),
        ("/elsewhere/template", "/elsewhere/template"),
        ("https://git.example.org/t.git", "https://git.example.org/t.git"),
        ("git@git.example.org:t.git", "git@git.example.org:t.git"),
        ("gh:owner/name", "gh:owner/name"),
    ],
)
def test_recorded_form_of_a_source(given: str, recorded: str) -> None:
    assert source.normal(given) == recorded
    assert source.normal(str(Path(given).expanduser()) if given[0] == "~" else given) == recorded


def test_relative_source_is_recorded_absolute(here: Path) -> None:
    assert source.normal("template") == str(here / "template")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("/not/there", "it is not on this machine"),
        ("", "it is empty"),
        ("a\nb", "it is not one line of text"),
        ("--upload-pack=x", "it is not on this machine"),
    ],
)
def test_template_that_is_none(given: str, words: str, here: Path, mlmw: Mlmw) -> None:
    result = mlmw("new", "project", f"--template={given}", "--defaults")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert words in result.err
    assert list(here.iterdir()) == []


def test_repository_without_a_template(here: Path, mlmw: Mlmw, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "--quiet")
    commit(repository)
    result = mlmw("new", "project", "--template", str(repository), "--defaults")
    assert result.code == 2
    assert "has no copier.yml" in result.err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "removed", "words"),
    [
        ("copier.yml", "package: {type: str, default: small}\n", "it does not ask for package"),
        (f"template/{releases.ANSWERS_NAME}", None, "it writes no .copier-answers.yml"),
    ],
)
def test_template_of_another_kind(
    path: str, removed: str | None, words: str, here: Path, mlmw: Mlmw, tmp_path: Path
) -> None:
    def change(root: Path) -> None:
        releases.small({"a.txt": b"a\n"})(root)
        if removed is None:
            (root / path).unlink()
        else:
            (root / path).write_text((root / path).read_text().replace(removed, ""))

    other = Releases(tmp_path / "other")
    other.add("v1.0.0", change)
    other.publish("v1.0.0")
    result = mlmw("new", "project", "--template", str(other.place), "--defaults")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert words in result.err
    assert list(here.iterdir()) == []


def test_relative_path_that_plain_copier_recorded(
    prepared: Releases, here: Path, mlmw: Mlmw, tmp_path: Path
) -> None:
    template = prepared.copy(tmp_path)
    template.publish("v0.1.0")
    command = [sys.executable, "-m", "copier", "copy", "--defaults", "--quiet"]
    subprocess.run([*command, "../template", "project"], check=True)
    (here / "project").rename(tmp_path / "project")
    git(tmp_path / "project", "init", "--quiet")
    commit(tmp_path / "project")
    assert answers(tmp_path / "project")["_src_path"] == "../template"
    template.publish("v0.2.0")
    assert mlmw("update", str(tmp_path / "project")).code == 0


def test_template_that_moved(prepared: Releases, here: Path, mlmw: Mlmw, tmp_path: Path) -> None:
    template = prepared.copy(tmp_path)
    template.publish("v0.1.0")
    assert mlmw("new", "project", "--template", str(template.place), "--defaults").code == 0
    template.place = template.place.rename(tmp_path / "moved")
    assert "give the place that it has now: --template SRC" in mlmw("update", "project").err
    template.publish("v0.2.0")
    result = mlmw("update", "project", "--template", str(template.place))
    assert (result.code, result.err) == (0, "")
    assert answers(here / "project")["_src_path"] == str(template.place)


# --- Settings -------------------------------------------------------------------------------------


def test_settings_are_what_new_takes(
    prepared: Releases, here: Path, mlmw: Mlmw, tmp_path: Path
) -> None:
    template = prepared.copy(tmp_path)
    template.publish("v0.1.0")
    mine = {"author": 'Ada "A" Lovelace', "email": "ada@example.org", "licence": "BSD-3-Clause"}
    for key, value in (mine | {"python": "3.12", "template": str(template.place)}).items():
        result = mlmw("config", key, value)
        assert (result.code, result.err) == (0, "")
    assert mlmw("new", "project", "--defaults", "--licence", "MIT").code == 0
    stored = answers(here / "project")
    assert [stored[key] for key in ("author", "email", "licence", "python_version")] == [
        *(mine["author"], mine["email"], "MIT", "3.12"),
    ]
    assert stored["_src_path"] == str(template.place)
    assert mlmw("config", "--unset", "template").code == 0
    known = json.loads(mlmw("config", "--json").out)
    assert {key: one["value"] for key, one in known.items()} == mine | {"python": "3.12"}


def test_team_settings_count_where_the_users_say_nothing(
    here: Path, mlmw: Mlmw, tmp_path: Path
) -> None:
    team = tmp_path / "team.toml"
    team.write_text('author = "Team"\nlicence = "none"\n')
    assert mlmw("config", "team", str(team)).code == 0
    assert mlmw("config", "author", "Ada").code == 0
    assert mlmw("new", "project", "--defaults", "--no-git").code == 0
    stored = answers(here / "project")
    assert (stored["author"], stored["licence"]) == ("Ada", "none")
    assert str(team) in mlmw("config", "licence").out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("author = 1\n", "its value is no text"),
        ("autor = 'x'\n", "there is no such setting; did you mean 'author'? settings: template"),
        ("author = \n", "the file is not TOML"),
        ("email = 'x'\n", "it is no e-mail address"),
        ("licence = 'GPL'\n", "unknown value; choose one of MIT"),
        ("team = '/not/there'\n", "the file cannot be read"),
    ],
)
def test_bad_settings(
    content: str,
    words: str,
    here: Path,
    mlmw: Mlmw,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content)
    monkeypatch.setenv("MLMW_CONFIG", str(path))
    for command in (["config"], ["new", "project", "--defaults"]):
        result = mlmw(*command)
        assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
        assert words in result.err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "there is no such setting"),
        (["nonsense", "x"], "there is no such setting"),
        (["email", "x"], "it is no e-mail address"),
        (["python", "2.7"], "unknown value"),
        (["author", "a\nb"], "it is not one line of text"),
        (["--unset"], "it takes a KEY and no VALUE"),
        (["--unset", "author", "x"], "it takes a KEY and no VALUE"),
    ],
)
def test_bad_changes_of_settings(arguments: list[str], words: str, mlmw: Mlmw) -> None:
    result = mlmw("config", *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert words in result.err
    assert not Path("~/.mlmw/config.toml").expanduser().exists()
