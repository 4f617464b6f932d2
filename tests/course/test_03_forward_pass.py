import numpy as np


def test_the_published_output(run_lesson):
    ran = run_lesson("03_forward_pass")
    np.testing.assert_allclose(ran["y"], [0.31682708, 0.69627909], atol=5e-9)
    np.testing.assert_allclose(ran["y_network"], ran["y"], rtol=1e-14)
    assert "[0.31682708 0.69627909]" in ran.printed
