"""Which function does a verb for a medium, as text: looking one up imports nothing else."""

#: Medium, verb, place of the presenter.
PRESENTERS: dict[str, dict[str, str]] = {
    "music": {
        "interpolate": "musae.music.interpolate:interpolate",
        "sample": "musae.music.sample:sample",
        "reconstruct": "musae.music.reconstruct:reconstruct",
        "encode": "musae.music.codes:encode",
        "decode": "musae.music.codes:decode",
        "inspect": "musae.music.inspect:inspect",
        "attribute": "musae.music.attribute:attribute",
        "groove": "musae.music.groove:groove",
        "continue": "musae.music.longform:continue_",
        "infill": "musae.music.longform:infill",
        "vary": "musae.music.longform:vary",
        "personalize": "musae.music.personalize:personalize",
    },
    "images": {
        "interpolate": "musae.images.interpolate:interpolate",
        "sample": "musae.images.sample:sample",
        "reconstruct": "musae.images.restore:reconstruct",
        "denoise": "musae.images.restore:denoise",
        "encode": "musae.images.codes:encode",
        "decode": "musae.images.codes:decode",
        "inspect": "musae.images.inspect:inspect",
    },
    "denoise": {
        "denoise": "musae.audio.denoise:denoise",
        "reconstruct": "musae.audio.reconstruct:reconstruct",
        "encode": "musae.audio.reconstruct:encode",
        "inspect": "musae.audio.inspect:inspect",
    },
    "timbre": {
        "interpolate": "musae.audio.timbre:interpolate",
        "sample": "musae.audio.timbre:sample",
        "reconstruct": "musae.audio.reconstruct:reconstruct",
        "encode": "musae.audio.reconstruct:encode",
        "decode": "musae.audio.timbre:decode",
        "inspect": "musae.audio.inspect:inspect",
    },
}
