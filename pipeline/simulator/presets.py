"""Named presets: the documented ranges from which people, scenes, movements and sensors are drawn.

Two presets exist because two questions are asked of the simulator:

- ``dvs128`` is narrow. It resembles the DVS128 Gesture data set (Amir et al. 2017) as far as is known without having it: a person at
  some distance, limbs brighter than the background and than the clothes on the torso, 10-60 k events/s. An independent network trained
  on the real set recognises gestures of this preset; that is its purpose.
- ``wide`` is for training. It covers what a user's room, camera and habits may be: from a whole person to a hand that fills much of the
  view, limbs brighter or darker than what is behind them, contrast down to where the noise is as strong as the signal, part of the
  person outside the view, other tempi and amplitudes.

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


DVS128 = Preset(
    body=BodyRanges(),
    scene=SceneRanges(
        scale=(60.0, 78.0),
        scale_log=False,
        centre_x=(56.0, 70.0),
        centre_y=(50.0, 60.0),
        visible=0.9,
        distance=(1.5, 2.5),
        yaw=(-0.08, 0.08),
        pitch=(-0.05, 0.05),
        roll=(-0.03, 0.03),
        background=(0.25, 0.7),
        background_contrast=(0.05, 0.2),
        background_sigma=(2.0, 10.0),
        furniture=0,
        limb_contrast=(0.4, 1.5),
        dark_limbs=0.0,
        torso_contrast=(-1.0, -0.3),
        contrast_factor=(1.0, 1.0),
        texture=(0.02, 0.25),
        sleeves=0.0,
    ),
    sensor=SensorRanges(
        threshold=(0.11, 0.22),
        on_excess=(0.0, 0.2),
        mismatch=(0.15, 0.25),
        time_constant=(0.5e-3, 1.8e-3),
        refractory=(0.3e-3, 3e-3),
        leak=(0.0, 0.05),
        shot_noise=(0.02, 0.15),
        hot_share=(0.2, 0.5),
        hot_pixels=(10, 30),
    ),
    motion=MotionRanges(
        in_motion=0.75,
        onset=(0.0, 0.15),
        raise_time=(0.2, 0.4),
        tempo_wander=(0.0, 0.12),
        hand_wander=(0.0, 0.01),
        sway=(0.002, 0.008),
        sway_rate=(0.2, 1.0),
        reaction=(0.0, 0.05),
        other_arm_bent=0.0,
        left_handed=0.0,
        clap_rate=(1.5, 3.0),
        clap_open=(0.05, 0.23),
        clap_y=(0.16, 0.32),
        clap_z=(0.25, 0.45),
        clap_elbow_out=(0.3, 0.6),
        wave_rate=(1.0, 4.0),
        wave_swing=(0.2, 1.0),
        wave_offset=(-0.5, 0.7),
        wave_elbow_out=(0.0, 1.3),
        wave_elbow_forward=(0.1, 0.8),
        wave_elbow_move=(0.0, 0.02),
        wave_wrist=(0.0, 0.8),
        circle_rate=(0.5, 1.6),
        circle_radius=(0.34, 0.50),
        circle_aspect=(0.85, 1.15),
        circle_out=(0.04, 0.30),
        circle_y=(-0.2, 0.3),
        circle_reach=(0.5, 1.0),
        roll_rate=(0.7, 2.0),
        roll_radius=(0.08, 0.15),
        roll_y=(0.20, 0.38),
        roll_z=(0.2, 0.42),
        roll_out=(-0.03, 0.08),
        drum_rate=(1.3, 2.0),
        drum_height=(0.08, 0.14),
        drum_y=(0.26, 0.38),
        drum_out=(0.03, 0.15),
        drum_z=(0.15, 0.42),
        drum_wrist=(0.0, 1.2),
        strum_rate=(1.2, 3.4),
        strum_height=(0.03, 0.10),
        strum_y=(0.30, 0.40),
        strum_out=(0.02, 0.13),
        strum_slope=(-0.3, 0.15),
        strum_z=(0.28, 0.40),
        fret_out=(0.25, 0.55),
        fret_y=(-0.12, 0.06),
        fret_drift=(0.0, 0.06),
    ),
    rate=(6e3, 90e3),
)

WIDE = Preset(
    body=BodyRanges(stature=(0.85, 1.12), limb_width=(0.9, 1.5), head_width=(0.85, 1.2)),
    scene=SceneRanges(
        scale=(60.0, 240.0),
        scale_log=True,
        centre_x=(20.0, 108.0),
        centre_y=(15.0, 85.0),
        visible=0.7,
        distance=(0.9, 3.0),
        yaw=(-0.4, 0.4),
        pitch=(-0.2, 0.2),
        roll=(-0.1, 0.1),
        background=(0.08, 0.8),
        background_contrast=(0.0, 0.3),
        background_sigma=(1.5, 12.0),
        furniture=5,
        limb_contrast=(0.4, 1.6),
        dark_limbs=0.5,
        torso_contrast=(-1.2, 1.0),
        contrast_factor=(0.3, 1.2),
        texture=(0.0, 0.25),
        sleeves=0.5,
    ),
    sensor=SensorRanges(
        threshold=(0.09, 0.36),
        on_excess=(-0.05, 0.5),
        mismatch=(0.03, 0.3),
        time_constant=(0.3e-3, 5e-3),
        refractory=(0.2e-3, 4e-3),
        leak=(0.0, 0.1),
        shot_noise=(0.01, 0.25),
        hot_share=(0.0, 0.8),
        hot_pixels=(0, 200),
    ),
    motion=MotionRanges(
        in_motion=0.5,
        onset=(0.0, 0.4),
        raise_time=(0.2, 0.6),
        tempo_wander=(0.0, 0.2),
        hand_wander=(0.0, 0.03),
        sway=(0.001, 0.015),
        sway_rate=(0.15, 1.0),
        reaction=(0.0, 0.08),
        other_arm_bent=0.25,
        left_handed=0.1,
        clap_rate=(1.2, 4.5),
        clap_open=(0.05, 0.35),
        clap_y=(0.05, 0.42),
        clap_z=(0.15, 0.45),
        clap_elbow_out=(0.2, 1.2),
        wave_rate=(0.8, 4.5),
        wave_swing=(0.2, 1.1),
        wave_offset=(-0.5, 0.8),
        wave_elbow_out=(0.0, 1.5),
        wave_elbow_forward=(0.0, 0.9),
        wave_elbow_move=(0.0, 0.05),
        wave_wrist=(0.0, 0.9),
        circle_rate=(0.4, 2.2),
        circle_radius=(0.22, 0.50),
        circle_aspect=(0.75, 1.3),
        circle_out=(0.0, 0.35),
        circle_y=(-0.25, 0.35),
        circle_reach=(0.3, 1.0),
        roll_rate=(0.7, 3.0),
        roll_radius=(0.06, 0.17),
        roll_y=(0.08, 0.40),
        roll_z=(0.18, 0.42),
        roll_out=(-0.05, 0.12),
        drum_rate=(1.0, 4.5),
        drum_height=(0.05, 0.18),
        drum_y=(0.15, 0.42),
        drum_out=(0.0, 0.25),
        drum_z=(0.15, 0.45),
        drum_wrist=(0.0, 1.2),
        strum_rate=(1.2, 5.0),
        strum_height=(0.03, 0.16),
        strum_y=(0.25, 0.45),
        strum_out=(-0.02, 0.18),
        strum_slope=(-0.5, 0.3),
        strum_z=(0.2, 0.40),
        fret_out=(0.25, 0.60),
        fret_y=(-0.15, 0.22),
        fret_drift=(0.0, 0.08),
    ),
    rate=(3e3, 100e3),
)

PRESETS: dict[str, Preset] = {"dvs128": DVS128, "wide": WIDE}
"""All presets by name."""
