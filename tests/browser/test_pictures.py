"""Matrices, images, masks and boxes are drawn as pictures."""

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.answers import (
    HOSTILE,
    Answers,
    dictionary,
    strings,
    tensor,
)

IMAGES = [
    (tensor([3, 8, 9], [1.0] * 72 + [0.2] * 72 + [0.0] * 72), [255, 51, 0, 255]),
    (tensor([1, 3, 8, 9], [255] * 72 + [51] * 72 + [0] * 72, "uint8"), [255, 51, 0, 255]),
    (tensor([8, 9, 3], [0, 128, 255] * 72), [0, 128, 255, 255]),
    (tensor([8, 9, 3], [0, 0, 1] * 72, "uint8"), [0, 0, 1, 255]),
]


def test_a_matrix_is_a_picture(answers: Answers):
    answers.show(tensor([20, 30], ["NaN", *range(1, 600)]))
    assert answers.drawing() == "20 rows and 30 columns, from 1 to 599"
    assert answers.pixel(0, 0) == [255, 0, 255, 255]
    assert answers.pixel(29, 19) == [253, 231, 37, 255]
    answers.browser.sees("1 not finite; NaN is magenta", ".answer")
    high = answers.browser.one(".answer label:nth-child(2) > input[type=number]")
    answers.browser.script(
        "arguments[0].value = 2; arguments[0].dispatchEvent(new Event('input'))", high
    )
    assert answers.pixel(3, 0) == [253, 231, 37, 255]


def test_values_of_a_picture_by_keys_and_pointer(answers: Answers):
    answers.show(tensor([21, 31], list(range(651))))
    canvas = answers.browser.one(".answer canvas")
    canvas.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    answers.browser.sees("row 1, column 1: 32", ".answer output")
    answers.browser.click(".answer canvas")
    answers.browser.sees("row 10, column 15: 325", ".answer output")
    width = canvas.size["width"]
    answers.slide("Zoom", 2)
    assert canvas.size["width"] == pytest.approx(2 * width, abs=1)


def test_images_have_their_colours(answers: Answers):
    for result, color in IMAGES:
        answers.show(result)
        assert answers.drawing() == "A picture in colours, 9 wide and 8 high"
        assert answers.pixel(0, 0) == color
        answers.select("Shown as", "Picture")
        assert "columns" in answers.drawing()


@pytest.mark.parametrize("shape", [[4, 12, 16], [1, 4, 12, 16]])
def test_of_a_mask_with_classes_the_largest_is_seen(answers: Answers, shape: list[int]):
    layers = [float(i % 16 // 6 == k) for k in range(4) for i in range(192)]
    names = strings("ground", "cat", HOSTILE, "dog")
    answers.show([tensor(shape, layers), names], picture=[160, 120])
    assert answers.drawing().startswith(
        "The picture that was sent, and over it 0 ground: 37.5 % (clear)"
    )
    answers.browser.sees(f"2 {HOSTILE}: 25 %", "figure ~ .legend")
    assert answers.pixel(5, 5) == [255, 0, 0, 255]
    assert answers.pixel(300, 5) != [255, 0, 0, 255]
    answers.slide("Opacity of the mask", 0)
    assert answers.pixel(300, 5) == [255, 0, 0, 255]
    answers.select("Shown as", "Mask over the picture")
    assert answers.drawing() == "The picture that was sent, and over it values from 0 to 1"


def test_an_image_as_large_as_the_one_that_was_sent_is_no_mask(answers: Answers):
    answers.show(tensor([3, 12, 16], [0.5] * 576), picture=[160, 120])
    assert answers.drawing() == "A picture in colours, 16 wide and 12 high"


def test_a_mask_of_numbers_lies_over_the_picture(answers: Answers):
    answers.show(
        tensor([12, 16], [i % 16 // 8 * 5 for i in range(192)], "int64"), picture=[160, 120]
    )
    assert answers.drawing() == "The picture that was sent, and over it 0: 50 % (clear), 5: 50 %"
    answers.show(tensor([12, 12], [0] * 144, "int64"), picture=[160, 120])
    assert answers.browser.all(".answer canvas") == []  # of another ratio: a table


def test_boxes_are_drawn_and_listed(answers: Answers):
    boxes = tensor([2, 4], [10, 10, 50, 90, 20, 20, 60, 60])
    labels = strings("cat", HOSTILE)
    found = dictionary(boxes=boxes, scores=tensor([2], [0.9, 0.75]), labels=labels)
    answers.show(found, picture=[200, 100])
    said = "The picture that was sent, and over it boxes; the table names them: 2"
    assert answers.drawing() == said
    assert answers.cells() == [
        ["box", "what", "left", "top", "right", "bottom"],
        ["0", "cat 0.9", "10", "10", "50", "90"],
        ["1", f"{HOSTILE} 0.75", "20", "20", "60", "60"],
    ]
    assert answers.pixel(32, 200) != [255, 0, 0, 255]  # the left edge, as drawn 3.2 times as large
    canvas = answers.browser.one(".answer canvas")
    canvas.send_keys(Keys.ARROW_RIGHT)
    answers.browser.sees("no box", ".answer output")
    canvas.send_keys(*[Keys.ARROW_RIGHT, Keys.ARROW_DOWN] * 36)
    answers.browser.sees("box 0 cat 0.9", ".answer output")


def test_shares_of_the_picture_are_boxes_too(answers: Answers):
    boxes = tensor([1, 1, 4], [0.25, 0, 0.75, 1])
    answers.show(
        [dictionary(pred_boxes=boxes, labels=tensor([1], [7], "int64"))], picture=[200, 100]
    )
    assert answers.cells()[1] == ["0", "7", "0.25", "0", "0.75", "1"]
    assert answers.pixel(160, 160) != [255, 0, 0, 255]
