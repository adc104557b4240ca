"""The proxy: mitmproxy's core with one addon that scores, decides and records every flow.

    mitmproxy hook ──▶ addon ──▶ observe ──▶ judge ──▶ respond
                                  record      │  mask, features, score, policy
                                              └─▶ metrics, journal (with the decision), captures (at the flow's end)

`observe` is the only reader of mitmproxy's objects, `respond` the only writer; `policy` is pure. `reload` watches the
release channel and swaps the model between two requests. Nothing here imports torch.
"""
