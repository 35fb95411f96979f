"""What the console draws of results: numbers, vectors, pictures, masks, boxes, texts, trees."""

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.answers import (
    HOSTILE,
    Answers,
    dictionary,
    scalar,
    string,
    strings,
    tensor,
)
from tests.support.axe import violations

ALONE = [
    (scalar(2.5), "2.5\nfloat64"),
    (scalar(2**63 - 1, "int64"), "9223372036854775807\nint64"),
    (scalar(-(2**63), "int64"), "-9223372036854775808\nint64"),
    (scalar("-Infinity"), "-Infinity\nfloat64"),
    (scalar(-0.0), "-0\nfloat64"),
    (scalar(True, "bool"), "true\nbool"),
    (scalar([1.5, -2], "complex128"), "1.5 - 2i\ncomplex128"),
    (tensor([], ["NaN"]), "NaN\ntensor float32 []"),
    (tensor([2, 0, 3], []), "tensor float32 [2, 0, 3]\nEmpty"),
    (string("a\n  b"), "a\n  b"),
    (string(""), "an empty text"),
    ({"type": "enum", "value": "RED"}, "RED"),
    ({"type": "none"}, "none"),
    (None, "none"),
    ([], "list, 0 members"),
]
TABLES = [
    (
        tensor([2, 2], [1.5, "NaN", "Infinity", -2]),
        [["index", "0", "1"], ["0", "1.5", "NaN"], ["1", "Infinity", "-2"]],
    ),
    (
        tensor([2, 1], [2**63 - 1, -1], "int64"),
        [["index", "value"], ["0", "9223372036854775807"], ["1", "-1"]],
    ),
    (tensor([1, 1], [True], "bool"), [["index", "value"], ["0", "true"]]),
    (
        tensor([1, 2, 1], [1, 2, 0, -1], "complex64"),
        [["index", "value"], ["0", "1 + 2i"], ["1", "0 - 1i"]],
    ),
    (
        [scalar(3, "int64"), scalar(1, "int64")],
        [["index", "value", "bar"], ["0", "3", ""], ["1", "1", ""]],
    ),
    (
        tensor([3], [0.5, 2, -1]),
        [["index", "value", "bar"], ["0", "0.5", ""], ["1", "2", ""], ["2", "-1", ""]],
    ),
]


def test_values_alone(answers: Answers):
    for result, shown in ALONE:
        answers.show(result)
        answers.browser.sees(shown, ".answer")


def test_small_tensors_are_tables(answers: Answers):
    for result, cells in TABLES:
        answers.show(result)
        assert answers.cells() == cells


def test_the_slice_of_more_dimensions_is_chosen(answers: Answers):
    answers.show(tensor([2, 3, 2, 2], list(range(24))))
    assert answers.cells() == [["index", "0", "1"], ["0", "0", "1"], ["1", "2", "3"]]
    first, second = answers.browser.all(".answer input[type=number]")
    first.send_keys(Keys.ARROW_UP)
    second.send_keys(Keys.BACKSPACE, "2")
    assert answers.cells() == [["index", "0", "1"], ["0", "20", "21"], ["1", "22", "23"]]


def test_tables_say_what_they_leave_out(answers: Answers):
    answers.show(tensor([150, 60], [0] * 9000))
    answers.select("Shown as", "Table")
    assert len(answers.cells()) == 101
    answers.browser.sees("50 more rows not shown", ".answer")
    answers.browser.sees("10 more columns not shown", ".answer")


def test_the_largest_of_a_vector_is_named(answers: Answers):
    scores = tensor([1, 3], [0.1, 0.7, 0.2])
    answers.show(scores)
    answers.browser.sees("Largest: 1 with 0.7", ".answer")
    answers.show([scores, strings("ant", "bee", "cat")])
    answers.browser.sees("Largest: bee (1) with 0.7", ".answer")
    assert [row[0] for row in answers.cells()] == ["index", "ant (0)", "bee (1)", "cat (2)"]


def test_a_dictionary_of_numbers_has_bars(answers: Answers):
    answers.show(dictionary(cat=scalar(2**53 + 1, "int64"), __proto__=scalar(-1, "int64")))
    assert answers.cells() == [
        ["index", "value", "bar"],
        ["cat", str(2**53 + 1), ""],
        ["__proto__", "-1", ""],
    ]
    answers.browser.sees("Largest: cat with", ".answer")
    answers.browser.sees("dictionary, 2 members", ".answer")
    for others in ({"a": string("a")}, {"a": scalar(1.0)}, {f"k{i}": scalar(i) for i in range(40)}):
        answers.show(dictionary(cat=scalar(1, "int64"), **others))
        assert answers.browser.all(".answer .leaf")


