"""What the command writes stays what it is, for every verb and every shipped model.

The cases of commands.txt that are marked "suite" are run and compared with the texts in expected/,
one for each case: what the commands said, then every file, notes by notes and arrays by a few
numbers. Whole numbers, notes and words have to be equal; decimals may differ in their last places,
for other processors sum in another order.

A change that is meant: renew the texts with

    python tests/golden/record.py update            all, or --only PATTERN

and read what ``git diff tests/golden/expected`` says before you commit it. That nothing changes in
a rewriting is shown best by comparing bytes, over all cases: see record.py.
"""

import pytest

from tests.golden.decoding import decoded
from tests.golden.describing import differences
from tests.golden.expecting import CODES, EXPECTED, case_text
from tests.golden.inputs import write_inputs
from tests.golden.running import SURROUNDINGS, read_cases, run_case, with_needs

CASES = read_cases()
SUITE = [name for name, case in CASES.items() if case.suite]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    write_inputs(folder / "in")
    return folder


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    for name, value in SURROUNDINGS.items():
        monkeypatch.setenv(name, value)


def check(name, found):
    expected = (EXPECTED / f"{name}.txt").read_text(encoding="utf-8")
    changed = differences(expected, found)
    assert not changed, f"{name} writes something else:\n" + "\n".join(changed[:60])


@pytest.mark.parametrize("name", SUITE)
def test_what_is_written_stays(name, work):
    for case in with_needs([name], CASES):
        if not (work / "cases" / case.name).exists():
            ran = run_case(case, work)
            (work / f"{case.name}.txt").write_text(
                case_text(ran, work / "cases" / case.name), encoding="utf-8"
            )
    check(name, (work / f"{name}.txt").read_text(encoding="utf-8"))


def test_what_codes_decode_to_stays(work):
    check(CODES, decoded(work / "in"))


def test_every_text_is_of_a_case():
    assert sorted(path.stem for path in EXPECTED.iterdir()) == sorted([*SUITE, CODES])
