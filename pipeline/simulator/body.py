"""The articulated person: proportions, inverse kinematics, and the capsules that make up the picture.

A person is 22 tapered capsules (a segment with a radius at each end): two legs, torso, shoulders, neck, head, and for each arm upper arm,
forearm, palm, four fingers and thumb. Gestures say where the wrists are and how the hands point; two-bone inverse kinematics finds the
elbow. All arrays have time as their first axis.

Body frame: metres, origin at the neck base, x to the right of the image, y down, z toward the camera. Side 0 is the subject's right arm,
which a camera facing the person sees at the image's left (x < 0); side 1 is the left arm.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.simulator.draw import Draw
from pipeline.simulator.ranges import BodyRanges

Array = npt.NDArray[np.float64]

RIGHT, LEFT = 0, 1
OUT = (-1.0, 1.0)
"""Sign of x that points away from the body, by side."""

LEGS, TORSO, SHOULDERS, NECK, HEAD = (0, 1), 2, 3, 4, 5
UPPER_ARM, FOREARM, PALM, THUMB = (6, 14), (7, 15), (8, 16), (9, 17)
FINGERS = ((10, 11, 12, 13), (18, 19, 20, 21))
"""Index to little finger, by side."""
CAPSULES = 22

FINGER_LENGTHS = np.array([0.90, 1.0, 0.94, 0.74])
"""Index to little finger, share of the middle finger's length (which is about 0.85 of the palm's)."""

LONGEST_REACH = 0.985
"""An arm is never quite straight: keeps the elbow's side defined."""


@dataclass(frozen=True, slots=True)
class Body:
    """Lengths and radii of one person, metres."""

    shoulder: tuple[Array, Array]
    upper_arm: float
    forearm: float
    hand: float
    """Wrist to knuckles; the fingers come on top."""
    hand_open: float
    """Length of the fingers as seen: 1 stretched, 0.3 a fist."""
    finger_spread: float
    """Angle between neighbouring fingers, radians."""
    head_top: float
    torso_length: float
    radii: Array
    """(CAPSULES, 2): at the near and far end of each capsule."""

    bias: Array
    """(CAPSULES,): added to the depth when sorting, so that a hanging arm is in front of the torso."""

    @property
    def reach(self) -> float:
        """Shoulder to wrist of the straight arm."""
        return self.upper_arm + self.forearm


@dataclass(frozen=True, slots=True)
class ArmPath:
    """What one arm does over n moments, body frame."""

    wrist: Array
    """(n, 3): where the wrist goes."""
    pole: Array
    """(n, 3): the direction in which the elbow points away from the line shoulder-wrist."""
    palm: Array
    """(n, 3): added to the forearm's direction to give the hand's."""
    open: float = 1.0
    """How far the hand is open, against what the person usually does."""
    edge_on: bool = False
    """The palm faces sideways (as in clapping) rather than the camera."""


def draw_body(draw: Draw, ranges: BodyRanges) -> Body:
    """Draw a person's proportions."""
    size = draw.between(ranges.stature)
    half, drop = size * draw.between(ranges.shoulder_half_width), size * draw.between(ranges.shoulder_drop)
    limb, head, torso = (
        size * draw.between(ranges.limb_width),
        size * draw.between(ranges.head_width),
        size * draw.between(ranges.torso_radius),
    )
    radii = np.empty((CAPSULES, 2))
    radii[list(LEGS)] = 0.085 * size, 0.06 * size
    radii[TORSO] = torso, 0.95 * torso
    radii[SHOULDERS] = 0.055 * size
    radii[NECK] = 0.05 * size
    radii[HEAD] = 0.07 * head, 0.085 * head
    for side in (RIGHT, LEFT):
        radii[UPPER_ARM[side]] = 0.050 * limb, 0.042 * limb
        radii[FOREARM[side]] = 0.040 * limb, 0.030 * limb
        radii[PALM[side]] = 0.034 * limb, 0.037 * limb
        radii[list(FINGERS[side])] = 0.0105 * limb, 0.0085 * limb
        radii[THUMB[side]] = 0.014 * limb, 0.010 * limb
    bias = np.zeros(CAPSULES)
    bias[[*LEGS, TORSO, SHOULDERS, NECK]] = -0.12, -0.12, -0.12, -0.06, -0.04
    return Body(
        shoulder=(np.array([-half, drop, 0.0]), np.array([half, drop, 0.0])),
        upper_arm=size * draw.between(ranges.upper_arm),
        forearm=size * draw.between(ranges.forearm),
        hand=size * draw.between(ranges.hand),
        hand_open=draw.between(ranges.hand_open),
        finger_spread=draw.between(ranges.finger_spread),
        head_top=0.19 * size,
        torso_length=size * draw.between(ranges.torso_length),
        radii=radii,
        bias=bias,
    )


