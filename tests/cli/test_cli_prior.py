import pytest

from musicvae_lite.config import load_config
from tests.tiny import SETTINGS, melody, save, save_random

SMALL = ["prior.hidden=8", "prior.token_size=4", "prior.batch_size=8", "prior.tune=0"]


@pytest.fixture
def model(folder):
    """A model folder beside a prepared corpus."""
    save(melody(14, 90, "C"), folder / "c.mid")
    return save_random(folder / "run", load_config("mel-2bar", [*SETTINGS, *SMALL]))


def test_a_prior_is_learned_drawn_from_and_measured(musae, folder, model):
    assert musae("prepare", "c.mid", "a.mid", "-o", "corpus", "--valid-fraction", 0).code == 0
    done = musae("prior", "run", "--data", "corpus", "--steps", 3, "--json")
    assert done.code == 0 and done.json["steps"] == 3 and not done.json["held_out"]
    assert (model / "prior.safetensors").exists()
    drawn = musae("sample", "-m", "run", "--count", 2, "--key", "Am", "--register", 64, "--json")
    assert drawn.code == 0 and drawn.json["key"] == "Am" and drawn.json["register"] == 64
    assert musae("sample", "-m", "run", "-o", "old/", "--prior", "normal").code == 0
    measured = musae("evaluate", "run", "--data", "corpus", "--draws", "--limit", 12, "--json")
    assert measured.code == 0 and measured.json["drawn"] == 12
    table = musae("evaluate", "run", "--data", "corpus", "--draws", "--limit", 12)
    assert "told apart, AUC" in table.out


def test_what_does_not_go_is_one_line(musae, model):
    for wrong, said in (
        (("prior", "run"), "name it with --data"),
        (("prior", "nothere", "--data", "x"), "no model 'nothere'"),
        (("prior", "run", "--data", "x"), "x: no such folder"),
        (("sample", "-m", "run", "--register", "60"), "it has no learned prior"),
        (("sample", "-m", "run", "--key", "H"), "key"),
        (("sample", "--like", "a.mid", "--density", "3"), "--density does not go with --like"),
        (("evaluate", "run", "--draws"), "name it with --data"),
        (("evaluate", "run", "--draws", "--paths"), "--draws does not go with --paths"),
    ):
        done = musae(*wrong)
        assert done.code in (1, 2) and said in done.err and "Traceback" not in done.err
