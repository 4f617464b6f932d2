"""Batch normalization folded into the weights of the layer before it, for prediction."""

from .._kernel import kernel


@kernel()
def fold(folded, folded_bias, weight, bias, coefficients, first, last):
    """folded[f] = weight[f] * scale[f], folded_bias[f] = (bias[f] - mean[f]) * scale[f] + shift[f]. Items: filters.

    `weight` is (F, K), `bias` (F,) or empty; `coefficients` has rows mean, scale, shift, as `batchnorm.eval_coefficients`
    makes them.
    """
    for f in range(first, last):
        mean, scale, shift = coefficients[0, f], coefficients[1, f], coefficients[2, f]
        row, out = weight[f], folded[f]
        for k in range(row.size):
            out[k] = row[k] * scale
        before = bias[f] - mean if bias.size > 0 else -mean
        folded_bias[f] = before * scale + shift
