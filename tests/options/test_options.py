"""Options are declared once: the Python functions, the commands and study files say the same of each."""

import doctest
import inspect
from typing import Annotated

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from tests.records import RUN

import heatproof as hp
from heatproof.bounds import Bounds
from heatproof.cli.application import app
from heatproof.cli.keys import keys_of
from heatproof.options import changing
from heatproof.options import studies as groups
from heatproof.options.option import Option, as_declared, declared
from heatproof.perturbation import Protocol
from heatproof.runs.run_record import ProtocolRecord, _stored

FUNCTIONS = {
    "compare": hp.compare,
    "replacements": hp.compare_replacements,
    "assess": hp.assess,
    "complexity": hp.complexity,
    "plan": hp.plan_comparison,
    "protocol": hp.compare_protocols,
    "planted": hp.planted,
    "stability": hp.stability,
    "randomisation": hp.randomisation,
}
COMMANDS = {command.name: command.callback for command in app.registered_commands}
OTHERS = {"network", "checkpoints", "images", "methods", "labels"}  # texts for commands, objects for Python
TAKERS = [*FUNCTIONS.values(), hp.perturb]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_command_and_its_function_share_has_one_default(name):
    keys = {key.declared.field: key for key in keys_of(COMMANDS[name]).values()}
    shared = keys.keys() & inspect.signature(FUNCTIONS[name]).parameters.keys() - OTHERS
    some = {
        "complexity": {"memory"},
        "planted": {"memory"},
        "protocol": {"memory", "repeats", "scored", "candidates"},
        "stability": {"memory", "seed", "noise", "shift", "draws", "tolerance"},
        "randomisation": {"memory", "seed", "groups"},
    }
    assert shared >= some.get(name, {"memory", "repeats", "regions", "steps"})
    for field in shared:
        assert keys[field].declared.default == inspect.signature(FUNCTIONS[name]).parameters[field].default


def test_one_default_for_all_functions():
    found = {}
    for function in TAKERS:
        for name, parameter in inspect.signature(function).parameters.items():
            if name in {field.name for field in declared(groups.Perturbing)}:
                found.setdefault(name, set()).add(parameter.default)
    by_protocol = {"regions": {"auto", 9}, "replacement": {"auto", "uniform"}}  # where a protocol says what they are
    assert {name: values for name, values in found.items() if len(values) > 1} == by_protocol
    assert found["repeats"] == {Protocol().repeats} == {1}


@pytest.mark.parametrize("function", TAKERS)
def test_every_argument_is_described(function):
    text = function.__doc__
    assert [name for name in inspect.signature(function).parameters if f"\n    {name}: " not in text] == []


@pytest.mark.parametrize("function", TAKERS)
def test_the_examples_run(function):
    (example,) = doctest.DocTestFinder().find(inspect.unwrap(function), globs=function.__wrapped__.__globals__.copy())
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"repeats": 0}, hp.InputError, "repeats must be a whole number from 1 to 10,000, got 0"),
        ({"repeats": 1.5}, TypeError, "repeats must be a whole number, got 1.5"),
        ({"seed": True}, TypeError, "seed must be a whole number, got True"),
        ({"repeat": 2}, TypeError, r"unknown argument of compare\(\) 'repeat'; did you mean 'repeats'\?"),
    ],
)
def test_wrong_arguments(given, error, message):
    with pytest.raises(error, match=message):
        hp.compare(None, torch.rand(1, 3, 4, 4), **given, protocol="samek2017")


def test_missing_and_doubled_arguments():
    with pytest.raises(TypeError, match=r"compare\(\) missing a required argument: 'images'"):
        hp.compare(None, protocol="samek2017")
    with pytest.raises(TypeError, match=r"compare\(\) multiple values for argument 'network'"):
        hp.compare(None, network=None, protocol="samek2017")


def test_all_numbers_have_bounds():
    """A command checks what Python checks."""
    plain = {"indifference"}  # checked where the rule is made
    for group in (*vars(groups).values(), *vars(changing).values()):
        for one in declared(group) if hasattr(group, "__dataclass_fields__") else []:
            numeric = one.hint in (int, float, int | None, float | None)
            if isinstance(one.option, Option) and numeric and one.field not in plain:
                assert one.option.bounds, one.field


@pytest.mark.parametrize(
    ("hint", "bounds", "good", "bad"),
    [
        (int | None, Bounds(1, 9), [1, 9, None], [0, 10, 1.5, "1"]),
        (float, Bounds(0.0, 1.0), [0, 0.5, 1.0], [-0.1, 1.1, float("nan"), float("inf"), "0.5", None]),
        (bool, None, [True, False], [1, "true", None]),
        ("str | Tensor", None, ["slic"], [None, 1]),
    ],
)
def test_an_option_of_each_kind_is_stored_in_the_record_of_a_run(hint, bounds, good, bad):
    record = TypeAdapter(_stored(as_declared("made", Annotated[hint, Option(bounds=bounds)], None)))
    for value in good:
        assert record.validate_python(value, strict=True) == value
    for value in bad:
        with pytest.raises(ValidationError, match="validation error"):
            record.validate_python(value, strict=True)


def test_what_studies_changed_is_read_as_it_was_written():
    for options in (changing.StabilityOptions(noise=0.1, draws=3), changing.RandomisationOptions(groups=4)):
        assert changing.changing_read(changing.changing_described(options)) == options
    with pytest.raises(hp.InputError, match="unknown study 'stable'; did you mean 'stability'"):
        changing.changing_read({"study": "stable"})
    with pytest.raises(hp.InputError, match="unknown study 'None'"):
        changing.changing_read({"groups": 3})


@pytest.mark.parametrize("name", sorted(RUN["plan"]["protocol"]))
def test_a_record_that_lacks_an_option_is_refused(name):
    """Only an option that is added later may be missing, in runs of before."""
    protocol = {key: value for key, value in RUN["plan"]["protocol"].items() if key != name}
    with pytest.raises(hp.InputError, match=f"run.json: {name} "):
        ProtocolRecord.of(protocol, "run.json")
