"""Images: PNG is exact, JPEG is close, and both decoders agree to the bit."""

import numpy as np
import pytest
from PIL import Image

from embodio.datasets import FeatureError
from embodio.datasets.rlds import image_codec
from embodio.datasets.rlds.image_codec import decode_image, encode_image


def smooth_image(channels: int = 3) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    image = np.array(Image.fromarray(coarse).resize((48, 40), Image.Resampling.BICUBIC))
    return np.ascontiguousarray(image[..., :channels])


@pytest.mark.parametrize("channels", [1, 3])
def test_png_is_exact(channels: int) -> None:
    image = smooth_image(channels)
    assert np.array_equal(decode_image(encode_image(image, "png"), channels), image)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_close(channels: int) -> None:
    image = smooth_image(channels)
    decoded = decode_image(encode_image(image, "jpeg"), channels)
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(int) - image).mean() < 1.5


def test_jpeg_keeps_colour_at_full_resolution() -> None:
    stripes = np.zeros((16, 16, 3), dtype=np.uint8)
    stripes[:, ::2] = [255, 0, 0]
    stripes[:, 1::2] = [0, 0, 255]
    decoded = decode_image(encode_image(stripes, "jpeg"))
    assert np.abs(decoded.astype(int) - stripes).max() < 40


def test_png_is_read_where_jpeg_was_declared() -> None:
    image = smooth_image()
    assert np.array_equal(decode_image(encode_image(image, "png"), 3), image)


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
@pytest.mark.skipif(image_codec.cv2 is None, reason="OpenCV is not installed")
def test_decoders_agree(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    for image in (noise, smooth_image()):
        data = encode_image(image, encoding)
        fast = decode_image(data)
        with monkeypatch.context() as patch:
            patch.setattr(image_codec, "cv2", None)
            assert np.array_equal(decode_image(data), fast)


@pytest.mark.parametrize("data", [b"", b"not an image"])
def test_bytes_that_are_no_image_are_refused(data: bytes) -> None:
    with pytest.raises(FeatureError, match="cannot be decoded"):
        decode_image(data)
