"""`sluice bench`: what filtering costs, as ratios to stock mitmdump on this machine, now.

    run ──▶ servers   stock mitmdump, the core unscored, the proxy as shipped: each a process, all up at once
     │                                  ▲ requests of `mix`, sent as `clients` send them
     ├────▶ load      a process that keeps N connections busy ┘         │
     ├────▶ origin    a process that answers with `replies` ◀───────────┘
     └────▶ report    medians, ratios, JSON

`cost` measures apart from that, in one process, what judging one record takes (`sluice bench scoring`).

The variants take turns within each round, so that what else the machine does meets them all alike. Servers run on one
core, load and origin on the others. Everything stays on loopback; no name in the mix is ever looked up.
"""
