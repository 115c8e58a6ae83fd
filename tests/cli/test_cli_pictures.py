"""The verbs with a model of pictures: files in, files out, and one line where something is
wrong.
"""

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
from musae.verbs.plot import PLOTS
from PIL import Image

from musicvae_lite.images.figures import NAMES
from musicvae_lite.media.image import png_bytes, read_picture
from tests.idx import idx_bytes
from tests.tiny import PICTURE_MODELS, digits, melody, save, save_picture_model


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Model folders by what is special about them."""
    folder = tmp_path_factory.mktemp("picture-models")
    return {name: save_picture_model(folder / name, name) for name in PICTURE_MODELS}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with digits as pictures (0.png, 1.png), in a folder (scans), in x.npz and
    as IDX.
    """
    monkeypatch.chdir(tmp_path)
    images, labels = digits(12)
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(png_bytes(images[number]))
    for number in range(3):
        place = tmp_path / "scans" / ("a" if number < 2 else "b")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number % 2}.png").write_bytes(png_bytes(images[number]))
    np.savez(tmp_path / "x.npz", images=images, labels=labels)
    np.savez(tmp_path / "plain.npz", images=images)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images)))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(idx_bytes(labels.astype(np.uint8)))
    )
    return tmp_path


def arrays(path):
    with np.load(path, allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def test_interpolate_writes_a_strip(musae, here, models):
    run = musae("interpolate", "0.png", "1.png", "-m", models["vae"])
    assert run.code == 0 and run.err == "", run.err
    assert run.out.splitlines()[0].startswith("from 0.png: reconstructed with a PSNR of ")
    assert run.out.splitlines()[2] == "wrote 0__1.png"
    strip = read_picture(here / "0__1.png")
    assert (
        strip.shape[1] > 8 * strip.shape[0] and strip.shape[0] >= 96
    )  # nine in a row, large enough to see
    assert musae("interpolate", "0.png", "1.png", "-m", models["vae"], "-o", "strip.jpg").code == 0
    run = musae(
        "interpolate",
        "x.npz#3",
        "t10k-images-idx3-ubyte.gz#7",
        "-m",
        models["ae"],
        "-o",
        "steps/",
        "--steps",
        "3",
        "--json",
    )
    assert (
        run.json["outputs"] == ["steps/00.png", "steps/01.png", "steps/02.png"]
        and run.json["path"] == "lerp"
    )
    assert read_picture(here / "steps" / "01.png").shape == (8, 8)
    run = musae(
        "interpolate",
        "0.png",
        "1.png",
        "-m",
        models["vae"],
        "-o",
        "s.npz",
        "--plot",
        "p.svg",
        "--json",
    )
    assert run.json["plot"] == "p.svg" and (here / "p.svg").read_bytes().startswith(b"<?xml")
    assert arrays("s.npz")["images"].shape == (9, 8, 8) and arrays("s.npz")["z"].shape == (9, 2)


def test_reconstruct_gives_back_what_it_was_given(musae, here, models):
    run = musae(
        "reconstruct",
        "0.png",
        "x.npz",
        "t10k-images-idx3-ubyte.gz",
        "scans",
        "-m",
        models["ae"],
        "--json",
    )
    assert run.code == 0, run.err
    outputs = [done["outputs"] for done in run.json["files"]]
    assert outputs[:3] == [
        ["0.reconstructed.png"],
        ["x.reconstructed.npz"],
        ["t10k-images-idx3-ubyte.reconstructed.npz"],
    ]
    assert outputs[3] == [f"scans.reconstructed/{name}.png" for name in ("0", "1", "0-2")]
    found = arrays("x.reconstructed.npz")
    assert found["images"].dtype == np.float32 and found["images"].shape == (12, 8, 8)
    assert found["labels"].tolist() == digits(12)[1].tolist()
    assert np.array_equal(
        found["images"], arrays("t10k-images-idx3-ubyte.reconstructed.npz")["images"]
    )
    by_hand = np.square(found["images"].astype(float) - digits(12)[0] / 255).mean()
    facts = run.json["files"][1]
    assert facts["mse"] == pytest.approx(by_hand, rel=1e-4) and facts["psnr_db"] == pytest.approx(
        -10 * np.log10(by_hand), rel=1e-4
    )
    assert facts["compared_with"] == "input" and facts["pictures"] == 12
    picture = read_picture(here / "0.reconstructed.png")
    assert np.abs(picture / 255 - found["images"][0]).max() <= 0.5 / 255 + 1e-6


def test_reconstruct_into_one_place(musae, here, models):
    assert (
        musae("reconstruct", "0.png", "x.npz", "scans", "-m", models["ae"], "-o", "out/").code == 2
    )  # two would be 0.png
    assert musae("reconstruct", "x.npz", "scans", "-m", models["ae"], "-o", "out/").code == 0
    assert sorted(path.name for path in (here / "out").iterdir()) == [
        "0-2.png",
        "0.png",
        "1.png",
        "x.npz",
    ]
    assert musae("reconstruct", "0.png", "-m", models["ae"], "-o", "one.bmp").code == 0
    assert (
        musae("reconstruct", "0.png", "x.npz#4", "scans", "-m", models["ae"], "-o", "all.npz").code
        == 0
    )
    found = arrays("all.npz")
    assert found["images"].shape == (5, 8, 8) and found["index"].tolist() == [0, 4, 0, 1, 2]
    assert (
        found["source"].tolist() == ["0.png", "x.npz", "scans", "scans", "scans"]
        and "labels" not in found
    )
    for output in ("many.png", "many.txt"):
        run = musae("reconstruct", "x.npz", "-m", models["ae"], "-o", output)
        assert run.code == 2 and output in run.err and len(run.err.splitlines()) == 1


def test_noise_is_added_and_kept(musae, here, models):
    command = ["reconstruct", "x.npz", "-m", models["denoiser"], "--noise-sd", "0.3", "--seed"]
    run = musae(*command, "7", "-o", "r.npz", "--json")
    found, clean = arrays("r.npz"), digits(12)[0] / 255
    assert found["noisy"].shape == (12, 8, 8) and found["noisy"].dtype == np.float32
    assert 0.2 < (found["noisy"] - clean)[(found["noisy"] > 0) & (found["noisy"] < 1)].std()
    facts = run.json["files"][0]
    assert facts["compared_with"] == "original"
    assert facts["mse"] == pytest.approx(np.square(found["images"] - clean).mean(), rel=1e-4)
    assert facts["noisy_psnr_db"] == pytest.approx(
        -10 * np.log10(np.square(found["noisy"] - clean).mean()), rel=1e-4
    )
    assert (
        musae(*command, "7", "-o", "again.npz").code
        == musae(*command, "8", "-o", "other.npz").code
        == 0
    )
    assert (
        (here / "r.npz").read_bytes()
        == (here / "again.npz").read_bytes()
        != (here / "other.npz").read_bytes()
    )
    assert (
        "against the original (noisy " in musae(*command, "7", "-o", "again.npz", "--overwrite").out
    )


def test_super_resolution_is_compared_with_the_original_where_it_is_known(musae, here, models):
    small = np.stack([image[::2, ::2] for image in digits(3)[0]])
    np.savez("small.npz", images=small)
    run = musae("reconstruct", "x.npz", "small.npz", "-m", models["enlarger"], "--json")
    assert [done["compared_with"] for done in run.json["files"]] == [
        "original",
        None,
    ] and run.err == ""
    assert arrays("small.reconstructed.npz")["images"].shape == (3, 8, 8)
    run = musae("reconstruct", "small.npz", "-m", models["enlarger"], "--overwrite")
    assert "the original in this size is not known" in run.out


def test_denoise(musae, here, models):
    run = musae("denoise", "0.png", "x.npz", "scans", "-m", models["denoiser"])
    assert (
        run.code == 0
        and "0.denoised.png: 1 picture" in run.out
        and "scans.denoised/0.png ..." in run.out
    )
    whole = arrays("x.denoised.npz")["images"]
    assert (
        musae(
            "denoise", "x.npz", "-m", models["denoiser"], "--strength", "0", "-o", "none.npz"
        ).code
        == 0
    )
    assert (
        musae(
            "denoise", "x.npz", "-m", models["denoiser"], "--strength", "0.25", "-o", "some.npz"
        ).code
        == 0
    )
    none, some = arrays("none.npz")["images"], arrays("some.npz")["images"]
    assert np.allclose(none, digits(12)[0] / 255, atol=1e-6) and np.allclose(
        some, 0.75 * none + 0.25 * whole, atol=1e-6
    )
    run = musae("denoise", "0.png", "-m", models["ae"], "-o", "n.png")
    assert (
        run.code == 2
        and "was not trained to remove noise" in run.err
        and "musae reconstruct" in run.err
    )
    assert (
        musae("denoise", "0.png", "-m", models["denoiser"], "--strength", "1.5", "-o", "n.png").code
        == 2
    )


def test_denoise_looks_into_folders(musae, here):
    run = musae("denoise", "scans", "-o", "dn/", "--json")
    assert (
        run.code == 0
        and run.json["model"] == "mnist-denoise"
        and len(list((here / "dn").iterdir())) == 3
    ), run.err
    (here / "tape").mkdir()
    (here / "tape" / "a.wav").write_bytes(b"")
    run = musae("denoise", "tape", "-o", "clean/")
    assert run.code == 1 and "tape/a.wav: is an empty file" in run.err  # its sounds are cleaned
    (here / "nothing").mkdir()
    assert "is a folder; name a sound file" in musae("denoise", "nothing").err


def test_a_bad_picture_of_a_folder_does_not_stop_the_others(musae, here, models):
    (here / "scans" / "a" / "0.png").write_bytes(b"no picture")
    run = musae("reconstruct", "scans", "-m", models["ae"], "--json")
    assert (
        run.code == 1
        and "a/0.png: is no picture" in run.err
        and "1 of 3 pictures of scans failed" in run.err
    )
    (told,) = run.json["files"]
    assert told["pictures"] == 2 and run.json["failures"]
    assert sorted(told["outputs"]) == sorted(
        str(path.relative_to(here)) for path in (here / "scans.reconstructed").iterdir()
    )
    one = musae("reconstruct", "scans/a/1.png", "-m", models["ae"], "-o", "one.png")
    assert (
        one.code == 0
        and (here / told["outputs"][0]).read_bytes() == (here / "one.png").read_bytes()
    )
    assert musae("reconstruct", "scans", "-m", models["ae"], "-o", "all.npz").code == 1
    assert len(arrays("all.npz")["images"]) == 2
    assert musae("encode", "scans", "-m", models["vae"], "-o", "z.npz").code == 1
    assert arrays("z.npz")["index"].tolist() == [1, 2]
    for name in ("a/1.png", "b/0.png"):
        (here / "scans" / name).write_bytes(b"no picture")
    run = musae("encode", "scans", "-m", models["vae"], "-o", "y.npz")
    assert run.code == 1 and "none of its 3 pictures can be used" in run.err


def test_sample(musae, here, models):
    assert musae("sample", "-m", models["vae"]).out == "wrote samples.png: 25 pictures\n"
    assert read_picture(here / "samples.png").shape[0] > 5 * 90
    run = musae(
        "sample", "-m", models["vae"], "--count", "3", "-o", "new/", "--json", "--seed", "5"
    )
    assert run.json["outputs"] == [f"new/sample-0{number}.png" for number in (1, 2, 3)]
    assert (
        musae("sample", "-m", models["vae"], "--count", "5", "-o", "more/", "--seed", "5").code == 0
    )
    assert (here / "new" / "sample-03.png").read_bytes() == (
        here / "more" / "sample-03.png"
    ).read_bytes()
    run = musae("sample", "-m", models["conditional"], "--count", "12", "-o", "c.npz", "--json")
    assert (
        run.json["labels"] == [*range(10), 0, 1]
        and arrays("c.npz")["labels"].tolist() == run.json["labels"]
    )
    assert musae("sample", "-m", models["conditional"], "--label", "7", "-o", "7.png").code == 0
    run = musae("sample", "-m", models["ae"], "-o", "n.png")
    assert run.code == 2 and "plain autoencoder" in run.err and not (here / "n.png").exists()
    run = musae("sample", "-m", models["vae"], "--count", "3000", "-o", "n.png")
    assert run.code == 2 and "up to 2,500" in run.err


def test_encode_and_decode(musae, here, models):
    run = musae("encode", "0.png", "x.npz", "scans", "-m", models["vae"], "-o", "z.npz", "--json")
    assert run.json["pictures"] == 16 and run.json["latent_size"] == 2
    found = arrays("z.npz")
    assert found["mean"].shape == found["scale"].shape == (16, 2) and (found["scale"] > 0).all()
    assert found["index"].tolist() == [0, *range(12), 0, 1, 2] and str(found["model"]) == str(
        models["vae"]
    )
    assert found["label"].tolist() == [-1, *digits(12)[1].tolist(), 0, 0, 1]
    assert found["source"].tolist() == ["0.png"] + ["x.npz"] * 12 + ["scans"] * 3
    assert musae("encode", "0.png", "-m", models["vae"], "-o", "one.npz").code == 0
    assert "label" not in arrays("one.npz") and np.array_equal(
        arrays("one.npz")["mean"], found["mean"][:1]
    )

    run = musae("decode", "z.npz", "-m", models["vae"], "-o", "d/", "--json")
    assert (
        run.json["outputs"][:3] == ["d/0.png", "d/x-00.png", "d/x-01.png"]
        and run.json["outputs"][-1] == "d/scans-02.png"
    )
    assert musae("decode", "z.npz", "-m", models["vae"], "-o", "d.npz").code == 0
    assert (
        musae("reconstruct", "0.png", "x.npz", "scans", "-m", models["vae"], "-o", "r.npz").code
        == 0
    )
    assert np.allclose(arrays("d.npz")["images"], arrays("r.npz")["images"], atol=1e-6)
    assert musae("decode", "z.npz", "-m", models["vae"]).out == "wrote z.decoded.png: 16 pictures\n"
    np.savez("points.npz", mean=np.zeros((3, 2)))
    run = musae("decode", "points.npz", "-m", models["vae"], "-o", "p/", "--json")
    assert run.json["outputs"] == ["p/points-00.png", "p/points-01.png", "p/points-02.png"]


def test_labels_of_a_conditional_model(musae, here, models):
    model = models["conditional"]
    run = musae("reconstruct", "x.npz", "-m", model, "-o", "own.npz")
    assert run.code == 0, run.err
    assert musae("reconstruct", "x.npz", "-m", model, "--label", "4", "-o", "four.npz").code == 0
    own, four = arrays("own.npz")["images"], arrays("four.npz")["images"]
    assert np.array_equal(own[4], four[4]) and not np.array_equal(
        own[5], four[5]
    )  # picture 4 is a four
    for command in (
        ["reconstruct", "0.png"],
        ["encode", "plain.npz", "-o", "n.npz"],
        ["interpolate", "0.png", "1.png"],
    ):
        run = musae(*command, "-m", model)
        assert run.code == 2 and "give --label 0 to 9" in run.err and len(run.err.splitlines()) == 1
    run = musae("interpolate", "x.npz#3", "x.npz#8", "-m", model)
    assert run.code == 2 and "3 and 8; choose with --label" in run.err
    assert musae("interpolate", "x.npz#3", "x.npz#8", "-m", model, "--label", "3").code == 0
    for command in (["reconstruct", "0.png"], ["sample"], ["encode", "0.png", "-o", "n.npz"]):
        run = musae(*command, "-m", model, "--label", "12")
        assert run.code == 2 and "knows the labels 0 to 9" in run.err
        run = musae(*command, "-m", models["vae"], "--label", "1")
        assert run.code == 2 and "is not conditional" in run.err
    np.savez("many.npz", images=digits(3)[0], labels=np.array([0, 1, 10]))
    run = musae("reconstruct", "many.npz", "-m", model)
    assert run.code == 2 and "has labels from 0 to 10" in run.err
    assert musae("encode", "x.npz", "-m", model, "-o", "z.npz").code == 0
    assert musae("decode", "z.npz", "-m", model, "-o", "d.npz").code == 0
    np.savez("points.npz", mean=np.zeros((2, 3)))
    assert "give --label" in musae("decode", "points.npz", "-m", model).err
    assert musae("decode", "points.npz", "-m", model, "--label", "1").code == 0


def test_pictures_that_do_not_fit_are_resized_and_it_is_said_once(musae, here, models):
    Image.new("RGB", (30, 20), (255, 40, 0)).save("red.jpg")
    Image.fromarray(digits(1)[0][0]).resize((16, 16)).save("scans/b/large.png")
    run = musae("reconstruct", "red.jpg", "scans", "-m", models["vae"])
    assert run.err.splitlines() == [
        "red.jpg: 30 x 20 pixels, resized to 8 x 8; colours turned to grey",
        "scans: 1 of 4 pictures of 16 x 16 pixels, resized to 8 x 8",
    ]
    assert read_picture(here / "red.reconstructed.png").shape == (8, 8)
    assert len(list((here / "scans.reconstructed").iterdir())) == 4
    run = musae("reconstruct", "0.png", "-m", models["colour"])
    assert run.err == "0.png: grey taken as colours\n"
    assert musae("reconstruct", "red.jpg", "-q", "-m", models["vae"], "--overwrite") == (0, "", "")


def test_inspect(musae, here, models):
    Image.new("RGB", (30, 20), (255, 40, 0)).save("red.jpg")
    run = musae("inspect", "0.png", "x.npz", "red.jpg", "-m", models["vae"])
    assert (
        run.code == 0
        and "0.png: 1 picture of 8 x 8, grey" in run.out
        and "takes them as they are" in run.out
    )
    assert (
        "labels 0: 2, 1: 2, 2: 1" in run.out
        and "resized to 8 x 8; colours turned to grey" in run.out
    )
    document = musae("inspect", "x.npz", "-m", models["enlarger"], "--json").json["files"][0]
    assert document["pictures"] == 12 and document["labels"]["0"] == 2
    assert document["use"] == "takes them as they are; shrinks to 4 x 4, then enlarges to 8 x 8"
    assert "wants a label" in musae("inspect", "0.png", "-m", models["conditional"]).out


def test_models_says_how_good(musae, here, models):
    path = models["vae"] / "config.json"
    tree = json.loads(path.read_text())
    metrics = {"bce_mean": 0.2, "psnr_db": 13.84, "elbo_nats": -40.5, "kl_bits": 6.7}
    copy = here / "copy"
    copy.mkdir()
    for file in models["vae"].iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "config.json").write_text(json.dumps({**tree, "metrics": metrics}))
    run = musae("models", "copy")
    assert "kB; held-out pictures: BCE 0.2000, PSNR 13.84 dB, ELBO -40.50 nats, 6.7 bits" in run.out
    assert musae("models", "copy", "--json").json["models"][0]["kind"] == "pictures"


