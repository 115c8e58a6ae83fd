"""Variables of Magenta's configurations at reduced sizes, named and shaped as its graphs name and
shape them.
"""

import numpy as np

ENCODER = "encoder/cell_{}/bidirectional_rnn/{}/multi_rnn_cell/cell_0/lstm_cell"

#: Preset: widths of encoder input, of each voice and of the control input; hierarchical encoder,
#: decoder; NADE.
CASES = {
    "cat-mel_2bar_small": (90, [90], 0, False, False, 0),
    "cat-mel_2bar_med_chords": (90, [90], 49, False, False, 0),
    "cat-drums_2bar_small": (10, [512], 0, False, False, 0),
    "nade-drums_2bar_reduced": (10, [9], 0, False, False, 7),
    "nade-drums_2bar_full": (62, [61], 0, False, False, 5),
    "flat-mel_16bar": (90, [90], 0, False, False, 0),
    "hierdec-mel_16bar": (90, [90], 0, False, True, 0),
    "hier-mel_16bar": (90, [90], 0, True, True, 0),
    "flat-trio_16bar": (692, [90, 90, 512], 0, False, False, 0),
    "hierdec-trio_16bar": (692, [90, 90, 512], 0, False, True, 0),
    "hier-trio_16bar": (692, [90, 90, 512], 0, True, True, 0),
    "hier-multiperf_vel_1bar_med": (490, [490], 0, True, True, 0),
    "hier-multiperf_vel_1bar_med_chords": (490, [490], 49, True, True, 0),
}


def variables(preset, seed=0, latent=6, encoder=(5, 7), decoder=(9, 8, 6)):
    inputs, depths, control, hierarchical_encoder, hierarchical_decoder, nade = CASES[preset]
    generator = np.random.default_rng(seed)
    v = {}

    def put(scope, rows, columns):
        v[f"{scope}/kernel"] = (
            generator.normal(0, 0.7 / np.sqrt(rows), (rows, columns)).astype(np.float32) * 2
        )
        v[f"{scope}/bias"] = generator.normal(0, 0.4, columns).astype(np.float32)

    def stack(form, rows, sizes):
        for layer, size in enumerate(sizes):
            put(form.format(layer), rows + size, 4 * size)
            rows = size

    def bilstm(prefix, rows):
        for layer, size in enumerate(encoder):
            for direction in ("fw", "bw"):
                put(
                    prefix + ENCODER.format(layer, direction).removeprefix("encoder/"),
                    rows + size,
                    4 * size,
                )
            rows = 2 * size
        return rows

    def core(scope, z, width, out):
        put(f"{scope}/z_to_initial_state", z, 2 * sum(decoder))
        stack(f"{scope}/multi_rnn_cell/cell_{{}}/lstm_cell", width + z + control, decoder)
        put(f"{scope}/output_projection", decoder[-1], out)

    if hierarchical_encoder:
        rows = bilstm("encoder/hierarchical_level_0/", inputs + control)
        rows = bilstm("encoder/hierarchical_level_1/", rows)
    else:
        rows = bilstm("encoder/", inputs + control)
    put("encoder/mu", rows, latent)
    put("encoder/sigma", rows, latent)
    if not hierarchical_decoder:
        core("decoder", latent, sum(depths), nade + sum(depths))
    else:
        put("decoder/hierarchical_level_0/initial_state", latent, 2 * sum(decoder))
        stack("decoder/hierarchical_level_0/cell_{}/lstm_cell", 1, decoder)
        if len(depths) == 1:
            core("core_decoder/decoder", decoder[-1], depths[0], depths[0])
        for voice, depth in enumerate(depths if len(depths) > 1 else []):
            core(f"core_decoder/core_decoder_{voice}/decoder", decoder[-1], depth, depth)
    if nade:
        v["decoder/nade/w_enc"] = generator.normal(0, 0.5, (depths[0], 1, nade)).astype(np.float32)
        v["decoder/nade/w_dec_t"] = generator.normal(0, 0.5, (depths[0], nade, 1)).astype(
            np.float32
        )
    return v


def with_optimiser(v):
    """The same with what a training run leaves beside the model."""
    more = {
        f"{name}/{slot}": np.zeros_like(value)
        for name, value in v.items()
        for slot in ("Adam", "Adam_1")
    }
    steps = {
        "beta1_power": np.float32(0.5),
        "beta2_power": np.float32(0.9),
        "global_step": np.int64(1234),
    }
    return {**v, **more, **{name: np.asarray(value) for name, value in steps.items()}}
