"""How a candidate is made from the incumbent: what moves (`stages`, `probe`), what is added to the network
(`progressive`, `heads`), and what keeps it from forgetting (`l2sp`, `ewc`, `distillation`, `interpolation`).

`recipes` names the combinations; `finetune.candidate` carries them out over the one training loop.
"""
