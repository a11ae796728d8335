"""The commands that a project's README and pages show: what runs each of them.

The check `use` runs what the README shows. What takes a server, minutes or another machine, or is
run by a test anyway, is listed here with the file that runs it, and words of that file.
"""

import re

from projects import PACKAGE

CHECKS = "tests/proof/checks.py"
SET_UP = "tests/proof/environment.py"
DOCS = "tests/test_docs.py"
CNN = "recipes/cnn/files/tests/cnn"
FLOWS = "recipes/prefect/files/tests/flows"
MLFLOW = "recipes/mlflow/files/tests/mlflow"
INSTALL = "python -m pip install -c envs/constraints.txt"
ELSEWHERE = {
    "make setup": (SET_UP, '"setup"]'),
    "python -m venv .venv": (SET_UP, "venv.create(project.folder"),
    f'{INSTALL} -e ".[dev]"': (SET_UP, '"envs/constraints.txt"]'),
    "python -m pytest": (CHECKS, "def everything"),
    "python -m ruff check .": (CHECKS, '"ruff", "check"'),
    "python -m ruff format --check .": (CHECKS, '"ruff", "format", "--check"'),
    "python -m mypy": (CHECKS, '"mypy"'),
    "python -m my_project --help": (CHECKS, '["--help"]'),
    "python -m my_project serve": (CHECKS, '"serve", "--port", "0"'),
    "curl": ("recipes/serving/files/tests/serving/test_openapi.py", '"| curl" in line'),
    "docker compose up --build": ("tests/docker/image.py", '"build"'),
    "python -m my_project flow": (CHECKS, '"flow", workload'),
    "python -m my_project flow --score FILE --output OUT.csv": (CHECKS, '"--score", str('),
    "python -m my_project flow --set seed=1": (f"{FLOWS}/test_flow.py", '["--set", '),
    "python -m my_project flow --candidate seed=0 --candidate seed=1": (
        "tests/test_dask.py",
        '"--candidate", f"model=',
    ),
    'python -m my_project flow --serve --cron "0 3 * * *"': (
        f"{FLOWS}/test_server.py",
        '"--serve", "--cron", "0 3 * * *"',
    ),
    "prefect server start": (f"{FLOWS}/conftest.py", '"prefect", "server", "start"'),
    f'{INSTALL} -e ".[dask]"': ("tests/test_dask.py", '"FLOW_DASK": "2"'),
    "python -m my_project upload": (f"{MLFLOW}/test_upload.py", '"upload"]'),
    "python -m my_project tracking-ui": (f"{MLFLOW}/conftest.py", '"tracking-ui", "--port"'),
    "python -m my_project tracking-ui --port 5001": (f"{MLFLOW}/conftest.py", '"tracking-ui", '),
    "docker compose -f compose.tracking.yml up --build --detach --wait": (
        "tests/test_static.py",  # no Docker here; the same server, without containers:
        "def test_compose_files",
    ),
    f"{INSTALL} mlflow psycopg2-binary boto3": ("tests/test_tracking_server.py", "postgresql"),
    "python -m mlflow server --host 127.0.0.1 --port 5000 --workers 2 --backend-store-uri "
    "postgresql+psycopg2://USER:PASSWORD@HOST:5432/mlflow --artifacts-destination "
    "s3://BUCKET/mlflow": ("tests/test_tracking_server.py", '"mlflow", "server"'),
    "python -m my_project compare": (
        "recipes/tabular/files/tests/tabular/test_evaluation.py",
        "compare.main(",
    ),
    "python -m my_project train cnn --config experiments/cnn_cifar10.toml": (
        f"{CNN}/test_data.py",  # on an archive of the same form: the real one needs a network
        "def test_cifar10_is_downloaded_once_and_read",
    ),
    "python -m my_project train cnn --set dataset=folder --set folder=images": (
        f"{CNN}/test_data.py",
        'dataset="folder"',
    ),
    "python -m my_project train cnn --resume": (f"{CNN}/test_processes.py", "resume=True"),
    "python -m my_project train cnn --run RUN": (
        f"{CNN}/test_processes.py",
        "def test_a_run_has_one_writer_and_can_be_chosen",
    ),
    "torchrun --nproc-per-node=2 -m my_project train cnn": (
        f"{CNN}/test_processes.py",  # two processes, started as torchrun starts them
        '"WORLD_SIZE": 2',
    ),
    "source .venv/bin/activate": (DOCS, "def test_each_commit_is_checked"),
    "pre-commit install": (DOCS, "def test_each_commit_is_checked"),
    "python -m ruff check --fix .": (DOCS, "def test_each_commit_is_checked"),
    "python -m ruff format .": (DOCS, "def test_each_commit_is_checked"),
    "python -m pytest tests/test_contract.py": (DOCS, "def test_a_model_is_added"),
    "python -m my_project train NAME": (DOCS, "def test_a_model_is_added"),
    "mlmw recipes": ("tests/test_listing.py", '"recipes"'),
    "mlmw add RECIPE": ("tests/test_layers.py", 'mlmw("add"'),
    "mlmw status": ("tests/test_layers.py", 'mlmw("status"'),
    "mlmw update": ("tests/test_update.py", "update(mlmw"),
    "mlmw update --preview": ("tests/test_update.py", '"--preview"'),
    "python -m my_project check-data": (CHECKS, '"check-data"'),
    "python -m my_project sample": (CHECKS, '"sample", '),
    "python -m my_project sample --count 3": (CHECKS, '"sample", "--count", "3"'),
    "python -m my_project sample --output row.jsonl": (CHECKS, '"--output", "row.jsonl"'),
    "mlmw data refresh": ("tests/test_own_data.py", 'mlmw("data", "refresh")'),
    "mlmw update --abort": ("tests/test_layers.py", '"--abort"'),
    "git diff --cached": ("tests/test_update.py", '"--cached"'),
}


def commands(text: str, makefile: str) -> list[str]:
    """Each command that a text shows, once, as Python where it is a target of make."""
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines += re.findall(r"`((?:python -m|make|mlmw) [^`]+)`", prose)
    found = [re.sub(r"\s+", " ", re.sub(r"(^|\s+)#.*", "", line)) for line in lines]
    found = [line.strip() for line in found if not line.startswith("export ")]
    found = [one for line in found if line for one in made(line, makefile)]
    plain = [re.sub(rf"\b{PACKAGE}\b", "my_project", line) for line in found]
    asks = [line.startswith("curl ") or "| curl" in line for line in plain]
    known = ["curl" if ask else line for ask, line in zip(asks, plain, strict=True)]
    return list(dict.fromkeys(known))


def made(command: str, makefile: str) -> list[str]:
    """The Python of `make TARGET`; the command itself if it is another one."""
    words = command.split()
    if words[0] != "make" or words[1] == "setup":
        return [command]
    rule = re.search(rf"^{words[1]}: .*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    if not rule:
        raise LookupError(f"the Makefile has no target {words[1]}")
    recipe = rule[1].replace("$(WORKLOAD)", command.partition("WORKLOAD=")[2])
    return [line.strip().replace("$(PYTHON)", "python") for line in recipe.splitlines()]
