"""Images: PNG is exact, JPEG is close, and both decoders agree to the bit."""

import io

import numpy as np
import pytest
from PIL import Image

from embodio.datasets import FeatureError
from embodio.datasets.codecs import image_codec
from embodio.datasets.codecs.image_codec import decode_image, decode_images_into, encode_image


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


def decoded_by(data: bytes, without: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> np.ndarray | None:
    """The pixels, or None where it is not an image, without some of the decoders."""
    with monkeypatch.context() as patch:
        for name in without:
            patch.setattr(image_codec, name, None)
        try:
            return decode_image(data)
        except FeatureError:
            return None


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
def test_decoders_agree(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    for image in (noise, smooth_image()):
        data = encode_image(image, encoding)
        for without in (("simplejpeg",), ("simplejpeg", "cv2")):
            assert np.array_equal(decoded_by(data, without, monkeypatch), decode_image(data))


@pytest.mark.parametrize(
    "how", [{"subsampling": 2}, {"subsampling": 1}, {"progressive": True}, {"restart_marker_blocks": 2}, {}]
)
def test_the_fastest_decoder_gives_the_same_pixels(how: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """For JPEG files of every kind, turned ones and grey ones among them, and whatever is damaged in them."""
    picture, buffer = Image.fromarray(smooth_image()), io.BytesIO()
    if not how:
        turned = Image.Exif()
        turned[0x112] = 6
        picture, how = picture.convert("L"), {"exif": turned}
    picture.save(buffer, "JPEG", quality=90, **how)
    data, generator = buffer.getvalue(), np.random.default_rng(2)
    damaged = [data[: int(cut)] for cut in generator.integers(2, len(data), 8)]
    for place, bit in zip(generator.integers(2, len(data), 12), generator.integers(0, 8, 12), strict=True):
        damaged.append(data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :])
    for content in (data, data + b"tail", *damaged):
        fast, slow = (decoded_by(content, without, monkeypatch) for without in ((), ("simplejpeg",)))
        assert (fast is None and slow is None) or np.array_equal(fast, slow)


@pytest.mark.parametrize("data", [b"", b"not an image"])
def test_bytes_that_are_no_image_are_refused(data: bytes) -> None:
    with pytest.raises(FeatureError, match="cannot be decoded"):
        decode_image(data)


def test_files_without_an_end_are_no_less_damaged_with_bytes_behind_them() -> None:
    """The bytes put behind a file for speed hide no damage: it is read as before, or refused as before."""
    good = encode_image(smooth_image(), "jpeg")
    assert image_codec.simplejpeg is not None
    for end in range(2, len(good)):
        with pytest.raises(ValueError, match=r"\w"):
            image_codec.simplejpeg.decode_jpeg(good[:end] + image_codec._TAIL, "RGB")


def test_several_images_are_decoded_into_one_array_and_the_damaged_ones_named() -> None:
    good, other = encode_image(smooth_image(), "jpeg"), encode_image(smooth_image()[:-8], "png")
    out = np.zeros((4, *smooth_image().shape), np.uint8)
    assert decode_images_into([good, other, b"", good], out) == [1, 2]
    for row in (0, 3):
        np.testing.assert_array_equal(out[row], decode_image(good))
