import importlib.util

import numpy as np

from musicvae_lite.core.files import resource
from musicvae_lite.media.audio import read_audio


def test_the_noisy_demo_is_what_its_script_makes():
    spec = importlib.util.spec_from_file_location(
        "build_demo", resource("data", "audio", "build_demo.py")
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    clean, noisy = module.build()
    shipped = read_audio(resource("data", "audio", "ode_to_joy_noisy.flac"))
    assert shipped.samples.shape == (1, 220_500) and shipped.rate == 22_050
    np.testing.assert_allclose(shipped.samples[0], noisy, atol=1e-3)
    snr_db = 10 * np.log10(np.square(clean).sum() / np.square(noisy - clean).sum())
    assert abs(snr_db - 8) < 0.1
