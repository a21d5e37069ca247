"""The house: what a reader learns from the folder listing. Its floors are import-linter's (`nox -s lint`)."""

import ast
import itertools
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "nnxp"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

# What import-linter cannot see: modules that are named by text, each with its reason.
BY_TEXT = {
    "nnxp/__init__.py": "public names are imported when they are first used",
    "nnxp/moved.py": "an old name in a pickle is the module of today",
    "nnxp/callbacks/__init__.py": "public names, when first used: files and signals are not every fit's",
    "nnxp/kernels/__init__.py": "public names, when first used; `show` among them, which stands above the backends",
    "nnxp/kernels/fusion.py": "`show`, where old pickles look for it",
    "nnxp/kernels/named.py": "the package of a library by its name: torch, cupy",
    "nnxp/backends/precision.py": "the setting of a library by its name: torch, cupy",
    "nnxp/backends/finding.py": "an array library by the name that the user gave",
    "nnxp/cli/__init__.py": "a command by its name: each imports what it needs, and nothing else starts slowly",
    "nnxp/cli/results.py": "the versions of libraries",
    "nnxp/doctor/computer.py": "the versions of libraries",
}
# Imports of the package's own that come late, each with its reason; what is a library's is an extra or slow.
START = "start-up: a model that is only built needs neither training nor files"
LIBRARY = "a library's own kernels and modules, where that library is used"
LATE = {
    ("nnxp/sequential.py", "nnxp.training.fitting"): START,
    ("nnxp/sequential.py", "nnxp.training.making"): START,
    ("nnxp/sequential.py", "nnxp.files.modelfile"): START,
    ("nnxp/export/portable.py", "nnxp.export.to_torch"): LIBRARY,
    ("nnxp/incoming.py", "nnxp.export.from_torch"): LIBRARY,
    ("nnxp/incoming.py", "nnxp.files.weights"): "weights from elsewhere: a model's own file needs none of it",
    ("nnxp/backends/record.py", "nnxp.kernels.fusion"): START,
    ("nnxp/sequential.py", "nnxp.network.summary"): START,
    ("nnxp/network/by_layer.py", "nnxp.network.drawing"): START,
    ("nnxp/network/by_layer.py", "nnxp.network.members"): START,
    ("nnxp/network/by_layer.py", "nnxp.distributed"): START,
    ("nnxp/network/model.py", "nnxp.network.sharing"): START,
    ("nnxp/network/by_layer.py", "nnxp.network.sharing"): START,
    ("nnxp/sequential.py", "nnxp.network.member"): START,
    ("nnxp/sequential.py", "nnxp.distributed"): START,
    ("nnxp/training/step.py", "nnxp.training.side_by_side"): START,
    ("nnxp/training/step.py", "nnxp.training.portion_plan"): "for a model with a communicator alone",
    ("nnxp/training/step.py", "nnxp.training.portion_members"): "for a model with a communicator alone",
    ("nnxp/training/step.py", "nnxp.training.spread_plan"): "for a model with a communicator alone",
    ("nnxp/training/making.py", "nnxp.training.spread_loop"): "for a model with a communicator alone",
    ("nnxp/training/fitting.py", "nnxp.training.spread_loop"): "for a model with a communicator alone",
    ("nnxp/training/making.py", "nnxp.training.portion_loop"): "for a model with a communicator alone",
    ("nnxp/training/fitting.py", "nnxp.training.portions"): "for a model with a communicator alone",
    ("nnxp/optimizers/base.py", "nnxp.schedules"): START,
    ("nnxp/optimizers/decaying.py", "nnxp.schedules"): START,
    ("nnxp/layers/dropout.py", "nnxp.schedules"): START,
    ("nnxp/kernels/named.py", "nnxp.kernels.cuda.cupy_kernels"): LIBRARY,
    ("nnxp/kernels/named.py", "nnxp.kernels.numba_kernels"): LIBRARY,
    ("nnxp/kernels/named.py", "nnxp.kernels.numpy_kernels"): LIBRARY,
    ("nnxp/kernels/named.py", "nnxp.kernels.torch_kernels"): LIBRARY,
    ("nnxp/kernels/named.py", "nnxp.kernels.writing"): LIBRARY,
    ("nnxp/kernels/fusion.py", "nnxp.kernels.cuda"): LIBRARY,
    ("nnxp/kernels/fusion.py", "nnxp.kernels.cutting"): LIBRARY,
    ("nnxp/kernels/numba_kernels.py", "nnxp.kernels.numba_fusion"): LIBRARY,
    ("nnxp/show.py", "nnxp.kernels.cuda"): LIBRARY,
    ("nnxp/training/batches.py", "nnxp.data.split"): "its package brings all readers: for `validation_split` alone",
    ("nnxp/training/fitting.py", "nnxp.training.own_orders"): 'for `shuffle="members"` alone',
    ("nnxp/training/fitting.py", "nnxp.training.resuming"): "it reads files: for `resume` alone",
    ("nnxp/export/portable.py", "nnxp.export.onnxfile"): START,
    ("nnxp/export/onnxfile.py", "nnxp"): "the version, which is the package's own",
    ("nnxp/estimators/fitted.py", "nnxp.estimators.exporting"): START,
    ("nnxp/estimators/tabular_base.py", "nnxp.estimators.exporting"): START,
    ("nnxp/export/predictor.py", "nnxp"): "the version, which is the package's own",
    ("nnxp/files/modelfile.py", "nnxp"): "the version, which is the package's own",
    (
        "nnxp/tabular/encoders/encoder.py",
        "nnxp.tabular.reading.frames",
    ): "frames and rows: a table that was read needs none of it",
    ("nnxp/cli/playing.py", "nnxp.teaching"): "for `--page` alone",
    ("nnxp/cli/serve.py", "nnxp.serving"): "an extra, whose lack is told in one line",
    ("nnxp/cli/doctor.py", "nnxp.doctor.processes"): "where a launcher has started it",
    ("nnxp/cli/__init__.py", "nnxp.errors"): "where a command fails",
    ("nnxp/cli/launching.py", "nnxp.distributed"): "where a launcher has started it",
    ("nnxp/cli/__init__.py", "nnxp.memory.counting"): "where a command fails",
}
# One name, one thing. These are one thing at several places, or a name that a package has of its own.
SHARED = {
    "__init__": "a package's face",
    "__main__": "what `python -m` runs",
    "base": "what the classes of a package share",
    "doctor": "the command is named after its room",
    "export": "the command is named after its room",
    "fusion": "a formula's kernels, and those of CUDA",
    "scaling": "of a table's columns before a network, and of its inputs within one",
    "source": "a graph's text, in Python and in CUDA",
}


