"""Figures of what a model of pictures has learned."""

import json

import numpy as np
import pytest

import musicvae_lite as mv
from musicvae_lite.core.errors import MusaeError
from musicvae_lite.images.data.pictures import Split
from musicvae_lite.images.figures import (
    DRAWN,
    NAMES,
    Gallery,
    loss_curves,
    principal_components,
    reasons_against,
)
from musicvae_lite.images.plots import Row, draw_rows, draw_scatter, prior_grid
from musicvae_lite.model_dir.bundle import describe
from musicvae_lite.plotting import sheet
from tests.tiny import PICTURE_MODELS, digits, save_picture_model, save_tiny_model


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {name: save_picture_model(folder / name, name) for name in PICTURE_MODELS}


def gallery(folder, suffix=".png", labels=True):
    images, classes = digits(25)
    session = mv.load(folder, device="cpu")
    split = Split(session.codec.encode(images), classes if labels else None)
    return Gallery(session, split, folder.name, "digits", suffix)


@pytest.mark.parametrize("name", PICTURE_MODELS)
def test_all_that_apply_can_be_drawn(folders, name):
    found = gallery(folders[name])
    against = reasons_against(describe(folders[name]))
    assert set(against) == set(NAMES) and against["loss"]
    for picture in DRAWN:
        if not against[picture]:
            assert found.draw(picture)[:4] == b"\x89PNG", picture


def test_which_apply(folders, tmp_path):
    applies = {
        name: {
            picture
            for picture, reason in reasons_against(describe(folders[name])).items()
            if not reason
        }
        for name in folders
    }
    common = {"reconstructions", "latent-scatter", "interpolations", "perturbations"}
    assert applies["vae"] == common | {"latent-grid", "samples"}
    assert applies["ae"] == applies["denoiser"] == applies["enlarger"] == common | {"feature-maps"}
    assert applies["residual"] == {"reconstructions", "latent-scatter", "feature-maps"}
    assert applies["conditional"] == common | {"classes"}
    assert all(reasons_against(describe(save_tiny_model(tmp_path / "music"))).values())


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_same_input_same_bytes(folders, suffix):
    first, second = gallery(folders["vae"], suffix), gallery(folders["vae"], suffix)
    for picture in ("reconstructions", "latent-scatter", "latent-grid"):
        assert first.draw(picture) == second.draw(picture)


def test_pictures_without_labels(folders):
    found = gallery(folders["vae"], labels=False)
    assert found.chosen(4).tolist() == [0, 1, 2, 3] and found.caption(2) == "2"
    for picture in ("reconstructions", "latent-scatter", "interpolations"):
        assert found.draw(picture)


def test_one_of_each_class_is_shown(folders):
    found = gallery(folders["vae"])
    assert [found.caption(row) for row in found.chosen(10)] == [str(digit) for digit in range(10)]


def test_the_grid_parts_the_prior_into_equal_cells():
    points = prior_grid(4)
    assert (
        points.shape == (16, 2)
        and points[0, 1] > 0 > points[-1, 1]
        and points[0, 0] < 0 < points[3, 0]
    )
    assert np.allclose(np.unique(points[:, 0]), [-1.1503, -0.3186, 0.3186, 1.1503], atol=1e-3)


def test_principal_components_are_those_of_largest_variance():
    generator = np.random.default_rng(0)
    codes = generator.normal(size=(500, 5)) * [1, 10, 0.1, 3, 0.5] + 7
    points, share = principal_components(codes)
    assert (
        np.allclose(np.abs(points), np.abs((codes - codes.mean(0))[:, [1, 3]]), atol=1.0)
        and 0.97 < share < 1
    )
    assert np.array_equal(principal_components(codes)[0], points)


def test_curves_of_a_run(tmp_path):
    lines = [
        {"event": "notice", "step": 0, "message": "begins", "warning": False},
        *(
            {
                "event": "trained",
                "step": step,
                "loss": 50 / step,
                "kl_bits": 2.0,
                "terms": {"told": 0.6},
            }
            for step in range(1, 40)
        ),
        {
            "event": "validated",
            "step": 39,
            "score": 3.0,
            "measures": {"psnr_db": 14.0, "kl_bits": 2.5},
        },
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '{"event": "trai')
    assert loss_curves(tmp_path, "x")[:4] == b"\x89PNG"
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(MusaeError, match="holds nothing to draw"):
        loss_curves(tmp_path, "x")


def test_rows_of_several_sizes_and_a_gap():
    rows = [
        Row("small", [np.zeros((4, 4)), None]),
        Row("large", [np.ones((8, 8)), np.ones((8, 8, 3))]),
    ]
    assert draw_rows(rows, ["a", ""], "title " * 40)[:4] == b"\x89PNG"


@pytest.mark.parametrize("count", [1, 3, 14])
def test_scatter_of_any_number_of_classes(count):
    points = np.random.default_rng(0).normal(size=(30, 2))
    assert draw_scatter(points, np.arange(30) % count, "t")[:4] == b"\x89PNG"


def test_a_sheet_is_enlarged_by_whole_pixels():
    pictures = np.zeros((3, 8, 8), np.float32)
    pictures[1] = 1
    picture = sheet(pictures, columns=2)
    size = 8 * 12
    assert picture.dtype == np.uint8 and picture.shape == (2 * (size + 6) + 6, 2 * (size + 6) + 6)
    assert (picture[6 : 6 + size, 12 + size : 12 + 2 * size] == 255).all() and picture[0, 0] == 128
    assert sheet(np.zeros((2, 300, 200, 3)), 2).shape == (302, 403, 3)
