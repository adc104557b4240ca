"""Every strategy on the same sites, split once, beside the controls it has to beat: `sluice finetune compare`.

sites      site files for a comparison, from sources that base training never saw (a command of its own)
task       one site: what may be learned from, and the held-out rows that judge
ground     the base side, made once: incumbent, base rows, their features and the incumbent's opinion of them
attempt    one strategy with so many labels and one seed: a row of the result
controls   the incumbent with the best threshold, and an n-gram regression
rows       what an attempt measured, kept line by line so that a run that is cut short goes on
run        sites by labels by seeds by strategies
table, plots, page    the result for people
"""
