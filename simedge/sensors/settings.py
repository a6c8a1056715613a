"""What a scenario may say about sensors (the schema of its ``sensors`` part)."""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Frequency, Settings, Share

__all__ = [
    "CameraSettings",
    "DigitsSettings",
    "DimShift",
    "DirichletSplit",
    "IidSplit",
    "InvertShift",
    "MirrorShift",
    "PoissonSettings",
    "ProxySettings",
    "RotateShift",
    "SensorSettings",
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


class _Pictures(Settings):
    size: Annotated[int, Field(ge=8, le=64)] = 16
    """pixels a side"""
    rate: Frequency = Fraction(8)
    """presentations a second and device"""
    proxy: ProxySettings = ProxySettings()

    @model_validator(mode="after")
    def _rate_is_sane(self) -> Self:
        if not _SLOWEST_HZ <= self.rate <= _FASTEST_HZ:
            raise ValueError(f"rate must be from 0.01 Hz to 1 kHz, got {float(self.rate):g} Hz")
        return self

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


SensorSettings = Annotated[
    DigitsSettings | SilentSettings | PoissonSettings | TemporalSettings,
    Field(discriminator="kind"),
]