def unit(vectors: Array) -> Array:
    """Vectors (n, 3) scaled to length 1."""
    return np.asarray(vectors / np.maximum(np.sqrt(dot(vectors, vectors)), 1e-9))


def dot(a: Array, b: Array) -> Array:
    """Scalar products of vectors (n, 3), as (n, 1). Column by column, numpy's sums over an axis this short being slow."""
    return np.asarray(a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2])[:, None]


def solve_arm(body: Body, side: int, path: ArmPath) -> tuple[Array, Array]:
    """Two-bone inverse kinematics: elbow and wrist, each (n, 3).

    With d the distance shoulder-wrist, u its direction and p the pole's part across u, the elbow is at S + a u + h p, where
    a = (l1^2 - l2^2 + d^2) / 2d and h = sqrt(l1^2 - a^2). A wrist out of reach is drawn in along u.
    """
    shoulder, l1, l2 = body.shoulder[side], body.upper_arm, body.forearm
    span = path.wrist - shoulder
    along = unit(span)
    d = np.clip(np.sqrt(dot(span, span)), abs(l1 - l2) + 0.04, LONGEST_REACH * (l1 + l2))
    across = unit(path.pole - dot(path.pole, along) * along)
    a = (l1 * l1 - l2 * l2 + d * d) / (2.0 * d)
    h = np.sqrt(np.maximum(l1 * l1 - a * a, 0.0))
    return shoulder + a * along + h * across, shoulder + d * along


def skeleton(body: Body, arms: tuple[ArmPath, ArmPath]) -> Array:
    """End points of all capsules, (n, CAPSULES, 2, 3), body frame."""
    ends = np.empty((len(arms[0].wrist), CAPSULES, 2, 3))
    hip = body.torso_length
    radius = body.radii[TORSO, 0]
    for leg, out in zip(LEGS, OUT, strict=True):
        ends[:, leg] = (out * 0.09, hip, 0.0), (out * 0.12, hip + 0.75, 0.0)
    ends[:, TORSO] = (0.0, radius, 0.0), (0.0, hip, 0.0)
    inset = 0.94
    ends[:, SHOULDERS] = body.shoulder[RIGHT] * (inset, 1.0, 1.0), body.shoulder[LEFT] * (inset, 1.0, 1.0)
    ends[:, NECK] = (0.0, 0.02, 0.01), (0.0, -0.08, 0.02)
    ends[:, HEAD] = (0.0, 0.5 * -body.head_top, 0.03), (0.0, -body.head_top, 0.02)
    for side in (RIGHT, LEFT):
        elbow, wrist = solve_arm(body, side, arms[side])
        forearm = unit(wrist - elbow)
        palm = unit(forearm + arms[side].palm)
        across = _across_hand(side, palm, arms[side].edge_on)
        thumb_root = wrist + 0.25 * body.hand * palm
        ends[:, UPPER_ARM[side], 0], ends[:, UPPER_ARM[side], 1] = body.shoulder[side], elbow
        ends[:, FOREARM[side], 0], ends[:, FOREARM[side], 1] = elbow, wrist
        ends[:, PALM[side], 0], ends[:, PALM[side], 1] = wrist + 0.25 * body.hand * palm, wrist + 0.65 * body.hand * palm
        ends[:, THUMB[side], 0], ends[:, THUMB[side], 1] = thumb_root, thumb_root + 0.6 * body.hand * unit(palm + across)
        length = 0.85 * body.hand * min(max(body.hand_open * arms[side].open, 0.3), 1.0)
        width = 2.0 * body.radii[FINGERS[side][0], 0]
        for place, finger in enumerate(FINGERS[side]):
            off = 1.5 - place  # in fingers, from the middle of the hand toward the thumb
            root = wrist + 0.95 * body.hand * palm + off * width * across
            tip = root + length * FINGER_LENGTHS[place] * unit(palm + off * body.finger_spread * across)
            ends[:, finger, 0], ends[:, finger, 1] = root, tip
    return ends


def _across_hand(side: int, palm: Array, edge_on: bool) -> Array:
    """Unit vectors across the hand toward the thumb: in the image plane, toward the midline when the hand points up; or across x."""
    across = np.zeros_like(palm)
    if edge_on:
        across[:, 1], across[:, 2] = -palm[:, 2], palm[:, 1]
    else:
        across[:, 0], across[:, 1] = palm[:, 1] * OUT[side], -palm[:, 0] * OUT[side]
    return unit(across)
