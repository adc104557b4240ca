"""Attacks written differently, as people do it to pass filters: `rewrites` has the table of all variants.

`spellings` are encodings of any value, `dialects` and `shells` what SQL, HTML, JavaScript, shells and paths allow,
`parameters` finds the values of a request and `padding` changes requests as wholes.
"""
