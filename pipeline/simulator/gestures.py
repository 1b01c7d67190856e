"""What the hands do: the eleven gestures of the DVS128 Gesture data set (Amir et al., CVPR 2017) and standing idle.

A gesture is a closed form of time: a tempo gives the phase (with a slow wander of the rate), and each arm is a function of time and phase
that says where the wrist is. Nothing is integrated step by step, so any moment can be computed alone, and the ground truth (phase, hand
positions, sense of rotation) is exact.

Conventions: the subject's right hand is at image left. "Clockwise" is clockwise on the screen as the camera sees it, with either arm:
x = cos(phase), y = sin(phase), y down. Mirroring the picture therefore exchanges right and left wave, right arm clockwise and left arm
counter-clockwise, and right arm counter-clockwise and left arm clockwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.simulator.body import LEFT, OUT, RIGHT, ArmPath, Array, Body, unit
from pipeline.simulator.draw import Draw, Range
from pipeline.simulator.ranges import MotionRanges

GESTURES: tuple[str, ...] = (
    "hand_clapping",
    "right_hand_wave",
    "left_hand_wave",
    "right_arm_clockwise",
    "right_arm_counter_clockwise",
    "left_arm_clockwise",
    "left_arm_counter_clockwise",
    "arm_roll",
    "air_drums",
    "air_guitar",
    "other_gestures",
)
"""The classes in the data set's own order (tonic's labels 0 to 10)."""

WAVE_LIMIT = 1.25
"""Largest angle of a waving forearm from the vertical, radians: the hand stays above the elbow."""

LEAST_WAVE = 0.4
"""Forearm and wrist together swing at least this far to either side, radians."""

ArmFunction = Callable[[Array, Array], ArmPath]
"""(time in s (n,), phase in rad (n,)) -> path of one arm."""


class Carriage(NamedTuple):
    """What the rest of the body does at n moments."""

    trunk: Array
    """(n, 3) displacement of everything above the feet, metres (the feet follow a walk, see `walking`)."""
    head: Array
    """(n, 3) displacement of the head against the trunk, metres."""
    yaw: Array
    """(n,) turn about the vertical, radians."""
    stride: Array
    """(n,) how far the right foot is before the left, metres; 0 standing."""
    walking: bool
    """The feet go where the trunk goes."""


@dataclass(frozen=True, slots=True)
class Tempo:
    """phase(t) = start + 2 pi f t + depth f / fm sin(2 pi fm t + shift): a rate that wanders by `depth` about `frequency`."""

    frequency: float
    start: float
    depth: float
    wander_frequency: float
    shift: float

    def phase(self, t: Array) -> Array:
        """Phase in radians at times `t` (s)."""
        slow = np.sin(2.0 * np.pi * self.wander_frequency * t + self.shift)
        return np.asarray(self.start + 2.0 * np.pi * self.frequency * t + self.depth * self.frequency / self.wander_frequency * slow)


@dataclass(frozen=True, slots=True)
class Performance:
    """One person's way of doing one gesture."""

    tempo: Tempo
    active: tuple[bool, bool]
    """Which hands perform (right, left)."""
    sense: int
    """1 clockwise on the screen, -1 counter-clockwise, 0 no rotation named."""
    arms: tuple[ArmFunction, ArmFunction]
    carriage: Callable[[Array, Array], Carriage] | None = None
    """(time, phase) -> what the rest of the body does; None: it stands."""


def draw_tempo(draw: Draw, rate: Range, ranges: MotionRanges) -> Tempo:
    """Draw a tempo with a rate in the range."""
    return Tempo(draw.log_between(rate), draw.angle(), draw.between(ranges.tempo_wander), draw.between((0.15, 0.5)), draw.angle())


def xyz(t: Array, x: Array | float, y: Array | float, z: Array | float) -> Array:
    """Stack coordinates, constant or (n,), to (n, 3)."""
    out = np.empty((len(t), 3))
    out[:, 0], out[:, 1], out[:, 2] = x, y, z
    return out


def hanging(draw: Draw, body: Body, side: int) -> ArmFunction:
    """The arm at rest beside the body."""
    away, forward = draw.between((0.03, 0.10)), draw.between((0.0, 0.06))
    place = body.shoulder[side] + (OUT[side] * away, 0.965 * body.reach, forward)

    def path(t: Array, phase: Array) -> ArmPath:
        return ArmPath(xyz(t, *place), xyz(t, OUT[side] * 0.5, 0.0, -1.0), xyz(t, 0.0, 0.0, 0.05))

    return path


def bent(draw: Draw, body: Body, side: int) -> ArmFunction:
    """The arm held still elsewhere: hand on the hip, on the belly, or in front."""
    x, y, z = draw.choice(((0.02, 0.48, 0.08), (-0.12, 0.36, 0.2), (0.08, 0.40, 0.3)))
    place = (body.shoulder[side][0] + OUT[side] * (x + draw.between((-0.04, 0.04))), y + draw.between((-0.06, 0.06)), z)

    def path(t: Array, phase: Array) -> ArmPath:
        return ArmPath(xyz(t, *place), xyz(t, OUT[side], 0.3, -0.3), xyz(t, -0.5 * OUT[side], 0.0, 0.3))

    return path


