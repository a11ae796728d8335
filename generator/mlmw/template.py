"""Where the template is: packed into the installed package, or the checkout around it."""

from pathlib import Path

from mlmw.errors import MlmwError


def template_root() -> Path:
    """Absolute path of the folder that holds copier.yml, template/ and recipes/.

    It is recorded in each project as its source, so it must stay the same from run to run.
    """
    package = Path(__file__).parent
    for root in (package / "_template", package.parent.parent):
        if (root / "copier.yml").is_file():
            return root
    raise MlmwError("template", f"there is none beside {package}", "install mlmw again")
