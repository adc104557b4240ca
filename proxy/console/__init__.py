"""The console: pages and a JSON API for administrators, served on the admin port. Server-rendered, no build step.

    guard      who may, and the headers that every answer gets
    vault      password, token and signing key in the state's keys/
    traffic, review, exceptions, releases, learning, overview     what there is to see and to do: plain values
    pages, api     the same values as HTML and as JSON
    onboard    what clients may fetch without a login: certificate, PAC file, self-test

What is heavy (explaining an event, proving a release, fine-tuning) runs as a `sluice` command of its own, so that the
proxy's loop and memory are not touched.
"""