def test_members_are_further_in_than_what_holds_them(answers: Answers):
    answers.show(dictionary(a=string("a"), b=dictionary(c=string("c"), d=dictionary(e=string("")))))
    left = "return [...document.querySelectorAll('.answer :is(.leaf, summary) strong')].map("
    left += "(each) => [each.textContent, each.getBoundingClientRect().left])"
    for each in answers.browser.all(".answer > div > details > summary"):
        answers.browser.wait(lambda each=each: each.is_displayed())
    answers.browser.script(
        "document.querySelectorAll('.answer details details > summary').forEach((e) => e.click())"
    )
    found = dict(answers.browser.script(left))
    assert found["a"] == pytest.approx(found["b"], abs=4)
    assert found["c"] == pytest.approx(found["d"], abs=4)
    assert found["a"] + 8 < found["c"] < found["e"] - 8


def test_of_long_vectors_the_largest_are_listed(answers: Answers):
    answers.show(tensor([1000], [*range(999), "NaN"]))
    assert [row[0] for row in answers.cells()][:4] == ["index", "998", "997", "996"]
    answers.browser.sees("The 20 largest of 1000", ".answer")
    answers.browser.sees("1 not finite", ".answer")


def test_trees_fold(answers: Answers):
    point = {
        "type": "named_tuple",
        "name": "Point",
        "value": {"x": scalar(1, "int64"), "on": scalar(True, "bool")},
    }
    keys = {
        "type": "generic_dict",
        "key_type": "int",
        "value": [[2, string("b")], [-1, {"type": "none"}]],
    }
    answers.show([point, keys, tensor([2], [1, 2]), dictionary(deep=dictionary(er=strings("a")))])
    answers.browser.sees("list, 4 members", ".answer")
    names = [each.text for each in answers.browser.all(".answer summary")][:4]
    assert names == [
        "0 named tuple Point, 2 members",
        "1 dictionary, 2 members",
        "2 tensor float32 [2]",
        "3 dictionary, 1 member",
    ]
    leaves = [each.text for each in answers.browser.all(".answer .leaf")]
    assert leaves == ["x 1 (int64)", "on true (bool)", "2 “b”", "-1 none"]
    answers.browser.script("arguments[0].focus()", answers.browser.all(".answer summary")[3])
    answers.browser.press(Keys.ENTER)
    answers.browser.sees("deep dictionary, 1 member", ".answer")


def test_lists_say_what_they_leave_out(answers: Answers):
    answers.show(strings(*map(str, range(130))))
    assert len(answers.browser.all(".answer .leaf")) == 100
    answers.browser.sees("30 more members not shown", ".answer")


def test_results_are_text(answers: Answers):
    tree = dictionary(**{HOSTILE: string(HOSTILE), "boxes": tensor([1], [1], HOSTILE)})
    tree["value"]["t"] = {
        "type": "named_tuple",
        "name": HOSTILE,
        "value": {HOSTILE: string(HOSTILE * 3)},
    }
    answers.show(tree, model=HOSTILE, method=HOSTILE)
    answers.browser.sees(HOSTILE, ".answer")
    assert answers.browser.driver.title == "Answers"
    assert answers.browser.all(".answer :is(img, u, [onerror])") == []


def test_a_large_result_is_drawn(answers: Answers):
    answers.browser.script("return show({text: large([1, 21, 128, 128]), picture: [512, 512]})")
    assert answers.drawing().startswith("The picture that was sent, and over it")
    answers.browser.click(".raw summary")
    answers.browser.sees("the download has all", ".raw")
    assert (
        answers.browser.script("return document.querySelector('.raw code').textContent.length")
        == 200_000
    )


def test_what_is_no_json_is_shown_as_it_is(answers: Answers):
    answers.show_text(HOSTILE)
    answers.browser.sees(HOSTILE, ".answer .text")


def test_an_envelope_that_is_broken_is_said(answers: Answers):
    answers.show({"type": "tensor"})
    answers.browser.sees("This can't be drawn", ".answer [role=alert]")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_answers_are_accessible(answers: Answers, scheme: str):
    feature = {"name": "prefers-color-scheme", "value": scheme}
    answers.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    boxes = dictionary(boxes=tensor([1, 4], [1, 1, 90, 90]), scores=tensor([1], [0.9]))
    vector = tensor([40], [*range(39), "NaN"])
    mask = tensor([2, 12, 16], [i % 7 for i in range(384)])
    answers.show(
        [boxes, vector, mask, string("a"), tensor([3, 2, 2], list(range(12)))], picture=[160, 120]
    )
    for each in answers.browser.all(".answer details:not([open]) > summary"):
        answers.browser.script("arguments[0].click()", each)
    answers.browser.one(".answer .raw code")
    assert violations(answers.browser) == []
    assert answers.browser.script("return document.documentElement.scrollWidth - innerWidth") <= 0
