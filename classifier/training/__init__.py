"""The half that needs torch: network, data, the one training loop, base training and export.

Only `finetune` builds on it; the proxy never does, so that a serving machine needs no torch.
"""
