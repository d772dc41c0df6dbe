"""What an installed moram holds, for .ci/run and the workflows: `imports`, `commands` or `results FOLDER`."""

import importlib
import importlib.abc
import importlib.metadata
import importlib.util
import json
import pkgutil
import sys
import sysconfig
from pathlib import Path

WINGS = ("moram.study", "moram.explorer")
EXTRAS = ("scipy", "pandas", "xarray", "h5netcdf", "h5py", "tabulate", "statsmodels", "sklearn", "voila", "pyarrow")
TOOLS = ("nbdev", "fastcore", "execnb", "jupyterlab", "captum", "sphinx")


class Refuse(importlib.abc.MetaPathFinder):
    "As if nothing of the extras were installed."

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"{name} belongs to an extra, and the library must do without", name=name)


def imports():
    "All modules can be imported: the library without the extras, then its wings."
    import moram

    assert moram.__file__.startswith(sysconfig.get_path("purelib")), moram.__file__
    assert moram.__version__ == importlib.metadata.version("moram"), moram.__version__
    brought = [name for name in TOOLS if importlib.util.find_spec(name)]
    assert not brought, f"the library must not bring {brought}"
    names = sorted(pkgutil.walk_packages(moram.__path__, "moram."), key=lambda module: module.name.startswith(WINGS))
    names = [module.name for module in names if not module.name.endswith("__main__")]
    refuse = Refuse()
    sys.meta_path.insert(0, refuse)
    for name in names:
        if name.startswith(WINGS) and refuse in sys.meta_path:
            explain_something(moram)
            sys.meta_path.remove(refuse)
        importlib.import_module(name)
    print("imported:", *names)


def explain_something(moram):
    import torch

    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 1))
    maps, predictions = moram.explain(model, torch.rand(2, 3, 16, 16))[:2]
    assert maps.shape[-2:] == (16, 16) and predictions.shape[0] == 2


def commands():
    "The names of all commands."
    import typer

    from moram.cli import app

    print(*typer.main.get_command(app).commands)


def results(folder):
    "The main job has written what it promises."
    found = {path.name for path in Path(folder).iterdir() if path.stat().st_size}
    assert {"table1.png", "figure1.png", "results.json"} <= found, f"{folder} holds {sorted(found)}"
    json.loads((Path(folder) / "results.json").read_text())


if __name__ == "__main__":
    {"imports": imports, "commands": commands, "results": results}[sys.argv[1]](*sys.argv[2:])