def test_names_by_text_are_listed() -> None:
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "attr", getattr(node, "id", ""))
            if isinstance(node, ast.Attribute | ast.Name) and name in ("import_module", "__import__"):
                found.add(str(path.relative_to(ROOT)))
    assert found == {*BY_TEXT}


def test_late_imports_are_listed() -> None:
    found = set()
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for node in itertools.chain.from_iterable(map(ast.walk, functions)):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "nnxp":
                one = f"{node.module}.{node.names[0].name}"  # a module, or a name of one
                is_module = (ROOT / f"{one.replace('.', '/')}.py").exists() or (ROOT / one.replace(".", "/")).is_dir()
                found.add((str(path.relative_to(ROOT)), one if is_module else str(node.module)))
    assert found == {*LATE}


def test_a_name_means_one_thing() -> None:
    places = defaultdict(list)
    for path in [*MODULES, *(p.parent / "x" for p in MODULES if p.name == "__init__.py" and p.parent != PACKAGE)]:
        name = path.parent.name if path.name == "x" else path.stem
        places[name].append(str(path.relative_to(ROOT)))
    several = {name: paths for name, paths in places.items() if len(paths) > 1 and name not in SHARED}
    assert several == {}


def test_modules_are_short_or_say_why() -> None:
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 300:
            assert "Over 300 lines" in (ast.get_docstring(ast.parse(text)) or ""), path


def test_the_tests_mirror_the_floors() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    beside = {"helpers", "campaigns", "kept", "project", "hostcuda"}
    for path in (ROOT / "tests").iterdir():
        if path.is_dir() and path.name != "__pycache__":
            assert path.name in rooms | beside, path
        elif path.name.startswith("test_"):
            assert path.stem.removeprefix("test_") in rooms, path
    helpers = [path for path in (ROOT / "tests" / "helpers").rglob("*.py") if path.name.startswith("test_")]
    assert helpers == []
