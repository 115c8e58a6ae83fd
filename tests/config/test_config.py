import subprocess
import sys

import pytest

from musicvae_lite.config import (
    RunConfig,
    ScheduleSettings,
    load_config,
    parse_config,
    preset_names,
)
from musicvae_lite.core.errors import UsageError
from musicvae_lite.training.optimiser import schedule


def test_a_number_is_a_constant_schedule():
    config = parse_config({"name": "x", "objective": {"beta": 0.3}}, "test")
    assert config.objective.beta == ScheduleSettings(end=0.3)
    assert load_config(
        "mel-2bar", ["optimiser.learning_rate=1e-3"]
    ).optimiser.learning_rate == ScheduleSettings(end=1e-3)


def test_a_schedule_can_be_as_long_as_a_part_of_the_run():
    settings = ScheduleSettings(start=0.0, end=1.0, shape="linear", fraction=0.5, warmup=20)
    assert schedule(settings, 120)(20 + 25) == 0.5
    assert schedule(settings, 1020)(20 + 250) == 0.5


def test_set_changes_one_value_and_keeps_the_rest():
    config = load_config(
        "cat-mel_2bar_small",
        ["objective.beta.end=0.4", "model.encoder.sizes=[64, 32]", "data.transpose=null"],
    )
    assert (config.objective.beta.end, config.objective.beta.rate) == (0.4, 0.99999)
    assert config.model.encoder.sizes == (64, 32)
    assert config.data.transpose is None
    assert config.training.batch_size == 512


def test_set_over_a_default_changes_one_value_of_it(tmp_path):
    rate, beta = ScheduleSettings(end=1e-3, warmup=2), ScheduleSettings(end=1.0, warmup=9)
    config = load_config("hier-mel_16bar", ["teacher.sampling.warmup=7"])
    assert config.teacher.sampling == ScheduleSettings(end=0.0, warmup=7)
    bare = tmp_path / "bare.yaml"
    bare.write_text("name: bare\n")
    config = load_config(bare, ["optimiser.learning_rate.warmup=2", "objective.beta.warmup=9"])
    assert (config.optimiser.learning_rate, config.objective.beta) == (rate, beta)
    falling = ["optimiser.learning_rate.start=0.005", "optimiser.learning_rate.shape=linear"]
    assert load_config(bare, falling).optimiser.learning_rate == ScheduleSettings(
        start=0.005, end=1e-3, shape="linear"
    )
    with pytest.raises(
        UsageError, match=r"optimiser.learning_rate is constant \(0.001\) and has no start"
    ):
        load_config(bare, falling[:1])
    bare.write_text("name: bare\ncodec: {kind: image}\nmodel: {kind: image}\n")
    assert load_config(
        bare, ["model.latent_size=4", "model.decoder.dense=[5]"]
    ).model.decoder.channels == (8, 8, 16)


