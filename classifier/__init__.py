"""The contract between the proxy and fine-tuning: what a flow is, what the model sees, what a release must prove.

    records ──▶ masking ──▶ features ──▶ scorer ──▶ Verdict ──▶ thresholds
       ▲                                   ▲
    importers (HAR, pcap, …)            artifact (a model file that proves itself) ◀── registry (releases, channels)

`store` keeps what was judged and `journal` what was decided; fine-tuning reads both. Everything here runs on numpy and
onnxruntime. The half that needs torch lives in `training`, and nothing outside it may import it but `finetune`.
"""
