"""What the console says of a response besides its result: times, errors, history."""

from tests.support.answers import Answers, dictionary, scalar, string, tensor
from tests.support.axe import violations

TIMES = 'queue;dur=1, decode;dur=2, forward;dur=30.5, encode;dur=4, total;dur=40, batch;desc="3"'
HOSTILE = "<img src=x onerror=\"document.title='executed'\">"
ERRORS = [
    (
        503,
        {"description": "Server overloaded", "detail": "full"},
        {"retry_after": "2"},
        "Try again in\n2 s",
    ),
    (500, {"description": "Inference failed", "detail": "a", "trace": "line 1"}, {}, "Trace"),
    (504, {"description": "Deadline exceeded"}, {}, "--request-timeout"),
    (413, {"description": "Request body too large"}, {}, "--max-body"),
    (400, {"error": "Invalid Input JSON: no"}, {}, "Status 400\nInvalid Input JSON: no"),
    (502, None, {}, "Status 502"),
]
DIFFERENT = [
    (
        dictionary(p=tensor([2, 2], [1, 2, 100, 4])),
        dictionary(p=tensor([2, 2], [1, 2.5, 99, 4])),
        [
            "2 of 4 values differ",
            "Largest absolute difference 1 at /p[1, 0]: 100 and 99",
            "Largest relative difference 20 % at /p[0, 1]: 2 and 2.5",
        ],
    ),
    (
        tensor([1, 1], [2**63 - 1], "int64"),
        tensor([1, 1], [2**63 - 3], "int64"),
        [
            "1 of 1 value differ",
            "Largest absolute difference 2 at [0, 0]: 9223372036854775807 and ",
        ],
    ),
    (
        tensor([2, 1], ["NaN", 1]),
        tensor([2, 1], [3, 1]),
        ["Largest absolute difference Infinity at [0, 0]: NaN and 3"],
    ),
    (
        tensor([2], [1, 2]),
        tensor([1], [1]),
        ["Result: tensor float32 [2], and tensor float32 [1]"],
    ),
    ([string("a"), scalar(1)], [string("b"), scalar(1)], ["1 of 2 values differ"]),
    ([string("a")], {"type": "none"}, ["Result: list of 0, and none"]),
]


def test_time_in_steps(answers: Answers):
    answers.show(
        scalar(1),
        headers={"server-timing": TIMES},
    )
    answers.browser.sees("m.pt, 50 ms", ".answer")
    steps = [
        "Queue 1 ms",
        "Decode 2 ms",
        "Forward 30.5 ms",
        "Encode 4 ms",
        "Rest of the server 2.5 ms",
        "Network and browser 10 ms",
    ]
    assert [each.text for each in answers.browser.all(".answer .legend > *")] == [
        *steps,
        "Batch of 3",
    ]
    assert answers.browser.attribute(".steps", "aria-label") == ", ".join(steps)
    widths = [each.get_attribute("width") for each in answers.browser.all(".steps rect")]
    assert widths == ["1", "2", "30.5", "4", "2.5", "10"]


def test_colours_that_mean_something_stay_where_colours_are_forced(answers: Answers):
    command = answers.browser.driver.execute_cdp_cmd
    forced = {"name": "forced-colors", "value": "active"}
    command("Emulation.setEmulatedMedia", {"features": [forced]})
    answers.show(tensor([2], [1, 2]))
    code = "return [...document.querySelectorAll(arguments[0])].map((e) => getComputedStyle(e))"
    legend = answers.browser.script(f"{code}.map((style) => style.color)", ".answer .legend > .c1")
    lines = answers.browser.script(f"{code}.map((style) => style.color)", ".answer .legend > .c2")
    bars = answers.browser.script(f"{code}.map((style) => style.backgroundColor)", ".amount")
    assert legend != lines
    assert bars == legend * 2


def test_times_that_are_not_told(answers: Answers):
    for header in ("", "cache", "queue", "queue;dur=x, total;dur=", "total;dur=5"):
        answers.show(scalar(1), headers={"server-timing": header})
        answers.browser.sees("m.pt, 50 ms", ".answer")
        assert "NaN" not in answers.browser.text(".answer")


