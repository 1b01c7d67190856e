"""The equations of both networks, written down as the papers have them: every sum in full, in float64, nothing carried that need not be.

Slow and obvious on purpose: this is what the compiled networks are held against. Each function also says how near any comparison with a
threshold came to a tie; nearer than float32 can tell, the outcome is not defined.
"""

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Weights = dict[str, Doubles]


def sigmoid(x: Doubles) -> Doubles:
    return 1 / (1 + np.exp(-x))


def layer_norm(x: Doubles, weight: Doubles, bias: Doubles) -> Doubles:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * weight + bias


def mixed(x: Doubles, mix: Doubles) -> Doubles:
    """Each row with the one before it."""
    before = np.vstack([np.zeros_like(x[:1]), x[:-1]])
    return x * mix.reshape(-1) + before * (1 - mix.reshape(-1))


def weighted_mean(k: Doubles, v: Doubles, w: Doubles, u: Doubles) -> Doubles:
    """sum_i exp((t - 1 - i) w + k_i) v_i over all i < t, and exp(u + k_t) v_t, divided by the same sum without v."""
    out = np.empty_like(k)
    for t in range(len(k)):
        exponents = np.vstack([(t - 1 - np.arange(t))[:, None] * w + k[:t], u + k[t]])
        share = np.exp(exponents - exponents.max(0))
        out[t] = (share * v[: t + 1]).sum(0) / share.sum(0)
    return out


def leaky_integrate_and_fire(drive: Doubles) -> tuple[Doubles, float]:
    v, spikes, nearest = np.zeros_like(drive[0]), np.zeros_like(drive), np.inf
    for t in range(len(drive)):
        v = v + (drive[t] - v) / 2
        nearest = min(nearest, float(np.abs(v - 1).min()))
        spikes[t] = v >= 1
        v = v * (1 - spikes[t])
    return spikes, nearest


def spikegpt(arrays: dict[str, npt.NDArray[np.float32]], tokens: list[int], binary: bool) -> tuple[Doubles, float, Doubles]:
    """logits [T, V], the distance of the nearest tie, and the rates of the gates, two a block."""
    at = {name: value.astype(np.float64) for name, value in arrays.items()}
    x = at["emb.weight"][tokens]
    x = layer_norm((x >= 0).astype(np.float64) if binary else x, at["blocks.0.ln0.weight"], at["blocks.0.ln0.bias"])
    nearest, rates = np.inf, []
    for i in range(sum(name.endswith("ln1.weight") for name in at)):
        block = {name.removeprefix(f"blocks.{i}."): value for name, value in at.items()}
        a = layer_norm(x, block["ln1.weight"], block["ln1.bias"])
        k, v, r = (mixed(a, block[f"att.time_mix_{name[0]}"]) @ block[f"att.{name}.weight"].T for name in ("key", "value", "receptance"))
        y = sigmoid(r) * weighted_mean(k, v, -np.exp(block["att.time_decay"]), block["att.time_first"])
        spikes, tie = leaky_integrate_and_fire(y @ block["att.output.weight"].T)
        x, nearest = x + spikes, min(nearest, tie)
        rates.append(spikes.mean())
        f = layer_norm(x, block["ln2.weight"], block["ln2.bias"])
        k, r = (mixed(f, block[f"ffn.time_mix_{name[0]}"]) @ block[f"ffn.{name}.weight"].T for name in ("key", "receptance"))
        spikes, tie = leaky_integrate_and_fire(sigmoid(r) * (np.maximum(k, 0) ** 2 @ block["ffn.value.weight"].T))
        x, nearest = x + spikes, min(nearest, tie)
        rates.append(spikes.mean())
    return layer_norm(x, at["ln_out.weight"], at["ln_out.bias"]) @ at["head.weight"].T, nearest, np.array(rates)


def evnn(arrays: dict[str, npt.NDArray[np.float32]], tokens: list[int]) -> tuple[Doubles, float, Doubles]:
    """logits [T, V], the distance of the nearest tie, and the rates of the layers; h and y are carried from the first token to the last."""
    at = {name: value.astype(np.float64) for name, value in arrays.items()}
    x, nearest, rates = at["embeddings.weight"][tokens], np.inf, []
    for layer in range(sum(name.endswith(".kernel") for name in at)):
        rnn = {name.removeprefix(f"rnns.{layer}."): value for name, value in at.items()}
        theta = np.clip(rnn["thr"], 0, 1) if "thr" in rnn else sigmoid(rnn["thr_reparam"])
        h = y = np.zeros(theta.size)
        outputs = []
        for inputs in x:
            a_z, a_r, a_g = np.split(inputs @ rnn["kernel"] + rnn["bias"], 3)
            q_z, q_r, q_g = np.split(y @ rnn["recurrent_kernel"] + rnn["recurrent_bias"], 3)
            z, r = sigmoid(a_z + q_z), sigmoid(a_r + q_r)
            c = z * h + (1 - z) * np.tanh(a_g + r * q_g)
            e = np.where(c > theta, 1.0, 0.0)
            nearest = min(nearest, float(np.abs(c - theta).min()))
            y, h = e * c, c - e * theta
            outputs.append(y)
        x = np.array(outputs)
        rates.append((x > 0).mean())
    return x @ at["decoder.decoder.weight"].T + at["decoder.decoder.bias"], nearest, np.array(rates)
