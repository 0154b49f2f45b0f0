"""Spectrograms -> what the network reads: normalised patches of inputs, and the normalised picture of a target."""

import numpy as np
import numpy.typing as npt

from embodio.model.processing.audio_features import AudioError, Spectrogram, log_mel

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

# Mean and spread of log-mel cells that inputs were normalised with (2 * 4.57 as the audio transformer's authors have
# it), and those of the tokeniser of targets.
INPUT_MEAN, INPUT_STD = np.float32(-4.26), np.float32(9.14)
TARGET_MEAN, TARGET_STD = np.float32(-5.0945), np.float32(3.8312)


def spectrogram_to_patches(sound: Spectrogram, size: tuple[int, int], patch: int) -> tuple[Floats, Ints]:
    """Normalises a spectrogram and cuts it into patches (paper, section 3.1).

    Args:
        sound: mel power [T, M].
        size: the (time, mel) cells that the model takes; multiples of `patch`.
        patch: side of a patch in cells.

    Returns:
        float32 [N, patch * patch], patches and their cells in (time, mel) order; and int32 [N], 1 where the cell in the
        middle of the patch holds sound. Cells without sound are 0 before they are normalised.

    Raises:
        AudioError: the spectrogram has another size.
    """
    cells, present = _log_cells(sound, size)
    normal = (cells - INPUT_MEAN) / INPUT_STD
    rows, columns = size[0] // patch, size[1] // patch
    grid = normal.reshape(rows, patch, columns, patch).transpose(0, 2, 1, 3)
    return grid.reshape(rows * columns, patch * patch), _centres(present, (patch, patch))


def spectrogram_to_target(sound: Spectrogram, size: tuple[int, int], patch: tuple[int, int]) -> tuple[Floats, Ints]:
    """Normalises a spectrogram as the tokeniser of audio targets takes it.

    Args:
        sound: mel power [T, M].
        size: the (time, mel) cells that the tokeniser takes.
        patch: (time, mel) cells of one code.

    Returns:
        float32 [T, M, 1]; and int32 [N], 1 where the middle of the code's cells holds sound, in (time, mel) order.

    Raises:
        AudioError: the spectrogram has another size.
    """
    cells, present = _log_cells(sound, size)
    return ((cells - TARGET_MEAN) / TARGET_STD)[..., None], _centres(present, patch)


def target_to_power(target: npt.NDArray[np.floating]) -> Floats:
    """Undoes the normalisation and logarithm of a target or a generated spectrogram: mel power, float32, same shape."""
    return np.exp(target.astype(np.float32) * TARGET_STD + TARGET_MEAN)


def _log_cells(sound: Spectrogram, size: tuple[int, int]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    if sound.power.shape != tuple(size):
        hint = "; transpose it" if sound.power.shape == tuple(size)[::-1] else ""
        raise AudioError(f"expected a spectrogram [time, mel] of {tuple(size)} cells, found {sound.power.shape}{hint}")
    return log_mel(sound.power)


def _centres(present: npt.NDArray[np.bool_], patch: tuple[int, int]) -> Ints:
    return present[patch[0] // 2 :: patch[0], patch[1] // 2 :: patch[1]].reshape(-1).astype(np.int32)
