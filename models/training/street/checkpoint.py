"""Weights as a small file of 16 bit numbers, read and written without unpickling."""
import numpy as np
import torch


def save(net, path):
    state = {k: v.cpu().numpy() for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    # Variances may be smaller than f16 can say.
    small = {k: v if k.endswith("running_var") else v.astype(np.float16) for k, v in state.items()}
    beside = path.with_suffix(".part.npz")
    np.savez_compressed(beside, **small)
    beside.replace(path)


def fill(net, path):
    state = net.state_dict()
    with np.load(path, allow_pickle=False) as kept:
        for name in kept.files:
            state[name].copy_(torch.from_numpy(kept[name].astype(np.float32)))
    return net
