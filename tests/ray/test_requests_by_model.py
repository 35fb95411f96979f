"""What is read from the page of metrics."""

from torch_serving.ray.requests_by_model import Difference, requests_in

PAGE = rb"""\
# TYPE torch_serving_requests_total counter
torch_serving_requests_total{code="200",method="forward",model="a.pt"} 3.0
torch_serving_requests_total{code="503",method="forward",model="a.pt"} 2.0
torch_serving_requests_total{code="200",method="forward",model="odd\"\\,name=\"b.pt"} 1e+06
torch_serving_requests_total{code="404",method="",model=""} 7.0
torch_serving_request_seconds_count{method="forward",model="a.pt"} 3.0
"""


def test_requests_of_each_model():
    assert requests_in(PAGE) == {"a.pt": 5, 'odd"\\,name="b.pt': 1_000_000}


def test_what_has_come_since_the_last_look():
    difference = Difference()
    assert difference.since(requests_in(PAGE))["a.pt"] == 5
    assert not difference.since(requests_in(PAGE))
    later = requests_in(PAGE.replace(b" 3.0\n", b" 9.0\n", 1))
    assert difference.since(later) == {"a.pt": 6}
