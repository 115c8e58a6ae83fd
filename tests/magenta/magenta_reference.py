"""MusicVAE's arithmetic from Magenta's variables, step by step in NumPy float64: what WEIGHTS.md
says, and nothing of our models.

``v`` is a dict of variables. Events are vectors (one-hot, several one-hots, bits), as Magenta has
them.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cell(v, scope, x, c, h):
    kernel, bias = v[f"{scope}/kernel"], v[f"{scope}/bias"]
    i, j, f, o = np.split(np.concatenate([x, h], -1) @ kernel + bias, 4, axis=-1)
    c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
    return c, sigmoid(o) * np.tanh(c)


def size(v, scope):
    return len(v[f"{scope}/bias"]) // 4


def layers(v, form):
    count = 0
    while f"{form.format(count)}/kernel" in v:
        count += 1
    return [form.format(layer) for layer in range(count)]


def bilstm(v, prefix, x, length=None):
    """The last states of both directions over x [B, T, D].

    After ``length`` [B] steps a state stays, and outputs are 0.
    """
    length = np.full(len(x), x.shape[1]) if length is None else length
    form = prefix + "cell_{}/bidirectional_rnn/fw/multi_rnn_cell/cell_0/lstm_cell"
    for scope in layers(v, form):
        outputs = []
        for direction in (scope, scope.replace("/fw/", "/bw/")):
            steps = range(x.shape[1]) if direction == scope else range(x.shape[1] - 1, -1, -1)
            c = h = np.zeros((len(x), size(v, direction)))
            out = np.zeros((*x.shape[:2], size(v, direction)))
            for t in steps:
                inside = (t < length)[:, None]
                c, h = (
                    np.where(inside, new, old)
                    for new, old in zip(cell(v, direction, x[:, t], c, h), (c, h), strict=True)
                )
                out[:, t] = np.where(inside, h, 0)
            outputs.append((out, h))
        x = np.concatenate([out for out, _ in outputs], -1)
    return np.concatenate([h for _, h in outputs], -1)


def encode(v, x, levels=(16, 16), lengths=None):
    """mu and sigma for encoder inputs x [B, T, D] (controls included).

    ``lengths`` [B, S] of the segments of the first level.
    """
    if any(name.startswith("encoder/hierarchical_level_0") for name in v):
        for level, length in enumerate(levels):
            parts = np.split(x, x.shape[1] // length, axis=1)
            scope = f"encoder/hierarchical_level_{level}/"
            inside = [None] * len(parts) if level or lengths is None else lengths.T
            x = np.stack(
                [bilstm(v, scope, part, own) for part, own in zip(parts, inside, strict=True)], 1
            )
        h = x[:, 0]
    else:
        h = bilstm(v, "encoder/", x)
    mu = h @ v["encoder/mu/kernel"] + v["encoder/mu/bias"]
    return mu, np.logaddexp(0, h @ v["encoder/sigma/kernel"] + v["encoder/sigma/bias"])


def first_state(v, scope, z, cells):
    flat = np.tanh(z @ v[f"{scope}/kernel"] + v[f"{scope}/bias"])
    sizes = [size(v, name) for name in cells for _ in "ch"]
    parts = np.split(flat, np.cumsum(sizes)[:-1], axis=-1)
    return [[parts[2 * n], parts[2 * n + 1]] for n in range(len(cells))]


def core(v, scope, z, steps, first, choose, control):
    """Run one decoder: ``choose(t, outputs)`` gives the event after each step.

    Returns outputs [B, T, V] and the last event.
    """
    cells = layers(v, f"{scope}/multi_rnn_cell/cell_{{}}/lstm_cell")
    state = first_state(v, f"{scope}/z_to_initial_state", z, cells)
    event, outputs = first, []
    for t in range(steps):
        x = np.concatenate([event, z, *([control[:, t]] if control is not None else [])], -1)
        for n, name in enumerate(cells):
            state[n] = list(cell(v, name, x, *state[n]))
            x = state[n][1]
        outputs.append(
            x @ v[f"{scope}/output_projection/kernel"] + v[f"{scope}/output_projection/bias"]
        )
        event = choose(t, outputs[-1])
    return np.stack(outputs, 1), event


def decode(v, z, steps, choose, depths, control=None, levels=(16, 16)):
    """Outputs [B, steps, V]; ``choose(t, outputs, voice)`` gives the event after step t.

    ``depths``: widths of the voices.
    """
    width = sum(depths)
    if "decoder/hierarchical_level_0/initial_state/kernel" not in v:
        return core(
            v,
            "decoder",
            z,
            steps,
            np.zeros((len(z), width)),
            lambda t, o: choose(t, o, None),
            control,
        )[0]
    cells = layers(v, "decoder/hierarchical_level_0/cell_{}/lstm_cell")
    state = first_state(v, "decoder/hierarchical_level_0/initial_state", z, cells)
    split = "core_decoder/core_decoder_0/decoder/output_projection/kernel" in v
    scopes = (
        [f"core_decoder/core_decoder_{n}/decoder" for n in range(len(depths))]
        if split
        else ["core_decoder/decoder"]
    )
    events = (
        [np.zeros((len(z), depth)) for depth in depths] if split else [np.zeros((len(z), width))]
    )
    parts = []
    for segment in range(levels[0]):
        x = np.zeros((len(z), 1))
        for n, name in enumerate(cells):
            state[n] = list(cell(v, name, x, *state[n]))
            x = state[n][1]
        begin = segment * levels[1]
        told = None if control is None else control[:, begin : begin + levels[1]]
        outputs = []
        for voice, scope in enumerate(scopes):
            which = voice if split else None
            follow = lambda t, o, begin=begin, which=which: choose(begin + t, o, which)  # noqa: E731
            out, events[voice] = core(v, scope, x, levels[1], events[voice], follow, told)
            outputs.append(out)
        parts.append(np.concatenate(outputs, -1))
    return np.concatenate(parts, 1)


def nade_bits(v, outputs, hidden):
    """The likelier bits [B, D] for the outputs of one step [B, hidden + D]."""
    a, bias = outputs[:, :hidden].copy(), outputs[:, hidden:]
    bits = []
    for n in range(bias.shape[1]):
        p = sigmoid(bias[:, n] + (sigmoid(a) @ v["decoder/nade/w_dec_t"][n])[:, 0])
        bits.append((p >= 0.5).astype(float))
        a += bits[-1][:, None] * v["decoder/nade/w_enc"][n]
    return np.stack(bits, -1)


def nade_nats(v, outputs, bits, hidden):
    """-log p of bits [B, T, D] for outputs [B, T, hidden + D], summed over T."""
    a, bias, total = outputs[..., :hidden].copy(), outputs[..., hidden:], 0
    for n in range(bits.shape[-1]):
        p = sigmoid(bias[..., n] + (sigmoid(a) @ v["decoder/nade/w_dec_t"][n])[..., 0])
        total = total - bits[..., n] * np.log(1e-6 + p) - (1 - bits[..., n]) * np.log(1e-6 + 1 - p)
        a += bits[..., n : n + 1] * v["decoder/nade/w_enc"][n]
    return total.sum(1)
