"""What a scenario may say about sensors (the schema of its ``sensors`` part)."""

from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from simedge.core.quantities import Duration, Frequency, Settings, Share

__all__ = [
    "CameraSettings",
    "DeltaEncoderSettings",
    "DigitsSettings",
    "DimShift",
    "DirichletSplit",
    "IidSplit",
    "InvertShift",
    "LevelEncoderSettings",
    "MirrorShift",
    "NmnistSettings",
    "PoissonSettings",
    "ProxySettings",
    "RecordedSettings",
    "RotateShift",
    "SensorSettings",
    "SeriesSettings",
    "ShiftSettings",
    "SilentSettings",
    "SplitSettings",
    "TemporalSettings",
]

_SLOWEST_HZ = Fraction(1, 100)
_FASTEST_HZ = Fraction(1000)
_NOISE_PER_PIXEL_MAX = 16


class ProxySettings(Settings):
    """The common unlabelled items on which devices compare what they know."""

    blocks: Annotated[int, Field(ge=1, le=256)] = 16
    """blocks of items; one token speaks about one block"""
    rows: Annotated[int, Field(ge=1, le=256)] = 16
    """items a block"""


class IidSplit(Settings):
    """Every device sees every class equally often."""

    kind: Literal["iid"] = "iid"


class DirichletSplit(Settings):
    """Every device draws its own class proportions from a symmetric Dirichlet law."""

    kind: Literal["dirichlet"] = "dirichlet"
    alpha: Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)] = 0.3
    """concentration: near 0 one class a device, large values nearly equal classes"""


SplitSettings = Annotated[IidSplit | DirichletSplit, Field(discriminator="kind")]


class RotateShift(Settings):
    """From `at` on, what the camera sees is turned counter-clockwise."""

    kind: Literal["rotate"] = "rotate"
    at: Duration
    degrees: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] = 25.0


class InvertShift(Settings):
    """From `at` on, dark ink on a bright ground: ON and OFF change places."""

    kind: Literal["invert"] = "invert"
    at: Duration


class MirrorShift(Settings):
    """From `at` on, left and right change places."""

    kind: Literal["mirror"] = "mirror"
    at: Duration


class DimShift(Settings):
    """From `at` on, only a share of the light is left."""

    kind: Literal["dim"] = "dim"
    at: Duration
    light: Share = Fraction(2, 5)


ShiftSettings = Annotated[
    RotateShift | InvertShift | MirrorShift | DimShift, Field(discriminator="kind")
]


class CameraSettings(Settings):
    """The event camera: what makes a pixel speak, and how unlike and noisy cameras are."""

    contrast: Annotated[Share, Field(ge=Fraction(1, 20))] = Fraction(1, 5)
    """change of log intensity (natural logarithm) that makes one pixel event"""
    refractory: Annotated[Duration, Field(le=1_000_000_000)] = 500_000
    """time after an event in which its pixel is silent"""
    amplitude: Annotated[Share, Field(ge=Fraction(1, 100), le=Fraction(1, 2))] = Fraction(1, 10)
    """width of the triangle of the three saccades, as a share of the picture's side"""
    gain_spread: Annotated[Share, Field(le=Fraction(1, 2))] = Fraction(1, 10)
    """standard deviation of the cameras' gain"""
    mismatch: Annotated[Share, Field(le=Fraction(1, 5))] = Fraction(3, 100)
    """standard deviation of the threshold from pixel to pixel of one camera"""
    noise: Frequency | None = Fraction(1)
    """events without cause, a second and pixel; null for none"""


class _Presented(Settings):
    rate: Frequency = Fraction(8)
    """presentations a second and device"""
    proxy: ProxySettings = ProxySettings()

    @model_validator(mode="after")
    def _rate_is_sane(self) -> Self:
        if not _SLOWEST_HZ <= self.rate <= _FASTEST_HZ:
            raise ValueError(f"rate must be from 0.01 Hz to 1 kHz, got {float(self.rate):g} Hz")
        return self


class _Pictures(_Presented):
    size: Annotated[int, Field(ge=8, le=64)] = 16
    """pixels a side"""

    def noise_per_pixel(self, noise: Fraction | None) -> Fraction:
        """Return the mean number of noise events a pixel and presentation (80 % of the period)."""
        mean = (noise or Fraction(0)) * Fraction(4, 5) / self.rate
        if mean > _NOISE_PER_PIXEL_MAX:
            raise ValueError(
                f"noise of {float(mean):g} events a pixel and presentation is more than the "
                f"{_NOISE_PER_PIXEL_MAX} that a camera can send"
            )
        return mean


class DigitsSettings(_Pictures):
    """Bundled real handwritten digits, moved in front of a simulated event camera."""

    kind: Literal["digits"] = "digits"
    split: SplitSettings = IidSplit()
    shift: ShiftSettings | None = None
    camera: CameraSettings = CameraSettings()

    @model_validator(mode="after")
    def _noise_is_bounded(self) -> Self:
        self.noise_per_pixel(self.camera.noise)
        return self


class SilentSettings(_Pictures):
    """A camera in the dark: no frame at all."""

    kind: Literal["silent"] = "silent"


class PoissonSettings(_Pictures):
    """Pixel events without cause and labels by lot: nothing to learn, for studies of cost."""

    kind: Literal["poisson"] = "poisson"
    pixel_rate: Frequency = Fraction(27)
    """events a second and pixel while a presentation lasts"""

    @model_validator(mode="after")
    def _noise_is_bounded(self) -> Self:
        self.noise_per_pixel(self.pixel_rate)
        return self


