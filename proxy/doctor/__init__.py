"""`sluice doctor`: is everything fit to serve? Each finding comes with what to do about it.

`checks` has one function a question; `examine` asks them all and `commands` prints the answers.
"""
