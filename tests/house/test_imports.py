"""The tree is the pipeline: a room reads from the rooms below it, never from those above."""

import pytest

ROOMS = [
    {"cli"},
    {"training"},
    {"adapters"},
    {"checks"},
    {"studies"},
    {"report"},
    {"results"},
    {"runs"},
    {"measures"},
    {"perturbation"},
    {"heatmaps"},
    {"network"},
    {"data"},
    {
        "bounds",
        "chunked",
        "defaults",
        "errors",
        "guarded",
        "json_objects",
        "lazily",
        "options",
        "parquet",
        "randomness",
        "registry",
        "showing",
        "visible",
        "wording",
        "zips",
    },
]
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
TYPES = {"heatproof.heatmaps.explaining.OwnMethod", "heatproof.perturbation.statistics.Statistics"}  # of options
DRAWING_READS = {"report", "errors", "lazily", "visible", "wording"}  # it draws plain data: no results, no tensors
SAYING = "heatproof.report.studies"  # of results; all else in the room draws
JUNK_DRAWERS = {"utils", "util", "utilities", "helpers", "helper", "common", "misc", "tools"}
LONGEST_MODULE = 300


def wrong_imports(module):
    """What ``module`` imports from rooms that it must not read."""
    if module.name in ("heatproof", "heatproof.__main__"):
        return []
    wrong = []
    for name in module.imported():
        room = name.split(".")[1] if "." in name else "heatproof"
        if module.room == "options" and name in TYPES:
            continue
        if room == module.room:
            if room == "report" and name.startswith(SAYING) and not module.name.startswith(SAYING):
                wrong.append(f"{module.name} imports {name}")
            continue
        if room not in LEVEL:  # the package itself: the top may read what is public, others the version
            allowed = module.room == "cli" or (name == "heatproof.__version__" and module.room != "report")
        elif module.room == "report" and not module.name.startswith(SAYING):
            allowed = room in DRAWING_READS
        else:
            lowest = LEVEL[room] == len(ROOMS) - 1  # single modules, which read one another
            allowed = lowest or LEVEL[room] > LEVEL[module.room]
        if not allowed:
            wrong.append(f"{module.name} imports {name}")
    return wrong


def test_every_module_stands_in_a_room(modules):
    assert {module.room for module in modules} - {"heatproof", "__main__"} <= set(LEVEL)


def test_rooms_read_from_rooms_below_only(modules):
    assert len(modules) > 30
    assert [wrong for module in modules for wrong in wrong_imports(module)] == []


@pytest.mark.parametrize(
    ("name", "source", "count"),
    [
        ("heatproof.network.made", "from heatproof.heatmaps import explain", 1),
        ("heatproof.network.made", "import heatproof.perturbation.curves", 1),
        ("heatproof.network.made", "def f():\n    from heatproof.measures import aopc, aopc_curve", 2),
        ("heatproof.network.made", "from ..heatmaps import explain", 1),
        ("heatproof.network.made", "from .export import export\nfrom ..data import load_images", 0),
        ("heatproof.network.made", "from heatproof import perturb", 1),
        ("heatproof.cli", "import heatproof\nfrom heatproof import perturb", 0),
        ("heatproof.report.made", "from heatproof.measures import aopc", 1),
        ("heatproof.report.made", "from heatproof.report.studies.ranking import ranking_verdict", 1),
        ("heatproof.report.studies.made", "from heatproof.results.ranking import rank", 0),
        ("heatproof.report.studies.made", "from heatproof.studies import compare", 1),
        ("heatproof.results.made", "from heatproof.report import Table", 1),
        ("heatproof.report.made", "from heatproof.errors import InputError", 0),
        ("heatproof.registry", "from heatproof.errors import InputError", 0),
        ("heatproof.errors", "from heatproof.data import load_images", 1),
        ("heatproof.studies.made", "from heatproof.report import Table\nfrom heatproof.runs import Run", 0),
        ("heatproof.measures.made", "from heatproof.runs import Run", 1),
    ],
)
def test_the_rule_catches_what_it_forbids(module_from, name, source, count):
    assert len(wrong_imports(module_from(source, name))) == count


def circles(modules):
    """Modules that import one another, over however many others, wherever the imports stand."""
    names = {module.name for module in modules}
    reads = {
        module.name: {_module_of(name, names) for name in module.imported()} - {module.name, ""} for module in modules
    }
    while True:  # what reads nothing that is left, or is read by nothing that is left, is in no circle
        read = set().union(*reads.values())
        free = {name for name, found in reads.items() if not found or name not in read}
        if not free:
            return sorted(reads)
        reads = {name: found - free for name, found in reads.items() if name not in free}


def _module_of(name, names):
    """The module that is imported, or that an imported object is in; nothing if it is none of these names."""
    while name and name not in names:
        name = name.rpartition(".")[0]
    return name


def test_no_modules_import_one_another(modules):
    assert circles([module for module in modules if not module.is_package]) == []


def test_circles_are_found(module_from):
    one, other, last = (
        module_from(f"def f():\n    from heatproof.{read} import g", f"heatproof.{name}")
        for name, read in (("a", "b"), ("b", "a"), ("c", "a"))
    )
    assert circles([one, other, last]) == ["heatproof.a", "heatproof.b"]
    assert circles([last, module_from("", "heatproof.a")]) == []


def test_nothing_is_a_junk_drawer(modules):
    assert [m.name for m in modules if JUNK_DRAWERS & set(m.name.strip("_").split("."))] == []


def test_modules_are_short(modules):
    lengths = {module.name: len(module.path.read_text(encoding="utf-8").splitlines()) for module in modules}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}
