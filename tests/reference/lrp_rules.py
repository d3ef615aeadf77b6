"""The relevance rules as plain loops over inputs i and outputs j, transcribed from their formulas.

``a`` are the inputs of one dense layer, ``w[j][i]`` its weights, ``b[j]`` its biases, ``r[j]`` the relevance of its
outputs; ``bias`` says whether biases stand in the denominators. Every function returns the relevance of the inputs.
"""

STABILISER = 1e-6


def away_from_zero(z, epsilon=STABILISER):
    return z + epsilon if z >= 0 else z - epsilon


def epsilon_rule(a, w, b, r, *, epsilon, bias):
    relevance = [0.0] * len(a)
    for j in range(len(r)):
        z = sum(a[i] * w[j][i] for i in range(len(a))) + (b[j] if bias else 0.0)
        for i in range(len(a)):
            relevance[i] += a[i] * w[j][i] / away_from_zero(z, epsilon) * r[j]
    return relevance


def alphabeta_rule(a, w, b, r, *, alpha, beta, bias):
    relevance = [0.0] * len(a)
    for j in range(len(r)):
        contributions = [a[i] * w[j][i] for i in range(len(a))]
        positive = sum(max(0.0, z) for z in contributions) + (max(0.0, b[j]) if bias else 0.0)
        negative = sum(min(0.0, z) for z in contributions) + (min(0.0, b[j]) if bias else 0.0)
        for i, z in enumerate(contributions):
            relevance[i] += alpha * max(0.0, z) / away_from_zero(positive) * r[j]
            relevance[i] += beta * min(0.0, z) / away_from_zero(negative) * r[j] if negative else 0.0
    return relevance


def gamma_rule(a, w, b, r, *, gamma, bias):
    """Contributions of the sign of z_j (with the bias) count 1 + γ times; an output of zero passes nothing."""
    relevance = [0.0] * len(a)
    for j in range(len(r)):
        z = sum(a[i] * w[j][i] for i in range(len(a))) + b[j]
        if z == 0:
            continue

        def favoured(value, sign=1 if z > 0 else -1):
            return value * (1 + gamma) if value * sign > 0 else value

        contributions = [favoured(a[i] * w[j][i]) for i in range(len(a))]
        total = sum(contributions) + (favoured(b[j]) if bias else 0.0)
        for i in range(len(a)):
            relevance[i] += contributions[i] / away_from_zero(total) * r[j]
    return relevance


def flat_rule(a, w, b, r):
    return [sum(r[j] / away_from_zero(len(a)) for j in range(len(r))) for _ in a]


def box_rule(a, w, b, r, *, low, high):
    relevance = [0.0] * len(a)
    for j in range(len(r)):
        from_end = [a[i] * w[j][i] - low[i] * max(0.0, w[j][i]) - high[i] * min(0.0, w[j][i]) for i in range(len(a))]
        for i in range(len(a)):
            relevance[i] += from_end[i] / away_from_zero(sum(from_end)) * r[j]
    return relevance