def test_an_error_says_where_and_what_to_do(answers: Answers):
    detail = f"/x/value/1: `x`: Tensor: {HOSTILE} is no number"
    document = {
        "code": 400,
        "message": "Client Error",
        "description": "Invalid Input JSON",
        "detail": detail,
    }
    answers.show_error(400, document, x_request_id="r-1")
    answers.browser.sees(f"Invalid Input JSON\n{detail}", ".answer [role=alert]")
    answers.browser.sees("Field\n/x/value/1", ".answer dl")
    answers.browser.sees("Try\nChange this field", ".answer dl")
    answers.browser.sees("Request\nr-1", ".answer dl")
    assert answers.browser.all(".answer img") == []


def test_errors(answers: Answers):
    for status, document, headers, shown in ERRORS:
        answers.show_error(status, document, **headers)
        answers.browser.sees(shown, ".answer")
        answers.browser.sees(str(status), ".answer .badge.bad")


def test_no_response(answers: Answers):
    answers.show_text("", status=0, headers={}, problem="The server does not answer.")
    answers.browser.sees("No response\nThe server does not answer.", ".answer")
    assert answers.browser.all(".answer .raw") == []


def test_the_raw_answer(answers: Answers):
    answers.show(string("é"))
    answers.browser.click(".raw summary")
    answers.browser.sees('{"code": 200, "result": {"type": "string"', ".raw code")
    assert [each.text for each in answers.browser.all(".raw button")] == ["Copy", "Download"]


def test_an_answer_that_is_awaited(answers: Answers):
    answers.show(scalar(1))
    answers.browser.script("pending()")
    assert answers.browser.text(".answer > div") == "Waiting for the answer"
    answers.show(scalar(2))
    answers.browser.sees("2\nfloat64", ".answer")


def open_history(answers: Answers) -> None:
    answers.browser.click(".answer > details > summary")


def rows(answers: Answers) -> int:
    return len(answers.browser.all(".history > li"))


def press(answers: Answers, row: int, name: str) -> None:
    answers.browser.click(f".history > li:nth-child({row}) button[aria-label^='{name}']")


def test_those_before_are_seen_again(answers: Answers):
    answers.show(scalar(1), inputs={"x": "first"})
    answers.show_error(400, {"description": "Invalid JSON"})
    open_history(answers)
    assert rows(answers) == 2
    press(answers, 2, "Show")
    answers.browser.sees("1\nfloat64", ".answer")
    press(answers, 2, "Reuse inputs")
    assert answers.browser.script("return reused") == {"x": "first"}


def test_the_history_is_bounded(answers: Answers):
    code = "for (let i = 0; i < 60; i++) show({model: `m${i}`})"
    answers.browser.script(code)
    open_history(answers)
    answers.browser.wait(lambda: rows(answers) == 50)
    answers.browser.sees("m59", ".history > li:first-child")


def test_large_answers_leave_the_history(answers: Answers):
    code = "return show({sent_bytes: arguments[0]})"
    for size in (30_000_000, 30_000_000, 1000):
        answers.browser.script(code, size)
    open_history(answers)
    assert rows(answers) == 2
    answers.browser.script(code, 80_000_000)
    assert rows(answers) == 1


def test_two_results_that_are_the_same(answers: Answers):
    for _ in range(2):
        answers.show([tensor([2], [1, "NaN"]), string("a")])
    open_history(answers)
    press(answers, 2, "Compare")
    answers.browser.sees("The same result", ".answer li")
    assert answers.cells()[1:3] == [["Status", "200", "200"], ["Time", "50 ms", "50 ms"]]
    assert ["Forward", "30 ms", "30 ms"] in answers.cells()
    assert len(answers.browser.all(".answer .grid > section")) == 2


def test_two_results_that_differ(answers: Answers):
    answers.show(None)
    open_history(answers)
    for one, other, sentences in DIFFERENT:
        answers.show(other)
        answers.show(one)
        press(answers, 2, "Compare")
        for each in sentences:
            answers.browser.sees(each, ".answer > div > ul")


def test_a_result_and_an_error(answers: Answers):
    answers.show_error(503, {"description": "Server overloaded"})
    answers.show(scalar(1))
    open_history(answers)
    press(answers, 2, "Compare")
    answers.browser.sees("One of them has no result", ".answer")
    assert violations(answers.browser) == []


def test_an_error_is_accessible(answers: Answers):
    answers.show_error(
        500,
        {"description": "Inference failed", "detail": "/x: a", "trace": "line"},
        retry_after="1",
        x_request_id="r",
    )
    for each in answers.browser.all(".answer details:not([open]) > summary"):
        answers.browser.script("arguments[0].click()", each)
    assert violations(answers.browser) == []
    assert answers.browser.script("return document.documentElement.scrollWidth - innerWidth") <= 0
