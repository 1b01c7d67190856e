"""The parameters that are drawn for every clip, and what they mean. `pipeline.simulator.presets` gives the ranges.

Units: metres, seconds, radians, hertz; contrast in natural-log units; pixels are those of a 128-pixel sensor (a larger sensor sees the
same view with more pixels). The body frame has its origin at the neck base, x to the right of the image, y down, z toward the camera;
"out" is away from the body's midline.
"""

from dataclasses import dataclass

from pipeline.simulator.draw import Range


@dataclass(frozen=True, slots=True)
class BodyRanges:
    """Proportions (adults; anthropometric data scatter by about this much)."""

    stature: Range = (0.92, 1.08)
    """Multiplies all lengths."""
    shoulder_half_width: Range = (0.16, 0.21)
    shoulder_drop: Range = (0.03, 0.06)
    upper_arm: Range = (0.27, 0.31)
    forearm: Range = (0.23, 0.27)
    hand: Range = (0.09, 0.11)
    hand_open: Range = (0.3, 0.6)
    """How far the hand is usually open: 1 fingers stretched, 0.3 a fist."""
    finger_spread: Range = (0.0, 0.1)
    """Angle between neighbouring fingers, rad."""
    limb_width: Range = (1.0, 1.25)
    """Multiplies the radii of arms and hands."""
    head_width: Range = (0.9, 1.1)
    torso_radius: Range = (0.14, 0.17)
    torso_length: Range = (0.52, 0.62)


@dataclass(frozen=True, slots=True)
class SceneRanges:
    """Camera and light."""

    scale: Range
    """Pixels per metre at the person's distance (128-pixel sensor)."""
    scale_log: bool
    """Drawn uniformly in the logarithm."""
    centre_x: Range
    """Column of the neck base."""
    centre_y: Range
    """Row of the neck base."""
    visible: float
    """The camera is drawn again until the performing hands are inside the view for at least this share of the time."""
    distance: Range
    """Camera to person, m: how much nearer things look larger."""
    yaw: Range
    pitch: Range
    roll: Range
    background: Range
    """Linear intensity, 1 = white."""
    background_contrast: Range
    background_sigma: Range
    """Blur of the background's texture, pixels."""
    furniture: int
    """At most so many rectangles behind the person."""
    limb_contrast: Range
    """Log contrast of skin and sleeves against the background."""
    dark_limbs: float
    """Probability that the limbs are darker than the background rather than brighter."""
    torso_contrast: Range
    """Signed log contrast of the torso against the background."""
    contrast_factor: Range
    """Multiplies all contrasts, drawn uniformly in the logarithm: poor light, haze, clothes like the wall."""
    texture: Range
    """Log amplitude of cloth and skin texture."""
    sleeves: float
    """Probability that the upper arms (and half as likely the forearms) wear the torso's cloth."""
    detail: Range
    """Log contrast of what only a near camera resolves: creases, cuffs, a watch, eyes, hair, prints, folds."""
    lamps: float
    """Probability that a flickering lamp or its reflection is in view."""
    lamp_depth: Range
    """Amplitude of its flicker, log intensity, drawn uniformly in the logarithm."""
    handheld: float
    """Probability that a person who makes no gesture is seen by a camera that moves."""
    mains: float
    """Probability that the light of the whole scene flickers."""
    mains_depth: Range
    """Amplitude of that, log intensity, drawn uniformly in the logarithm."""


@dataclass(frozen=True, slots=True)
class SensorRanges:
    """Pixels, see `pipeline.simulator.sensor`."""

    threshold: Range
    """Mean log-intensity step of an event, drawn uniformly in the logarithm."""
    on_excess: Range
    """ON threshold over OFF threshold, minus 1."""
    mismatch: Range
    """Standard deviation of a pixel's threshold, share of the mean."""
    time_constant: Range
    """Photoreceptor low-pass at intensity 0.7, s (bandwidth is proportional to intensity + 0.3)."""
    refractory: Range
    """s."""
    leak: Range
    """ON events/s of a pixel that sees nothing change."""
    shot_noise: Range
    """Events/s per dark pixel, all pixels together; a bright pixel has a quarter."""
    hot_share: Range
    """Share of this noise that comes from the hot pixels."""
    hot_pixels: Range
    joined: Range
    """Share of even noise events that a neighbouring pixel joins within 10 ms."""
    rebounding: float
    """Probability that the pixels answer events with one of the other polarity and are then silent for long, as a real DVS128's do."""
    rebound: Range
    """Share of events that are answered so, where any are."""
    echo: Range
    """Share of OFF events that the read-out sends twice, 1 us apart, as a real DVS128 does."""
    noise_on: Range = (0.5, 0.5)
    """Share of even noise events that are ON: what leaks, and what drifts with temperature, makes ON events."""


@dataclass(frozen=True, slots=True)
class MotionRanges:
    """Kinematics. `*_rate` are Hz; the other names say which joint or direction."""

    in_motion: float
    """Probability that the clip begins in the middle of the gesture; otherwise the hands come from rest."""
    onset: Range
    raise_time: Range
    tempo_wander: Range
    """Slow relative modulation of the rate."""
    hand_wander: Range
    """Slow drift of the hands, m."""
    sway: Range
    sway_rate: Range
    reaction: Range
    """Share of the hands' displacement that the body follows."""
    other_arm_bent: float
    """Probability that the arm with nothing to do is not simply hanging."""
    left_handed: float
    """Probability that air guitar is played left-handed."""
    clap_rate: Range
    clap_open: Range
    clap_y: Range
    clap_z: Range
    clap_elbow_out: Range
    """Where the elbow points, out against down."""
    wave_rate: Range
    wave_swing: Range
    wave_offset: Range
    wave_elbow_out: Range
    wave_elbow_forward: Range
    wave_elbow_move: Range
    wave_wrist: Range
    circle_rate: Range
    circle_radius: Range
    circle_aspect: Range
    circle_out: Range
    circle_y: Range
    circle_reach: Range
    roll_rate: Range
    roll_radius: Range
    roll_y: Range
    roll_z: Range
    roll_out: Range
    drum_rate: Range
    drum_height: Range
    drum_y: Range
    drum_out: Range
    drum_z: Range
    drum_wrist: Range
    drum_down: Range
    """Share of the cycle in which the hand falls."""
    drum_rest: Range
    """Share of the cycle in which it rests on the drum."""
    strum_rate: Range
    strum_height: Range
    strum_y: Range
    strum_out: Range
    strum_slope: Range
    strum_z: Range
    fret_out: Range
    fret_y: Range
    fret_drift: Range


@dataclass(frozen=True, slots=True)
class Preset:
    """One set of ranges."""

    body: BodyRanges
    scene: SceneRanges
    sensor: SensorRanges
    motion: MotionRanges
    rate: Range
    """Documented event rate of gestures at 128x128, events/s: nine of ten clips lie inside."""
