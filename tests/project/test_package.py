"""The package as it is installed: its version, its files, and what importing it costs."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata, resources
from pathlib import Path

import nnxp

ROOT = Path(__file__).resolve().parents[2]

# Everything that is imported when it is used, and not before.
LAZY = ("array_api_compat", "array_api_strict", "cupy", "importlib.metadata", "matplotlib", "numba", "rich",
        "safetensors", "threadpoolctl", "torch")  # fmt: skip


def test_version_is_the_installed_one() -> None:
    assert nnxp.__version__ == metadata.version("nnxp")


def test_types_are_shipped() -> None:
    assert (resources.files("nnxp") / "py.typed").is_file()


def test_import_loads_nothing_that_is_optional() -> None:
    """Also with NumPy loaded before, so that what NumPy itself imports is not counted."""
    code = f"""
import sys
import numpy
before = set(sys.modules)
import nnxp
print(*sorted(set({LAZY!r}) & (set(sys.modules) - before)))
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.split() == []


def loaded(code: str, before: str = "") -> set[str]:
    """The modules that some code has loaded, beside those that were there before."""
    told = "print(*(set(sys.modules) - seen), file=sys.stderr)"
    script = f"{before}\nimport sys\nseen = set(sys.modules)\n{code}\n{told}"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(result.stderr.split())


def test_the_package_and_its_help_load_no_numpy() -> None:
    assert "numpy" not in loaded("import nnxp; dir(nnxp)")
    help_of = "from nnxp.cli import main; assert main(['--help']) == 0"
    assert "nnxp.cli.parser" in loaded(help_of) and not loaded(help_of) & {"numpy", "dataclasses", "pathlib", "logging"}


def test_a_first_model_loads_what_it_needs() -> None:
    """Neither what trains nor what reads files, nor the slow ones of Python's own that only these want."""
    code = """
import nnxp
nnxp.Sequential([nnxp.Dense(784, 128), "relu", nnxp.Dense(128, 10), "softmax"], "categorical_crossentropy",
    backend="numpy", seed=0)
"""
    found = loaded(code, before="import numpy, inspect")  # array-api-compat needs it, whether NumPy loads it or not
    rooms = {
        name for name in found if name.startswith(("nnxp.training", "nnxp.files", "nnxp.callbacks", "nnxp.schedules"))
    }
    stages = ("prediction", "stages", "activation_stage", "parametric_stage", "residual_stage", "sizes", "flushing")
    assert rooms == {"nnxp.training", *(f"nnxp.training.{name}" for name in stages)}
    assert not found & {"csv", "hashlib", "json", "logging", "numba", "secrets", "tempfile", "urllib.parse"}
    assert "threadpoolctl" not in found  # the first plan's


def test_dir_names_each_thing_once() -> None:
    assert nnxp.Dense and nnxp.layers  # loaded: in the globals as well
    names = dir(nnxp)
    assert len(names) == len({*names}) and {n for n in names if not n.startswith("__")} == {*nnxp.__all__}
    packages = {"activations", "backends", "errors", "estimators", "layers", "losses", "optimizers"}
    assert packages <= {*nnxp.__all__} and all(getattr(nnxp, name).__name__ == f"nnxp.{name}" for name in packages)


def test_lazy_packages_show_what_they_offer() -> None:
    code = "import nnxp.callbacks, nnxp.kernels; print(*dir(nnxp.callbacks), *dir(nnxp.kernels))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert {*nnxp.callbacks.__all__, *nnxp.kernels.__all__} <= {*result.stdout.split()}


def test_every_python_of_the_project_is_classified() -> None:
    """nox reads its Pythons from the classifiers: the lowest of them is the lowest that installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = [c.rpartition(" ")[2] for c in project["classifiers"] if "Python :: 3." in c]
    assert versions
    assert project["requires-python"] == f">={versions[0]}"


def test_readme_and_ci_run_the_same_command() -> None:
    command = "python3 -m venv .venv && .venv/bin/python -m pip install nox && .venv/bin/nox"
    for name in ("README.md", ".ci/run", "CONTRIBUTING.md"):
        assert command in (ROOT / name).read_text(encoding="utf-8").splitlines(), name


def test_the_citation_and_the_workflow_are_of_this_project() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {nnxp.__version__}\n" in citation
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert workflow.endswith("      - run: bash .ci/run\n") and (ROOT / ".ci" / "run").is_file()


def test_the_stub_names_what_the_package_offers() -> None:
    stub = (Path(nnxp.__file__).parent / "__init__.pyi").read_text(encoding="utf-8")
    named = set(re.findall(r"^from nnxp\S* import (\w+) as \1$", stub, re.MULTILINE))
    assert named == set(nnxp.__all__)
    assert all(getattr(nnxp, name) is not None for name in named)
