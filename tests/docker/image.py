"""Build a project's image and ask it, without a Docker daemon and without a registry.

    python tests/docker/image.py [--recipe tabular ...]

Debian's buildah builds the Dockerfile as it is; only its base is a stand-in, under the same name,
made from the Debian packages and the Python of this machine. The wheels are fetched first, so that
the build itself needs no network. Inside, the project trains and serves, as the user of the image;
it serves on a read-only file system, as docker-compose.yml has it.
Where buildah is missing the script says that it skipped, and ends with 0.
"""

import argparse
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from pathlib import Path

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
IMAGE = "localhost/mlmw-project"
# Run a command in a container's files ($0) with the runs ($1), all of it read-only but /tmp.
READ_ONLY = """
mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"
mount --bind "$1" "$0/app/experiments/runs" && mount -o remount,ro,bind "$0/app/experiments/runs"
mount -t tmpfs tmpfs "$0/tmp" && mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc"
root=$0 && shift
exec chroot --userspec=1000:1000 "$root" env --chdir=/app "$@"
"""
# What a slim base has beside Debian's required packages.
PACKAGES = ["ca-certificates", "netbase", "tzdata"]
SETTINGS = ["shells", "login.defs", "nsswitch.conf", "ld.so.conf", "debian_version"]


def run(*command: object, **options: object) -> str:
    """Run a command and return what it prints; where it fails, show that and end."""
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if result.returncode:
        sys.exit(
            f"{' '.join(words)}: ended with {result.returncode}\n{result.stdout}\n{result.stderr}"
        )
    return str(result.stdout)


class Buildah:
    """buildah with a storage of its own, which goes away with the folder."""

    def __init__(self, folder: Path) -> None:
        self.options = ["--storage-driver", "vfs", "--root", folder / "storage"]
        self.options += ["--runroot", folder / "run"]

    def command(self, verb: str, *arguments: object) -> list[str]:
        """Return the words of one call."""
        return [str(word) for word in ("buildah", *self.options, verb, *arguments)]

    def __call__(self, verb: str, *arguments: object) -> str:
        """Run buildah; return what it prints."""
        return run(*self.command(verb, *arguments)).strip()