def test_a_schedule_that_is_written_without_shape_and_end_keeps_the_usual_end(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\noptimiser: {learning_rate: {warmup: 2}}\n")
    assert load_config(mine).optimiser.learning_rate == ScheduleSettings(end=1e-3, warmup=2)
    (tmp_path / "base.yaml").write_text("name: base\nobjective: {beta: 0.3}\n")
    mine.write_text("extends: base.yaml\nname: mine\nobjective: {beta: {warmup: 5}}\n")
    assert load_config(mine).objective.beta == ScheduleSettings(end=0.3, warmup=5)
    mine.write_text("name: mine\nteacher: {sampling: {shape: inverse-sigmoid, rate: 100}}\n")
    assert load_config(mine).teacher.sampling.end == 1.0


def test_control_makes_the_size_that_the_model_is_told():
    config = load_config("mel-2bar", ["control.chords=true", "control.key=true"])
    assert config.model.control_size == config.control.size == 61
    assert (
        load_config("mel-2bar-chords").model.control_size
        == load_config("cat-mel_2bar_med_chords").model.control_size
        == 49
    )
    assert load_config("mel-2bar", ["model.control_size=9"]).model.control_size == 9
    assert RunConfig.model_validate(config.model_dump()) == config
    with pytest.raises(
        UsageError, match=r"control makes 49 numbers a step, model.control_size is 61"
    ):
        load_config("mel-2bar", ["control.chords=true", "model.control_size=61"])
    with pytest.raises(UsageError, match="for models of music"):
        load_config("mnist-vae", ["control.chords=true"])
    with pytest.raises(UsageError, match="unknown key 'control.chord'; did you mean 'chords'"):
        load_config("mel-2bar", ["control.chord=true"])


def test_extends_lays_one_file_over_another(tmp_path):
    (tmp_path / "base.yaml").write_text(
        "name: base\nmodel: {latent_size: 5}\nobjective: {beta: 0.1}\n"
    )
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "extends: base.yaml\nname: mine\nmodel: {dropout: 0.1}\nobjective: {beta: {shape: linear, "
        "end: 0.5, steps: 10}}\n"
    )
    config = load_config(mine)
    assert (config.name, config.model.latent_size, config.model.dropout) == ("mine", 5, 0.1)
    assert config.objective.beta == ScheduleSettings(end=0.5, shape="linear", steps=10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["objective.betta=1"], "unknown key 'objective.betta'; did you mean 'beta'"),
        (["trainig.steps=3"], "unknown key 'trainig'; did you mean 'training'"),
        (["model.encoder.size=3"], "did you mean 'sizes'"),
        (["training.steps=0"], "training.steps: Input should be greater than or equal to 1"),
        (["training.steps=many"], "training.steps"),
        (["objective.beta={shape: square}"], "objective.beta.shape"),
        (["objective.beta={shape: exponential, rate: 2}"], "lies in"),
        (["objective.beta={shape: linear, steps: 5, fraction: 0.5}"], "not by both"),
        (["objective.beta=lots"], "a schedule is a number or a group"),
        (
            ["model.encoder.split=true"],
            "model.encoder.split needs a codec with several numbers a step (trio)",
        ),
        (
            ["model.decoder.split=true"],
            "model.decoder.split needs a codec with several numbers a step (trio)",
        ),
        (
            ["model.decoder={kind: hierarchical, levels: [2, 16], skip: true}"],
            "needs a conductor_plan",
        ),
        (["optimiser.learning_rate=-1"], "learning_rate is 0 or more"),
        (["optimiser.betas=[0.9, 1.5]"], "optimiser.betas.1"),
        (
            ["optimiser.learning_rate=.nan"],
            "optimiser.learning_rate.end: Input should be a finite number (it is nan)",
        ),
        (["objective.beta=nan"], "objective.beta.end: Input should be a finite number"),
        (["objective.beta.start=.inf"], "objective.beta.start: Input should be a finite number"),
        (["optimiser.clip_norm=.inf"], "optimiser.clip_norm: Input should be a finite number"),
        (
            ["teacher.sampling.start=0.5"],
            "teacher.sampling is constant (0) and has no start; set teacher.sampling= a number",
        ),
        (["data.transpose=[5, -5]"], "the smaller number first"),
        (["steps"], "key=value"),
        (["a=[1"], "not YAML"),
    ],
)
def test_a_wrong_setting_is_named(changes, message):
    with pytest.raises(UsageError) as caught:
        load_config("mel-2bar", changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("frames", [{}, {"window": 4096}])
def test_a_denoiser_of_other_frames_is_refused(frames):
    tree = {"name": "x", "codec": {"kind": "sound"}, "model": {"kind": "spectrogram", **frames}}
    with pytest.raises(
        UsageError, match="mine: model: window, .* is 6144, not 4096.*; train the model again"
    ):
        parse_config(tree, "mine")


def test_models_that_could_not_work_are_refused():
    with pytest.raises(UsageError, match="codec groove goes with a decoder of kind lstm"):
        load_config("groove-2bar", ["model.decoder={kind: hierarchical, levels: [2, 16]}"])
    with pytest.raises(UsageError, match="needs likelihood gaussian"):
        load_config("superres-2x", ["model.likelihood=bernoulli"])


def test_naming_the_usual_kind_changes_nothing(tmp_path):
    plain, named = (
        load_config("mel-2bar", changes)
        for changes in ([], ["model.encoder.kind=lstm", "codec.kind=melody"])
    )
    assert named == plain and plain.model.encoder.readout == "steps"
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "extends: mel-2bar\nmodel: {encoder: {kind: lstm, sizes: [7]}, kind: sequence}\n"
    )
    config = load_config(mine)
    assert config.model.encoder == plain.model.encoder.model_copy(update={"sizes": (7,)})
    other = load_config(
        "mel-2bar", ["model.encoder.kind=hierarchical", "model.encoder.levels=[16, 2]"]
    )
    assert (
        other.model.encoder.readout == "final"
    )  # the settings of another kind start from their defaults


def test_the_length_given_last_counts(tmp_path):
    assert load_config("digits-vae").training.epochs
    for changes in (["training.steps=30"], ["training.epochs=3", "training.steps=30"]):
        training = load_config("digits-vae", changes).training
        assert (training.steps, training.epochs) == (30, None)
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: digits-vae\ntraining: {steps: 30}\n")
    assert load_config(mine).training.epochs is None
    assert (
        load_config("digits-vae", ["training.steps=30", "training.epochs=3"]).training.epochs == 3
    )


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'mel-2bar'"):
        load_config("mel2bar")
    with pytest.raises(UsageError, match="no such file"):
        load_config(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: [\n")
    with pytest.raises(UsageError, match="not YAML"):
        load_config(broken)
    broken.write_text("- 1\n")
    with pytest.raises(UsageError, match="holds no settings"):
        load_config(broken)
    broken.write_text("extends: broken.yaml\n")
    with pytest.raises(UsageError, match="extends itself"):
        load_config(broken)


def test_a_merged_schedule_does_not_keep_the_old_shape():
    config = load_config("mel-2bar", ["objective.beta={end: 0.2}"])
    assert config.objective.beta == ScheduleSettings(end=0.2)


def test_settings_and_errors_need_no_torch():
    code = (
        "import sys, musicvae_lite.config as c; c.load_config('mel-2bar'); sys.exit('torch' in "
        "sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_presets_are_named_after_their_files():
    assert {"mel-2bar", "cat-mel_2bar_small", "cat-mel_2bar_big"} <= set(preset_names())
    for name in preset_names():
        assert load_config(name).name == name


def test_the_preset_to_train_a_model_further_says_which():
    assert load_config("mel-2bar-finetune").training.starts_from == "mel-2bar"


def test_the_precision_that_messages_advise_can_be_set():
    assert load_config("mel-2bar", ["training.precision=32"]).training.precision == "32"
