"""Three-dimensional quantities as value tokens: object cuboids, camera poses and robot positions.

The ranges are those of the published code, which does not use them; where it does not state a unit, the choice of this
package is marked as such.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.processing.image import ImageFit
from embodio.model.tasks.locations.codec import Ids, LocationCodec, LocationError, ValueRange

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

CENTRE = ValueRange("centre of a cuboid as a share of the canvas", -0.1, 1.1)
DEPTH = ValueRange("depth of a cuboid in kilometres", -0.001, 0.1)
DIMENSION = ValueRange("logarithm of 1 + side of a cuboid in metres", 0.0, 6.0)
ROTATION = ValueRange("entry of a rotation matrix", -1.0, 1.0)
THETA = ValueRange("change of the camera's polar angle in radians", -np.pi, np.pi)
SINUSOID = ValueRange("sine or cosine", -1.0, 1.0)
RADIUS = ValueRange("change of the camera's distance", -0.7, 0.7)
POSITION = ValueRange("coordinate of a position in metres", -50.0, 50.0)

CUBOID_TOKENS, POSE_TOKENS, POSITION_TOKENS = 12, 4, 3

# Tolerance of computed rotation matrices: entries outside [-1, 1], and deviation of the rows from orthonormal.
_ROTATION_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Cuboid:
    """A 3D object in camera coordinates (paper, appendix B.1).

    Attributes:
        centre: (u, v), the projected centre: column and row in pixels of the image; may lie slightly outside it.
        depth: virtual depth in metres.
        size: width, height, length in metres.
        rotation: float [3, 3], allocentric rotation.
    """

    centre: tuple[float, float]
    depth: float
    size: tuple[float, float, float]
    rotation: Doubles


@dataclass(frozen=True)
class CameraPose:
    """The pose of a camera relative to another that views the same object (paper, appendix B.1).

    Attributes:
        theta: change of the polar angle in radians, -pi .. pi.
        phi: change of the azimuth in radians; read as -pi .. pi.
        radius: change of the distance, -0.7 .. 0.7.
    """

    theta: float
    phi: float
    radius: float


def write_cuboid(codec: LocationCodec, cuboid: Cuboid, fit: ImageFit) -> Ids:
    """Writes a cuboid as 12 value ids, int64 [12]: u, v, depth, width, height, length, first two rows of the rotation.

    Choices of this package: depth in kilometres, so that the published range covers 100 m, and log(1 + metres) for the
    sides.

    Raises:
        LocationError: a number is outside its range, or the matrix is not a rotation.
    """
    rotation = np.asarray(cuboid.rotation, dtype=np.float64)
    if not _is_rotation(rotation):
        raise LocationError("rotation: expected a matrix [3, 3] that is orthonormal and not mirrored")
    offset, sides = np.array([fit.left, fit.top]), np.array([fit.canvas[1], fit.canvas[0]])
    centre = (np.asarray(cuboid.centre, dtype=np.float64) * fit.scale + offset) / sides
    if min(cuboid.size) < 0:
        raise LocationError(f"size: the sides {cuboid.size} must not be negative")
    parts = (
        codec.numbers_to_ids(centre, CENTRE),
        codec.numbers_to_ids([cuboid.depth / 1000], DEPTH),
        codec.numbers_to_ids(np.log1p(cuboid.size), DIMENSION),
        codec.numbers_to_ids(np.clip(rotation[:2].reshape(-1), -1, 1), ROTATION),
    )
    return np.concatenate(parts)


def read_cuboid(codec: LocationCodec, ids: npt.ArrayLike, fit: ImageFit) -> Cuboid:
    """Reads a cuboid from 12 value ids; the rotation is orthonormalised.

    Raises:
        LocationError: there are not 12 ids, or the two rows of the rotation are parallel.
        VocabularyError: an id is not a value id.
    """
    tokens = _tokens(ids, CUBOID_TOKENS, "a cuboid")
    offset, sides = np.array([fit.left, fit.top]), np.array([fit.canvas[1], fit.canvas[0]])
    u, v = (codec.ids_to_numbers(tokens[:2], CENTRE) * sides - offset) / fit.scale
    depth = codec.ids_to_numbers(tokens[2], DEPTH) * 1000
    width, height, length = np.expm1(codec.ids_to_numbers(tokens[3:6], DIMENSION))
    rotation = orthonormal(codec.ids_to_numbers(tokens[6:], ROTATION).reshape(2, 3))
    return Cuboid((float(u), float(v)), float(depth), (float(width), float(height), float(length)), rotation)


def orthonormal(rows: Doubles) -> Doubles:
    """The rotation float64 [3, 3] spanned by two rows [2, 3]; the first row keeps its direction.

    Raises:
        LocationError: a row is zero, or the rows are parallel.
    """
    first_length = np.linalg.norm(rows[0])
    first = rows[0] / max(first_length, np.finfo(np.float64).tiny)
    rest = rows[1] - (first @ rows[1]) * first
    rest_length = np.linalg.norm(rest)
    if first_length < 1e-6 or rest_length < 1e-6:
        raise LocationError("rotation: the two rows are zero or parallel, which gives no rotation")
    second = rest / rest_length
    return np.stack([first, second, np.cross(first, second)])


def write_pose(codec: LocationCodec, pose: CameraPose) -> Ids:
    """Writes a camera pose as 4 value ids, int64 [4]: theta, sin(phi), cos(phi), radius.

    Raises:
        LocationError: a number is outside its range.
    """
    parts = (
        codec.numbers_to_ids([pose.theta], THETA),
        codec.numbers_to_ids([np.sin(pose.phi), np.cos(pose.phi)], SINUSOID),
        codec.numbers_to_ids([pose.radius], RADIUS),
    )
    return np.concatenate(parts)


def read_pose(codec: LocationCodec, ids: npt.ArrayLike) -> CameraPose:
    """Reads a camera pose from 4 value ids.

    Raises:
        LocationError: there are not 4 ids.
        VocabularyError: an id is not a value id.
    """
    tokens = _tokens(ids, POSE_TOKENS, "a camera pose")
    sine, cosine = codec.ids_to_numbers(tokens[1:3], SINUSOID)
    theta, radius = codec.ids_to_numbers(tokens[0], THETA), codec.ids_to_numbers(tokens[3], RADIUS)
    return CameraPose(float(theta), float(np.arctan2(sine, cosine)), float(radius))


def write_position(codec: LocationCodec, position: npt.ArrayLike) -> Ids:
    """Writes a position (x, y, z) in metres, y up, as 3 value ids in the order x, z, y, int64 [3].

    Raises:
        LocationError: there are not three numbers, or one is outside its range.
    """
    place = np.asarray(position, dtype=np.float64)
    if place.shape != (3,):
        raise LocationError(f"position: expected three numbers x, y, z, found the shape {place.shape}")
    return codec.numbers_to_ids(place[[0, 2, 1]], POSITION)


def read_position(codec: LocationCodec, ids: npt.ArrayLike) -> Doubles:
    """Reads a position from 3 value ids; float64 [3] as (x, y, z) in metres.

    Raises:
        LocationError: there are not 3 ids.
        VocabularyError: an id is not a value id.
    """
    return codec.ids_to_numbers(_tokens(ids, POSITION_TOKENS, "a position"), POSITION)[[0, 2, 1]]


def _is_rotation(matrix: Doubles) -> bool:
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        return False
    straight = np.allclose(matrix @ matrix.T, np.eye(3), atol=_ROTATION_TOLERANCE)
    return bool(straight and np.linalg.det(matrix) > 0)


def _tokens(ids: npt.ArrayLike, count: int, name: str) -> Ids:
    tokens = np.asarray(ids)
    if tokens.shape != (count,):
        raise LocationError(f"{name} is {count} value ids, found the shape {tokens.shape}")
    return tokens
