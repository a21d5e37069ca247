"""The documentation's settings. Sources are this repository's pages as they stand: `nox -s docs` builds them."""

import os
import sys
from importlib import resources
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ["NNXP_FAST"] = "0"  # what a page shows is what NumPy alone gives

import nnxp  # noqa: E402

project, author, copyright = "nnxp", "the nnxp authors", "the nnxp authors"
version = release = nnxp.__version__
root_doc = "docs/index"
# The repository's root is where sources are looked for, so that its pages link to each other here as they do there.
include_patterns = ["*.md", "benchmarks/README.md", "benchmarks/tabular/PROTOCOL.md", "benchmarks/diagnosis/*.md",
                    "docs/**", "tests/helpers/hostcuda/README.md"]  # fmt: skip
exclude_patterns = [".*", "build", "dist", "docs/_*", "docs/gallery", "docs/chapters", "findings", "nnxp", "runs",
                    "**/.*"]  # fmt: skip
extensions = [
    "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.viewcode", "numpydoc", "myst_parser",
    "sphinx_gallery.gen_gallery", "api", "mathml",
]  # fmt: skip

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4  # by GitHub's rule, which the pages' links follow
nitpicky = True
nitpick_ignore = [("py:class", "collections.abc.Callable")]
default_role = "name"
html_math_renderer = "mathml"

autosummary_generate = True
templates_path = [str(HERE / "_templates")]
autodoc_typehints = "none"  # the sections of a docstring say it
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
numpydoc_use_plots = False

html_theme = "pydata_sphinx_theme"
html_title = f"nnxp {release}"
# A font for formulas, for systems that have none (the SIL Open Font License lets it be shipped along).
html_static_path = ["_static", str(resources.files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf")]
html_css_files = ["site.css"]
html_extra_path = ["_extra"]  # the way in, since the home page is not at the root
html_copy_source = False
html_theme_options = {
    "show_prev_next": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"docs/index": []}

sphinx_gallery_conf = {
    "examples_dirs": ["docs/chapters", "docs/gallery"],
    "gallery_dirs": ["docs/auto_chapters", "docs/auto_gallery"],
    "filename_pattern": r"\.py$",  # all are run
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
}