class TemporalSettings(_Pictures):
    """Classes that differ in the order of their events alone: every pixel sends equally often."""

    kind: Literal["temporal"] = "temporal"
    size: Annotated[int, Field(ge=8, le=64)] = 8
    """pixels a side"""
    classes: Annotated[int, Field(ge=2, le=10)] = 4
    events: Annotated[int, Field(ge=1, le=8)] = 2
    """events a pixel and presentation"""
    jitter: Annotated[Duration, Field(le=1_000_000_000)] = 2_000_000
    """standard deviation of an event's time"""
    keep: Share = Fraction(9, 10)
    """share of the events that are not lost"""
    noise: Frequency | None = Fraction(3)
    """events without cause, a second and pixel; null for none"""

    @model_validator(mode="after")
    def _noise_is_bounded(self) -> Self:
        self.noise_per_pixel(self.noise)
        return self


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal | Fraction) else value


_Number = Annotated[float, BeforeValidator(_plain), Field(ge=-1e100, le=1e100, allow_inf_nan=False)]
_Positive = Annotated[float, BeforeValidator(_plain), Field(ge=1e-9, le=1e100, allow_inf_nan=False)]
_HeldOut = Annotated[Share, Field(gt=0, le=Fraction(1, 2))]


class RecordedSettings(_Presented):
    """Recordings of the user's own, dealt to devices, tests and proxies."""

    split: SplitSettings = IidSplit()
    held_out: _HeldOut | None = None
    """share of each class held out for tests, by lot; null for the test part of the data set"""


class NmnistSettings(RecordedSettings):
    """N-MNIST in the official layout: real event-camera recordings of handwritten digits."""

    kind: Literal["nmnist"] = "nmnist"
    root: Annotated[str, Field(min_length=1, max_length=4096)]
    """folder that holds Train and Test; relative to the scenario's folder"""
    size: Annotated[int, Field(ge=8, le=34)] = 34
    """pixels a side; below 34 pixels share an address"""
    window: Annotated[Duration, Field(ge=1_000_000, le=8_000_000_000)] = 315_000_000
    """how much of a recording is shown, from its start, in the time of a presentation; the three
    saccades take 105 ms each"""
    polarity: Literal["both", "merged"] = "both"
    """merged: OFF events count as ON events"""
    shift: ShiftSettings | None = None

    @model_validator(mode="after")
    def _a_recording_cannot_be_lit_anew(self) -> Self:
        if isinstance(self.shift, DimShift):
            text = "a recording cannot be dimmed: take rotate, mirror or invert"
            raise ValueError(text)  # noqa: TRY004 -- a setting that does not fit, no type
        if isinstance(self.shift, InvertShift) and self.polarity == "merged":
            raise ValueError("merged polarities cannot be inverted: nothing would change")
        return self


class DeltaEncoderSettings(Settings):
    """A channel speaks whenever it has moved by its threshold since it last spoke."""

    kind: Literal["delta"] = "delta"
    threshold: _Positive = 0.5
    """change that makes one event"""
    unit: Literal["sd", "absolute"] = "sd"
    """sd: times the standard deviation of the channel over the training recordings"""


class LevelEncoderSettings(Settings):
    """A channel speaks whenever it crosses one of its levels; each level is a row of its own."""

    kind: Literal["level-crossing"] = "level-crossing"
    levels: (
        Annotated[int, Field(ge=1, le=64)]
        | Annotated[tuple[_Number, ...], Field(min_length=1, max_length=64)]
    ) = 8
    """how many, evenly from -2 to 2 (one: 0), or the levels themselves, ascending"""
    unit: Literal["sd", "absolute"] = "sd"
    """sd: from the channel's mean over the training recordings, in its standard deviations"""

    @model_validator(mode="after")
    def _levels_ascend(self) -> Self:
        if isinstance(self.levels, int):
            if self.unit == "absolute":
                raise ValueError("levels in absolute units are listed one by one")
        elif any(low >= high for low, high in zip(self.levels, self.levels[1:], strict=False)):
            raise ValueError("levels must ascend")
        return self

    @property
    def places(self) -> tuple[float, ...]:
        """Give the levels, ascending."""
        if not isinstance(self.levels, int):
            return self.levels
        steps = self.levels - 1
        return tuple(4 * n / steps - 2 for n in range(steps + 1)) if steps else (0.0,)


EncoderSettings = Annotated[
    DeltaEncoderSettings | LevelEncoderSettings, Field(discriminator="kind")
]


class SeriesSettings(RecordedSettings):
    """Series of several channels, such as biosignals: UEA ``.ts`` files or CSV."""

    kind: Literal["series"] = "series"
    root: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """folder with a training and a test part; relative to the scenario's folder"""
    file: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """one file with all recordings, of which `held_out` (a fifth if not said) are for tests"""
    sampling: Frequency | None = None
    """samples a second, where the file gives no times"""
    window: Annotated[Duration, Field(ge=1_000_000, le=100_000 * 10**9)] | None = None
    """how much of a recording is shown, from its start, in the time of a presentation; null for
    the length of the longest training recording"""
    encoder: EncoderSettings = DeltaEncoderSettings()

    @model_validator(mode="after")
    def _one_place_is_named(self) -> Self:
        if (self.root is None) == (self.file is None):
            raise ValueError("name either root, a folder, or file")
        if self.sampling is not None and not _SLOWEST_HZ <= self.sampling <= 10**6:
            raise ValueError("sampling must be from 0.01 Hz to 1 MHz")
        return self


SensorSettings = Annotated[
    DigitsSettings
    | SilentSettings
    | PoissonSettings
    | TemporalSettings
    | NmnistSettings
    | SeriesSettings,
    Field(discriminator="kind"),
]