def make_base(root: Path) -> None:
    """Fill a folder with a small Debian and with this Python, as python:X.Y-slim has them."""
    for link in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / link).mkdir(parents=True)
        (root / link).symlink_to(f"usr/{link}")
    for folder in ("dev", "proc", "sys", "tmp", "run", "root", "home", "var/tmp", "opt"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    listed = run("dpkg", "-L", *required_packages()).splitlines()
    paths = {path for path in listed if os.path.lexists(path) and not os.path.isdir(path)}
    paths -= {path for path in paths if path.startswith(("/usr/share/doc", "/usr/share/man"))}
    paths |= {f"/etc/{name}" for name in SETTINGS} | libraries()
    paths |= {str(path) for path in Path("/etc/alternatives").iterdir() if path.exists()}
    paths |= {str(path) for path in Path("/etc/ssl/certs").iterdir()}
    names = "\0".join(sorted(path.lstrip("/") for path in paths))
    packed = root.with_suffix(".tar")
    command = ["tar", "-C", "/", "--null", "-T", "-", "-cf", packed]
    run(*command, input=names)
    run("tar", "-C", root, "--keep-directory-symlink", "-xf", packed)
    packed.unlink()
    for name in ("passwd", "group"):  # Debian's own: this machine may have other users
        shutil.copy(f"/usr/share/base-passwd/{name}.master", root / "etc" / name)
    copy_python(root / "usr/local")
    run("ldconfig", "-r", root)


def required_packages() -> set[str]:
    """Debian's required packages, those of `PACKAGES`, and what these depend on."""
    form = "${Package}\t${Priority}\t${Pre-Depends}, ${Depends}\n"
    lines = [line.split("\t") for line in run("dpkg-query", "-W", "-f", form).splitlines()]
    needs = {
        name: re.findall(r"(?:^|[,|] *)([a-z0-9][a-z0-9+.-]*)", more) for name, _, more in lines
    }
    wanted = [*PACKAGES, *(name for name, priority, _ in lines if priority == "required")]
    chosen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in needs and name not in chosen:
            chosen.add(name)
            wanted += needs[name]
    return chosen


def libraries() -> set[str]:
    """The system's libraries that this Python and its modules are linked to."""
    modules = Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("*.so")
    output = run("ldd", Path(sys.base_prefix, "bin", f"python{VERSION}"), *modules)
    found = {line.split("=>")[1].split()[0] for line in output.splitlines() if "=> /" in line}
    found = {path for path in found if not path.startswith(sys.base_prefix)}
    return found | {str(Path(path).resolve()) for path in found}


def copy_python(target: Path) -> None:
    """Copy the interpreter, its library and pip."""
    source, ignored = Path(sys.base_prefix), ("test", "tests", "__pycache__", "site-packages")
    library = Path("lib", f"python{VERSION}")
    ignore = shutil.ignore_patterns(*ignored)
    shutil.copytree(source / library, target / library, symlinks=True, ignore=ignore)
    (target / "bin").mkdir()
    for name in ("python", "python3", f"python{VERSION}"):
        shutil.copy(source / "bin" / f"python{VERSION}", target / "bin" / name)
    for path in (source / "lib").glob("libpython*"):
        shutil.copy(path, target / "lib")
    packages = target / library / "site-packages"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--quiet", "--target", packages, "pip")
    (target / "bin/pip").write_text('#!/bin/sh\nexec /usr/local/bin/python3 -m pip "$@"\n')
    (target / "bin/pip").chmod(0o755)
    (target.parents[1] / "etc/pip.conf").write_text(
        "[global]\nno-index = true\nfind-links = /wheels\n"
    )


def fetch_wheels(project: Path, wheels: Path) -> None:
    """Download what the project and its build need."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--quiet", "--dest", wheels]
    run(*pip, "-c", "envs/constraints.txt", ".", "hatchling>=1.27", cwd=project)


def check(buildah: Buildah, folder: Path) -> None:
    """Train and serve in a container, ask it, and end it."""
    facts = json.loads(buildah("inspect", "--type", "image", IMAGE))
    config, health = facts["OCIv1"]["config"], facts["Docker"]["config"]["Healthcheck"]
    assert config["User"] == "1000", config
    start, serve = config["Entrypoint"], config["Cmd"]
    container = buildah("from", "--pull=never", IMAGE)
    runs = folder / "runs"
    runs.mkdir()
    runs.chmod(0o777)
    port = free_port()
    options = ["--isolation=chroot", f"--volume={runs}:/app/experiments/runs:rw"]
    options += [f"--env=SERVE_PORT={port}"]

    def inside(*command: str) -> str:
        return buildah("run", *options, container, "--", *command)

    assert inside("id", "-u") == "1000"
    tools = ["gcc", "make", "git", "pytest", "ruff", "mypy"]
    here = inside("python", "-c", f"import shutil; print(*filter(shutil.which, {tools}))")
    assert not here, f"the image holds tools of development: {here}"
    assert "tests" not in inside("ls", "/app").split()
    trained = inside(*start, "train").splitlines()[-1]
    example = (runs / Path(trained).name / "examples.jsonl").read_text("utf-8").splitlines()[0]
    root = buildah("mount", container)
    read_only = ["unshare", "--mount", "sh", "-ec", READ_ONLY, root, str(runs), "-i"]
    read_only += [*config["Env"], "HOME=/home/app", f"SERVE_PORT={port}"]
    refused = subprocess.run([*read_only, "touch", "/app/x"], capture_output=True, check=False)
    assert b"Read-only file system" in refused.stderr, refused
    log = folder / "serve.log"
    with log.open("w") as output:
        server = subprocess.Popen([*read_only, *start, *serve], stdout=output)
    try:
        started = time.monotonic()
        while not ask(f"http://127.0.0.1:{port}/health/ready"):
            assert server.poll() is None, f"it ended:\n{log.read_text('utf-8')}"
            late = time.monotonic() - started > 300
            assert not late, f"not ready after five minutes:\n{log.read_text('utf-8')}"
            time.sleep(0.2)
        print(f"ready after {time.monotonic() - started:.1f} s")
        inside(*health["Test"][1:])  # CMD, then the words of the command
        request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", example.encode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        print(f"/predict: {answer['prediction']} by model {answer['model_version']}")
        stopped = time.monotonic()
        server.terminate()
        server.wait(timeout=30)
        assert "Application shutdown complete" in log.read_text("utf-8"), "it did not end in order"
        print(f"SIGTERM: ended in order after {time.monotonic() - stopped:.1f} s")
    finally:
        server.kill()


def ask(url: str) -> bool:
    """Tell whether a page is there."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Build, check, and tell the size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--recipe", action="append", default=[], help="beside serving; repeatable")
    recipes = [*parser.parse_args().recipe, "serving"]
    if platform.system() != "Linux" or not shutil.which("buildah") or not shutil.which("dpkg"):
        print("SKIPPED: needs Debian with buildah (apt-get install buildah)")
        return
    if os.geteuid():
        print("SKIPPED: buildah's chroot isolation needs to be run as root")
        return
    with tempfile.TemporaryDirectory(prefix="mlmw-image-") as temporary:
        folder = Path(temporary)
        project, wheels, buildah = folder / "project", folder / "wheels", Buildah(folder)
        chosen = [f"--recipe={name}" for name in recipes]
        options = [*chosen, "--defaults", "--no-git", "--name=My project"]
        run(sys.executable, "-m", "mlmw", "new", project, *options)
        fetch_wheels(project, wheels)
        base = f"docker.io/library/python:{VERSION}-slim-bookworm"
        make_base(folder / "base")
        container = buildah("from", "scratch")
        buildah("copy", "--quiet", container, folder / "base", "/")
        buildah("config", "--env=PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", container)
        buildah("commit", "--quiet", "--rm", container, base)
        started = time.monotonic()
        flags = ["--format=docker", "--isolation=chroot", "--pull=never", f"--tag={IMAGE}"]
        buildah("build", *flags, f"--volume={wheels}:/wheels:ro", project)
        size = {}
        for name in (base, IMAGE):
            container = buildah("from", "--pull=never", name)
            root = buildah("mount", container)
            size[name] = int(run("du", "-sxm", root).split()[0])
            buildah("rm", container)
        print(f"built {', '.join(recipes)} in {time.monotonic() - started:.0f} s: ", end="")
        print(f"{size[IMAGE]} MB, of which the base has {size[base]} MB", flush=True)
        check(buildah, folder)


if __name__ == "__main__":
    main()
