"""All models of the zoo, by name."""

from tests.support.zoo.control import CONTROL
from tests.support.zoo.images import IMAGES
from tests.support.zoo.layers import LAYERS
from tests.support.zoo.model import ZooModel
from tests.support.zoo.numbers import NUMBERS
from tests.support.zoo.trees import TREES

ZOO: dict[str, ZooModel] = {
    model.name: model for model in (*LAYERS, *IMAGES, *TREES, *NUMBERS, *CONTROL)
}
