"""The simulated section seen in a microscope: haematoxylin and eosin, and DAPI fluorescence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates

from .anatomy import ADIPOSE, FOLLICLE, MUCOSA, MUSCLE, SUBMUCOSA, Anatomy
from .nuclei import Nuclei
from .random_fields import smooth_field

__all__ = ["EOSIN", "HAEMATOXYLIN", "dapi_image", "he_image"]

HAEMATOXYLIN = np.array([0.59, 0.73, 0.34], np.float32)
EOSIN = np.array([0.14, 0.86, 0.49], np.float32)
BLOOD = np.array([0.10, 0.72, 0.69], np.float32)
"""Optical density (natural logarithm, unit length) of each stain in red, green and blue."""

Float = npt.NDArray[np.float32]
# darkness of the chromatin by type: epithelial nuclei are vesicular, lymphocytes dense
CHROMATIN = np.array([1.25, 1.45, 1.30, 1.85, 1.6], np.float32)


def he_image(rng: np.random.Generator, anatomy: Anatomy, nuclei: Nuclei) -> npt.NDArray[np.uint8]:
    r"""Render the section in haematoxylin and eosin.

    Returns
    -------
    npt.NDArray[np.uint8]
        (3, y, x) red, green, blue.

    Notes
    -----
    Light falls off with the amount of stain, :math:`I_c = I_{0c} \exp(-\sum_s a_s D_{sc})`, with the
    stain vectors D above.

    References
    ----------
    Ruifrok and Johnston, Analytical and Quantitative Cytology and Histology 23, 291 (2001), eq. 1.
    """
    eosin, haze, blood = _background(rng, anatomy)
    eosin, haze = _cytoplasm(rng, anatomy, nuclei, eosin, haze)
    chromatin, coverage = _chromatin(rng, anatomy, nuclei)
    eosin *= 1 - 0.75 * coverage
    haze = haze * (1 - coverage) + chromatin
    shape = anatomy.shape
    # the section's thickness varies, and with it both stains
    thick = 1 + 0.06 * smooth_field(rng, shape, 60 / anatomy.pixel_size_um)
    density = [
        gaussian_filter(thick * (eosin * e + haze * h + blood * b), 0.28 / anatomy.pixel_size_um)
        for e, h, b in zip(EOSIN, HAEMATOXYLIN, BLOOD, strict=True)
    ]
    return _expose(rng, np.stack(density))


def dapi_image(rng: np.random.Generator, anatomy: Anatomy, nuclei: Nuclei) -> npt.NDArray[np.uint16]:
    """Render the same nuclei in DAPI fluorescence, (1, y, x), with background, blur, shot and read noise."""
    chromatin, _ = _chromatin(rng, anatomy, nuclei)
    px = anatomy.pixel_size_um
    glow = gaussian_filter(chromatin, 5 / px) * 0.12
    tissue = gaussian_filter((anatomy.domain > 0).astype(np.float32), 3 / px)
    light = 300 + 2600 * gaussian_filter(chromatin, 0.5 / px) + 2600 * glow + 160 * tissue
    noisy = rng.poisson(light / 2.0).astype(np.float32) * 2.0 + rng.normal(0, 18, light.shape).astype(np.float32)
    return np.asarray(np.clip(noisy, 0, 65535).astype(np.uint16)[None])


def _fibres(rng: np.random.Generator, anatomy: Anatomy, length: float, width: float, wave: float) -> Float:
    """Return noise drawn out along the layers: mean 0, deviation 1; ``wave`` bends the fibres, in µm."""
    shape, px = anatomy.shape, anatomy.pixel_size_um
    noise = gaussian_filter(rng.standard_normal((512, 512), dtype=np.float32), 1.2, mode="wrap")
    across, along = anatomy.depth / width, anatomy.along / length
    if wave:
        across = across + wave / width * smooth_field(rng, shape, 14 / px)
    drawn = map_coordinates(noise, [across + 256, along + 256], order=1, mode="grid-wrap", output=np.float32)
    return np.asarray(drawn / noise.std())


def _background(rng: np.random.Generator, anatomy: Anatomy) -> tuple[Float, Float, Float]:
    """Return eosin, haematoxylin haze and blood of everything but the cells."""
    shape, px, domain = anatomy.shape, anatomy.pixel_size_um, anatomy.domain
    wavy, fine = _fibres(rng, anatomy, 22, 1.3, 7.0), _fibres(rng, anatomy, 9, 0.55, 3.0)
    straight = _fibres(rng, anatomy, 60, 1.6, 1.2)
    soft = smooth_field(rng, shape, 5 / px)
    tissue = np.zeros(shape, np.float32)
    loose = np.clip(0.62 + 0.34 * wavy + 0.16 * fine, 0, 1.4) * np.where(wavy + 0.5 * soft < -0.75, 0.12, 1.0)
    # ridges of noise make a net, as in loose tissue between glands
    net = [1 - 1.6 * np.abs(smooth_field(rng, shape, s / px)) for s in (2.2, 4.5)]
    mesh = 0.6 * net[0] + 0.4 * net[1]
    lamina = np.clip(0.32 + 0.20 * mesh + 0.09 * fine + 0.05 * wavy, 0.05, 1)
    muscle = np.clip(0.74 + 0.13 * straight + 0.07 * fine, 0, 1.4) * np.where(straight < -1.75, 0.2, 1.0)
    fat = np.where(anatomy.fat_wall < 0.7 + 0.2 * soft, 0.62 + 0.1 * fine, 0.012)
    serosa = (anatomy.edge < 4.5 + 1.5 * soft) & (anatomy.depth > _fat_middle(anatomy))
    fat = np.where(serosa, loose, fat)
    for name, value in (
        (MUCOSA, lamina),
        (SUBMUCOSA, loose),
        (MUSCLE, muscle),
        (ADIPOSE, fat),
        (FOLLICLE, np.clip(0.20 + 0.08 * mesh, 0, 1)),
    ):
        tissue = np.where(domain == name, value, tissue)
    grain = 1 + 0.07 * smooth_field(rng, shape, 0.7 / px) + 0.05 * smooth_field(rng, shape, 2.5 / px)
    tissue = (tissue * grain).astype(np.float32)
    haze = np.select([domain == FOLLICLE, domain == MUCOSA, domain == MUSCLE], [0.26, 0.10, 0.07], 0.0).astype(
        np.float32
    )
    haze *= np.clip(0.9 + 0.3 * soft + 0.5 * mesh, 0, 2)
    blood = _vessel_walls(rng, anatomy, tissue, haze, fine)
    return tissue, haze, blood


def _fat_middle(anatomy: Anatomy) -> float:
    inside = anatomy.depth[anatomy.domain == ADIPOSE]
    return float(np.median(inside)) if inside.size else np.inf


def _vessel_walls(rng: np.random.Generator, anatomy: Anatomy, eosin: Float, haze: Float, fine: Float) -> Float:
    """Draw walls and empty lumina of vessels in place; return the red cells in some of them."""
    rho, px = anatomy.vessels.rho, anatomy.pixel_size_um
    wall, lumen = (rho > 0.66) & (rho < 1), rho <= 0.66
    eosin[wall] = 0.66 + 0.08 * fine[wall]
    eosin[lumen], haze[lumen] = 0.02, 0.0
    full = np.concatenate([[False], rng.random(len(anatomy.vessels.radii_um)) < 0.6])
    cells = smooth_field(rng, rho.shape, 1.7 / px)
    blood = (full[anatomy.vessels.labels] & (rho < 0.62) & (cells > -0.5)) * np.clip(0.75 + 0.25 * cells, 0.4, 1.1)
    return np.asarray(gaussian_filter(blood.astype(np.float32), 0.4 / px))


def _cytoplasm(
    rng: np.random.Generator, anatomy: Anatomy, nuclei: Nuclei, eosin: Float, haze: Float
) -> tuple[Float, Float]:
    """Fill glands, surface and the surroundings of nuclei."""
    px, shape = anatomy.pixel_size_um, anatomy.shape
    owner, away = nuclei.territory, nuclei.away_um
    grain = smooth_field(rng, shape, 1.4 / px)
    rho, gland = anatomy.glands.rho, anatomy.glands.rho < 1
    surface = (
        (anatomy.domain == MUCOSA) & (np.minimum(anatomy.depth, anatomy.edge + 4) < 18) & (anatomy.depth < 18) & ~gland
    )
    epithelium = gland | surface
    shade = np.concatenate([[0], rng.normal(0, 0.05, len(nuclei.types))]).astype(np.float32)[owner]
    eosin = np.where(epithelium, 0.34 + 0.05 * grain + shade, eosin)
    haze = np.where(epithelium, 0.17 + 0.03 * grain + 0.5 * shade, haze)
    _mucin(rng, anatomy, owner, surface, eosin, haze)
    border = (owner != np.roll(owner, 1, 0)) | (owner != np.roll(owner, 1, 1))
    eosin += np.where(epithelium, 0.35 * gaussian_filter(border.astype(np.float32), 0.35 / px), 0)
    membrane = np.exp(-(((rho - 1.0) / 0.035) ** 2), where=np.isfinite(rho), out=np.zeros_like(rho))
    eosin += 0.30 * membrane
    lumen_size = np.concatenate([[0], rng.uniform(0.10, 0.26, len(anatomy.glands.radii_um))]).astype(np.float32)
    lumen = gland & (rho < lumen_size[anatomy.glands.labels] * (1 + 0.15 * smooth_field(rng, shape, 4 / px)))
    eosin[lumen], haze[lumen] = 0.03, 0.03
    # a thin rim of cytoplasm, dark in plasma cells and lymphocytes
    rim = np.exp(-((away / 1.3) ** 2)) * (anatomy.domain > 0) * ~epithelium
    return (eosin + 0.12 * rim).astype(np.float32), (haze + 0.10 * rim).astype(np.float32)


def _mucin(
    rng: np.random.Generator,
    anatomy: Anatomy,
    owner: npt.NDArray[np.int32],
    surface: npt.NDArray[np.bool_],
    eosin: Float,
    haze: Float,
) -> None:
    """Bleach the apical part of goblet cells, in place: pale, faintly blue."""
    goblet = (rng.random(owner.max() + 1) < 0.55)[owner]
    soft = smooth_field(rng, owner.shape, 3 / anatomy.pixel_size_um)
    rho = anatomy.glands.rho
    apical = ((rho < 0.64 + 0.04 * soft) & (rho > 0.2)) | (surface & (anatomy.depth < 6 + soft) & (anatomy.depth > 1.5))
    pale = gaussian_filter((goblet & apical).astype(np.float32), 0.9 / anatomy.pixel_size_um)
    eosin *= 1 - 0.82 * pale
    haze += 0.03 * pale


def _chromatin(rng: np.random.Generator, anatomy: Anatomy, nuclei: Nuclei) -> tuple[Float, Float]:
    """Return haematoxylin in the nuclei and how much of each pixel they cover, with soft borders."""
    px, shape = anatomy.pixel_size_um, anatomy.shape
    level = CHROMATIN[nuclei.types] * np.exp(rng.normal(0, 0.17, len(nuclei.types))).astype(np.float32)
    level = np.concatenate([[0], level]).astype(np.float32)[nuclei.labels]
    inside = nuclei.labels > 0
    rho = np.where(inside, np.minimum(nuclei.rho, 1), 1).astype(np.float32)
    vesicular = np.concatenate([[0], np.array([0.30, 0.12, 0.16, 0.06, 0.0])[nuclei.types]]).astype(np.float32)[
        nuclei.labels
    ]
    clumps = 0.26 * smooth_field(rng, shape, 0.6 / px) + 0.14 * smooth_field(rng, shape, 1.3 / px)
    texture = 1 + clumps + vesicular * (rho**3 - 0.45)
    nucleoli = smooth_field(rng, shape, 1.0 / px) > 2.1
    texture += np.where(nucleoli & (rho < 0.7), 0.35, 0)
    chromatin = np.where(inside, level * np.clip(texture, 0.35, 2.0), 0).astype(np.float32)
    blur = 0.30 / px
    return gaussian_filter(chromatin, blur), gaussian_filter(inside.astype(np.float32), blur)


def _expose(rng: np.random.Generator, density: Float) -> npt.NDArray[np.uint8]:
    """Light through the section: lamp colour, slight shading, shot and read noise, eight bits."""
    shape = density.shape[1:]
    y, x = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None], np.linspace(-1, 1, shape[1], dtype=np.float32)
    lamp = np.array([244, 242, 245], np.float32)[:, None, None] * (1 - 0.015 * (y**2 + x**2))
    light = lamp * np.exp(-density)
    noise = rng.standard_normal(density.shape, dtype=np.float32)
    noisy = light + noise * np.sqrt(0.015 * light + 1.0)
    return np.asarray(np.clip(np.round(noisy), 0, 255).astype(np.uint8))
