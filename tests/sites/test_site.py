import pytest
import torch

from eraserhead.errors import UserError
from eraserhead.sites.site import InsideName, float64_device, parse_inside


@pytest.mark.parametrize("text", ["layer", "layer:", "layer:x", "layer:1:some", "layer:-", "All", "1", ""])
def test_a_name_that_is_no_site_inside_a_model_is_refused(text):
    with pytest.raises(UserError, match="not a site inside a model"):
        parse_inside(text)


@pytest.mark.parametrize("text", ["layer:0", "layer:-1", "layer:12:all", "all"])
def test_a_name_is_written_as_it_is_read(text):
    assert str(parse_inside(text)) == text


def test_names_say_layer_and_queries():
    assert parse_inside("layer:-2") == InsideName(-2, every_query=False)
    assert parse_inside("layer:3:all") == InsideName(3, every_query=True)
    assert parse_inside("all") == InsideName(None)


def test_float64_is_computed_on_the_processor_where_the_device_has_none():
    devices = {"mps": "cpu", "cpu": "cpu", "cuda": "cuda"}
    assert {name: float64_device(torch.device(name)).type for name in devices} == devices