def test_music_and_pictures_do_not_mix(musae, here, models, tiny):
    save(melody(3), here / "a.mid")
    for command in (
        ["interpolate", "0.png", "1.png"],
        ["reconstruct", "x.npz#3"],
        ["encode", "0.png", "-o", "z.npz"],
        ["inspect", "t10k-images-idx3-ubyte.gz"],
        ["denoise", "0.png"],
    ):
        run = musae(*command, "-m", tiny)
        assert (
            run.code == 2
            and "holds pictures" in run.err
            and "mnist-vae" in run.err
            and len(run.err.splitlines()) == 1
        )
    for command in (
        ["interpolate", "a.mid", "0.png"],
        ["reconstruct", "a.mid"],
        ["encode", "a.mid", "-o", "z.npz"],
        ["inspect", "a.mid"],
    ):
        run = musae(*command, "-m", models["denoiser"])
        assert (
            run.code == 2
            and "a.mid: holds music" in run.err
            and "mel-2bar" in run.err
            and len(run.err.splitlines()) == 1
        )
    for command in (
        ["sample", "--qpm", "90"],
        ["reconstruct", "0.png", "--track", "1"],
        ["interpolate", "0.png", "1.png", "--wav", "w.wav"],
    ):
        run = musae(*command, "-m", models["vae"])
        assert run.code == 2 and "is for models of music" in run.err
    run = musae("reconstruct", "a.mid", "-m", tiny, "--noise-sd", "0.3")
    assert run.code == 2 and run.err.startswith("musae: --noise-sd is for models of pictures")


