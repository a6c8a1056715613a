"""Laws of convolution lists: they are the convolution, seen from both sides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.neurons.errors import CircuitError
from simedge.neurons.geometry import Convolution

shapes = st.builds(
    Convolution,
    width=st.integers(3, 7),
    height=st.integers(3, 7),
    channels=st.integers(1, 3),
    maps=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
)


def dense(shape, image, weights):
    """Convolve (height, width, channels) with (kernel, kernel, channels, maps), plainly."""
    edge = ((shape.padding,) * 2, (shape.padding,) * 2, (0, 0))
    wide = np.pad(image, edge)
    out = np.zeros((shape.down, shape.across, shape.maps))
    for row in range(shape.down):
        for column in range(shape.across):
            top, left = row * shape.stride, column * shape.stride
            patch = wide[top : top + shape.kernel, left : left + shape.kernel]
            out[row, column] = np.tensordot(patch, weights, axes=3)
    return out.reshape(shape.columns, shape.maps)


@given(shape=shapes, seed=st.integers(0, 99))
def test_the_lists_are_the_convolution(shape, seed):
    words = np.random.Generator(np.random.Philox(seed))
    image = words.random((shape.height, shape.width, shape.channels))
    weights = words.random((shape.kernel, shape.kernel, shape.channels, shape.maps))
    flat, kernel = image.ravel(), weights.reshape(shape.taps, shape.maps)
    out, seen = np.zeros((shape.columns, shape.maps)), np.zeros((shape.columns, shape.maps))
    fan_out, fan_in = shape.fan_out(), shape.fan_in()
    for line in range(shape.inputs):
        for e in range(fan_out.start[line], fan_out.start[line + 1]):
            out[fan_out.other[e]] += flat[line] * kernel[fan_out.tap[e]]
    for column in range(shape.columns):
        for e in range(fan_in.start[column], fan_in.start[column + 1]):
            seen[column] += flat[fan_in.other[e]] * kernel[fan_in.tap[e]]
    np.testing.assert_allclose(out, dense(shape, image, weights))
    np.testing.assert_allclose(seen, out)


def test_the_usual_layer():
    shape = Convolution(width=16, height=16, channels=2, maps=8, kernel=5, stride=2)
    assert (shape.across, shape.down, shape.columns) == (6, 6, 36)
    assert (shape.neurons, shape.inputs, shape.taps) == (288, 512, 50)


def test_a_kernel_larger_than_the_image_is_refused():
    with pytest.raises(CircuitError, match="does not fit"):
        Convolution(width=4, height=9, channels=1, maps=1, kernel=5, stride=1)