def passive(draw: Draw, body: Body, side: int, ranges: MotionRanges) -> ArmFunction:
    """An arm that takes no part."""
    return bent(draw, body, side) if draw.chance(ranges.other_arm_bent) else hanging(draw, body, side)


def _one_arm(draw: Draw, body: Body, side: int, ranges: MotionRanges, performing: ArmFunction) -> tuple[ArmFunction, ArmFunction]:
    other = passive(draw, body, LEFT if side == RIGHT else RIGHT, ranges)
    return (performing, other) if side == RIGHT else (other, performing)


def clap(draw: Draw, body: Body, ranges: MotionRanges) -> Performance:
    """Both hands, in phase, meet palm to palm in the middle before the chest."""
    tempo = draw_tempo(draw, ranges.clap_rate, ranges)
    opening, height, depth = draw.between(ranges.clap_open), draw.between(ranges.clap_y), draw.between(ranges.clap_z)
    sharpness, lift, share = draw.between((0.7, 1.2)), draw.between((0.0, 0.8)), draw.between((0.8, 1.2))
    elbows_out = draw.between(ranges.clap_elbow_out)

    def arm(side: int) -> ArmFunction:
        def path(t: Array, phase: Array) -> ArmPath:
            gap = (0.5 - 0.5 * np.cos(phase)) ** sharpness
            x = OUT[side] * (0.035 + opening * (share if side == RIGHT else 2.0 - share) * gap)
            pole, palm = xyz(t, OUT[side] * elbows_out, 1.0, 0.0), xyz(t, -0.1 * OUT[side], -lift, 0.4)
            return ArmPath(xyz(t, x, height, depth), pole, palm, open=2.0, edge_on=True)

        return path

    return Performance(tempo, (True, True), 0, (arm(RIGHT), arm(LEFT)))


def wave(draw: Draw, body: Body, ranges: MotionRanges, side: int) -> Performance:
    """The raised forearm swings about the elbow, the open hand always above it and following a little late.

    Who hardly moves the forearm waves from the wrist (radial and ulnar deviation reach 0.35 and 0.5 rad from the middle).
    """
    tempo = draw_tempo(draw, ranges.wave_rate, ranges)
    out, forward = draw.between(ranges.wave_elbow_out), draw.between(ranges.wave_elbow_forward)
    swing, lean = draw.log_between(ranges.wave_swing), draw.between((0.0, 0.4))
    offset = np.clip(draw.between(ranges.wave_offset), swing - WAVE_LIMIT, WAVE_LIMIT - swing)
    flick, lag, elbow_move = draw.between(ranges.wave_wrist), draw.between((0.2, 1.0)), draw.between(ranges.wave_elbow_move)
    flick = max(flick, LEAST_WAVE - swing)
    direction = np.array([OUT[side] * np.sin(out), 0.9 * np.cos(out), forward])
    elbow_rest = body.shoulder[side] + body.upper_arm * direction / np.sqrt(np.sum(direction**2))

    def path(t: Array, phase: Array) -> ArmPath:
        angle = offset + swing * np.sin(phase)
        forearm = unit(xyz(t, OUT[side] * np.sin(angle), -np.cos(angle), lean))
        elbow = elbow_rest + xyz(t, OUT[side] * elbow_move * np.sin(phase), 0.0, 0.0)
        late = angle + flick * np.sin(phase - lag)
        palm = unit(xyz(t, OUT[side] * np.sin(late), -np.cos(late), lean)) - forearm
        return ArmPath(elbow + body.forearm * forearm, elbow - body.shoulder[side], palm, open=2.0)

    return Performance(tempo, (side == RIGHT, side == LEFT), 0, _one_arm(draw, body, side, ranges, path))


def circle(draw: Draw, body: Body, ranges: MotionRanges, side: int, sense: int) -> Performance:
    """The almost straight arm circles about a point near the shoulder."""
    tempo = draw_tempo(draw, ranges.circle_rate, ranges)
    radius, aspect = draw.between(ranges.circle_radius), draw.between(ranges.circle_aspect)
    dx, dy, reach = draw.between(ranges.circle_out), draw.between(ranges.circle_y), draw.between(ranges.circle_reach)
    centre = body.shoulder[side] + (OUT[side] * dx, dy, 0.0)
    longest = 0.97 * body.reach

    def path(t: Array, phase: Array) -> ArmPath:
        x, y = centre[0] + radius * np.cos(sense * phase), centre[1] + radius * aspect * np.sin(sense * phase)
        across = (x - body.shoulder[side][0]) ** 2 + (y - body.shoulder[side][1]) ** 2
        z = reach * np.sqrt(np.maximum(longest**2 - across, 0.0))
        return ArmPath(xyz(t, x, y, z), xyz(t, OUT[side] * 0.6, 1.0, -0.4), xyz(t, 0.0, 0.0, 0.0))

    return Performance(tempo, (side == RIGHT, side == LEFT), sense, _one_arm(draw, body, side, ranges, path))