BAD = {
    "absent.png": (None, 1, "no such file"),
    "text.png": (b"this is text", 1, "is no picture"),
    "cut.png": (png_bytes(np.tile(digits(1)[0][0], (40, 40)))[:-200], 1, "damaged"),
    "cut-images-idx3-ubyte": (idx_bytes(digits(5)[0])[:-7], 1, "is damaged: it states 5 x 8 x 8"),
    "notes.txt": (b"text", 1, "is no picture, no .npz and no IDX"),
    "text.npz": (b"text", 1, "is no .npz file"),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_cannot_be_used(musae, here, models, name):
    data, code, words = BAD[name]
    if data is not None:
        (here / name).write_bytes(data)
    before = sorted(path.name for path in here.iterdir())
    for command in (
        ["reconstruct", name],
        ["interpolate", "0.png", name],
        ["encode", name, "-o", "z.npz"],
        ["inspect", name],
    ):
        run = musae(*command, "-m", models["vae"])
        assert (run.code, run.out) == (code, "") and words in run.err, run.err
        assert run.err.startswith(f"musae: {name}") and len(run.err.splitlines()) == 1
    assert sorted(path.name for path in here.iterdir()) == before


def test_places_that_cannot_be(musae, here, models):
    for name, words in (
        ("x.npz#12", "holds 12 pictures, 0 to 11"),
        ("0.png#1", "holds 1 pictures"),
        ("x.npz", "such as x.npz#0"),
    ):
        run = musae("interpolate", "0.png", name, "-m", models["vae"])
        assert run.code == 2 and words in run.err and len(run.err.splitlines()) == 1
    (here / "empty").mkdir()
    run = musae("reconstruct", "empty", "-m", models["vae"])
    assert run.code == 3 and "empty: holds no pictures" in run.err
    (here / "0__1.png").write_bytes(b"mine")
    run = musae("interpolate", "0.png", "1.png", "-m", models["vae"])
    assert (
        run.code == 2
        and "exists already" in run.err
        and (here / "0__1.png").read_bytes() == b"mine"
    )
    for output in ("nowhere/x.png", "nowhere/sub/", "0.png/", "x.txt", "0.png"):
        for command in (["reconstruct", "0.png"], ["interpolate", "0.png", "1.png"]):
            run = musae(
                *command,
                "-m",
                models["vae"],
                "-o",
                output,
                *(["--overwrite"] if output == "0.png" else []),
            )
            assert run.code == 2 and len(run.err.splitlines()) == 1, output
    assert sorted(path.name for path in here.iterdir() if path.is_dir()) == ["empty", "scans"]


def test_a_bad_file_does_not_stop_the_others(musae, here, models):
    (here / "bad.png").write_bytes(b"no")
    run = musae("reconstruct", "0.png", "bad.png", "-m", models["vae"], "--json")
    assert (
        run.code == 1
        and [done["file"] for done in run.json["files"]] == ["0.png"]
        and "bad.png" in run.json["failures"][0]
    )


def test_bad_input_is_told_before_torch_is_loaded(here, models):
    (here / "no.png").write_text("this is text")
    program = f"""if True:
        import sys
        from musae.app import main
        code = main(["interpolate", "no.png", "0.png", "-m", {str(models["vae"])!r}])
        print("torch" in sys.modules, code)"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False 1\n" and "is no picture" in done.stderr


def test_plot_names_are_those_of_the_library():
    assert PLOTS == NAMES


def test_plot(musae, here, models):
    run = musae("plot", models["vae"], "--data", "x.npz", "-o", "p/", "--json")
    assert run.code == 0, run.err
    names = [
        "reconstructions",
        "latent-scatter",
        "latent-grid",
        "samples",
        "interpolations",
        "perturbations",
    ]
    assert run.json["outputs"] == {name: f"p/{name}.png" for name in names}
    assert all(read_picture(here / "p" / f"{name}.png").size > 10_000 for name in names)
    assert musae("plot", models["vae"], "--data", "x.npz", "-o", "p/").code == 2  # they exist
    assert (
        musae(
            "plot", models["ae"], "--data", "x.npz", "--only", "feature-maps", "--format", "svg"
        ).code
        == 0
    )
    assert (here / "ae.plots" / "feature-maps.svg").is_file()


def test_plot_says_what_cannot_be_drawn(musae, here, models, tiny):
    for name, only, words in [
        ("ae", "samples", "plain autoencoder"),
        ("vae", "feature-maps", "no feature map"),
        ("vae", "classes", "not conditional"),
        ("conditional", "samples", "conditional"),
        ("residual", "interpolations", "adds to the picture"),
        ("vae", "loss", "is no run folder"),
    ]:
        run = musae("plot", models[name], "--data", "x.npz", "--only", only, "-o", "p/")
        assert (
            run.code == 2
            and f"--only {only}" in run.err
            and words in run.err
            and not (here / "p").exists()
        )
    assert "nothing can be drawn" in musae("plot", tiny, "-o", "p/").err
    assert musae("plot", models["vae"], "--data", "nowhere", "-o", "p/").code == 2
    run = musae("plot", models["conditional"], "--data", "plain.npz", "-o", "p/")
    assert run.code == 2 and "has no labels" in run.err and not (here / "p").exists()
    assert musae("plot", models["vae"], "--only", "everything").code == 2


def test_interpolate_fills_a_grid(musae, here, models):
    names = [f"x.npz#{number}" for number in range(4)]
    run = musae("interpolate", *names, "--grid", "3", "-m", models["vae"], "--plot", "p.png")
    assert (
        run.code == 0
        and run.err == ""
        and run.out.splitlines()[1].startswith("1-3 x.npz#1: reconstructed")
    )
    assert run.out.splitlines()[-1] == "wrote x-0__x-1__x-2__x-3.png, p.png"
    run = musae("interpolate", *names, "--grid", "3", "-m", models["vae"], "-o", "g/", "--json")
    assert (
        run.json["outputs"][:4] == ["g/1-1.png", "g/1-2.png", "g/1-3.png", "g/2-1.png"]
        and run.json["grid"] == 3
    )
    assert musae("interpolate", *names, "--grid", "3", "-m", models["vae"], "-o", "g.npz").code == 0
    assert arrays("g.npz")["images"].shape == (9, 8, 8) and arrays("g.npz")["z"].shape[0] == 9
    run = musae("interpolate", *names, "--grid", "3", "-m", models["conditional"], "-o", "c.png")
    assert run.code == 2 and "--label" in run.err


def test_sample_like_a_picture(musae, here, models):
    run = musae(
        "sample",
        "--like",
        "x.npz#3",
        "--similarity",
        "0.7",
        "--count",
        "4",
        "-m",
        models["vae"],
        "-o",
        "s.npz",
    )
    assert run.code == 0 and run.out == "wrote s.npz: 4 pictures, like x.npz#3 (similarity 0.7)\n"
    assert arrays("s.npz")["images"].shape == (4, 8, 8)
    run = musae(
        "sample",
        "--like",
        "x.npz#3",
        "-m",
        models["conditional"],
        "--count",
        "2",
        "-o",
        "c.npz",
        "--json",
    )
    assert (
        run.json["labels"] == [3, 3]
        and run.json["like"] == {"file": "x.npz#3"}
        and run.json["similarity"] == 0.5
    )
    for arguments, words in (
        (("--like", "x.npz", "-m", models["vae"]), "choose one"),
        (("--like", "0.png", "-m", models["ae"]), "no prior"),
        (("--like", "0.png", "--bar", "2", "-m", models["vae"]), "--bar is for models of music"),
        (("--like", "a.mid", "-m", models["vae"]), "holds music"),
    ):
        run = musae("sample", *arguments)
        assert run.code == 2 and words in run.err and len(run.err.splitlines()) == 1, arguments