def arm_roll(draw: Draw, body: Body, ranges: MotionRanges) -> Performance:
    """The forearms lie level across the chest, hands past the midline, and roll about each other, half a turn apart, either way round."""
    tempo = draw_tempo(draw, ranges.roll_rate, ranges)
    radius, height, depth = draw.between(ranges.roll_radius), draw.between(ranges.roll_y), draw.between(ranges.roll_z)
    out, way, flat = draw.between(ranges.roll_out), draw.sign(), draw.between((0.8, 1.1))

    def arm(side: int) -> ArmFunction:
        def path(t: Array, phase: Array) -> ArmPath:
            angle = way * phase + (np.pi if side == LEFT else 0.0)
            wrist = xyz(t, OUT[side] * out, height + radius * np.sin(angle), depth + flat * radius * np.cos(angle))
            return ArmPath(wrist, xyz(t, OUT[side], 0.5, 0.0), xyz(t, -0.6 * OUT[side], 0.0, 0.0), open=0.7)

        return path

    return Performance(tempo, (True, True), 0, (arm(RIGHT), arm(LEFT)))


def air_drums(draw: Draw, body: Body, ranges: MotionRanges) -> Performance:
    """The fists strike in turn on two drums side by side: lifted, thrown down, at rest on the skin; forearms forward, wrists flicking."""
    tempo = draw_tempo(draw, ranges.drum_rate, ranges)
    height, y, z = draw.between(ranges.drum_height), draw.between(ranges.drum_y), draw.between(ranges.drum_z)
    out, flick, uneven = draw.between(ranges.drum_out), draw.between(ranges.drum_wrist), draw.between((-0.04, 0.04))
    down, rest = draw.between(ranges.drum_down), draw.between(ranges.drum_rest)
    bounce = 0.5 * draw.between((0.0, 0.4)) * rest / down  # leaves the drum with at most 0.4 of the speed it came with
    apart = np.pi + draw.between((-0.4, 0.4))

    def arm(side: int) -> ArmFunction:
        shift = apart if side == LEFT else 0.0

        def path(t: Array, phase: Array) -> ArmPath:
            lifted = drum_stroke(phase + shift, down, rest, bounce)
            hand = drum_stroke(phase + shift - 0.35, down, rest, bounce)
            wrist = xyz(t, OUT[side] * out, y + OUT[side] * uneven - height * lifted, z - 0.3 * height * lifted)
            palm = xyz(t, -0.15 * OUT[side], flick * (0.4 - hand), 0.6)
            return ArmPath(wrist, xyz(t, 0.5 * OUT[side], 1.0, -0.4), palm, open=0.5)

        return path

    return Performance(tempo, (True, True), 0, (arm(RIGHT), arm(LEFT)))


def drum_stroke(phase: Array, down: float, rest: float, bounce: float) -> Array:
    """Height of a drumming hand over the skin, 1 = highest: falls freely for the share `down` of the cycle, stays for `rest`, is lifted."""
    share = np.mod(phase / (2.0 * np.pi), 1.0)
    fallen, rested = share / down, (share - down) / rest
    lifted = (share - down - rest) / (1.0 - down - rest)
    return np.select(
        [share < down, share < down + rest],
        [1.0 - fallen**2, 4.0 * bounce * rested * (1.0 - rested)],
        lifted * lifted * (3.0 - 2.0 * lifted),
    )


def air_guitar(draw: Draw, body: Body, ranges: MotionRanges) -> Performance:
    """One hand strums before the belly, the other holds the neck of the guitar."""
    tempo = draw_tempo(draw, ranges.strum_rate, ranges)
    height, y, out, slope = (draw.between(r) for r in (ranges.strum_height, ranges.strum_y, ranges.strum_out, ranges.strum_slope))
    z, neck_x, neck_y, drift = (draw.between(r) for r in (ranges.strum_z, ranges.fret_out, ranges.fret_y, ranges.fret_drift))
    drift_rate, drift_phase = draw.log_between((0.2, 3.0)), draw.angle()
    strumming = LEFT if draw.chance(ranges.left_handed) else RIGHT
    fretting = LEFT if strumming == RIGHT else RIGHT

    def strum(t: Array, phase: Array) -> ArmPath:
        stroke = height * np.sin(phase)
        wrist = xyz(t, OUT[strumming] * (out - slope * stroke), y + stroke, z)
        return ArmPath(wrist, xyz(t, OUT[strumming], 0.3, -0.2), xyz(t, -0.3 * OUT[strumming], 0.3, 0.0), open=0.7)

    def fret(t: Array, phase: Array) -> ArmPath:
        slide = drift * np.sin(2.0 * np.pi * drift_rate * t + drift_phase)
        wrist = xyz(t, OUT[fretting] * (neck_x + 0.9 * slide), neck_y - 0.4 * slide, 0.22)
        return ArmPath(wrist, xyz(t, OUT[fretting] * 0.4, 1.0, 0.0), xyz(t, -0.4 * OUT[fretting], -0.4, 0.2), open=0.8)

    return Performance(tempo, (True, True), 0, (strum, fret) if strumming == RIGHT else (fret, strum))
