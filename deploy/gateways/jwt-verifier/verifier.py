#!/usr/bin/env python3
"""An example of a gateway's own check of Northgate's signed access tokens, with PyJWT.

It fetches the public keys, follows the feed of revocations, and answers every request with 200 where the token in its
`Authorization` header is valid and 403 if it is not: as a check for nginx `auth_request`, or as a pattern to copy.
docs/jwt.md describes the feed.

    verifier.py --jwks https://tokens.example.com:8743/oauth2/jwks --issuer https://tokens.example.com:8743 \
        --revocations http://127.0.0.1:8744/revocations --listen 127.0.0.1:8745
"""

import argparse
import bisect
import http.server
import json
import ssl
import threading
import time
import urllib.parse
import urllib.request

import jwt

# A gateway without an answer for so long cannot know what was revoked, and rejects every call. The server answers every 30 s.
SILENCE_MAX_S = 60
# Keys are fetched again for a name that is not known, but not for each token with an invented name.
KEYS_AT_MOST_EVERY_S = 10


class Revocations:
    """The applications with valid tokens, kept up to date by a thread."""

    def __init__(self, url):
        self.url = url
        self.lock = threading.Lock()
        self.cursor = None
        self.heard_at = float("-inf")
        self.leeway_s = 0
        self.runs = []  # [first number, last number, lifetime], sorted
        self.changed = {}  # number: lifetime, or None where it has no good tokens
        self.tokens_from = {}  # application: the first good iat
        self.revoked = {}  # (application, grant): [ends_at_ms, forget_at_ms]

    def follow(self):
        while True:
            query = {"since": self.cursor, "wait": 30} if self.cursor else {}
            try:
                with urllib.request.urlopen(f"{self.url}?{urllib.parse.urlencode(query)}", timeout=40) as answer:
                    self.hear(json.load(answer))
            except (OSError, ValueError) as error:
                print(f"the feed of revocations does not answer: {error}", flush=True)
                time.sleep(1)

    def hear(self, news):
        with self.lock:
            if news["kind"] == "snapshot":
                self.runs, self.changed, self.revoked, self.tokens_from = news["active"], {}, {}, {}
            else:
                for first, last, lifetime_s in news["active"]:
                    self.changed.update((number, lifetime_s) for number in range(first, last + 1))
                self.changed.update((number, None) for number in news["inactive"])
            self.tokens_from.update(news["tokens_from"])
            now_ms = time.time() * 1000
            self.revoked = {key: ends for key, ends in self.revoked.items() if ends[1] > now_ms}
            for one in news["revoked"]:
                ends = [one["ends_at_ms"], one["forget_at_ms"]]
                self.revoked[(one["application"], one["grant"])] = ends
            self.leeway_s, self.cursor = news["leeway_s"], news["cursor"]
            self.heard_at = time.monotonic()

    def lifetime_s(self, number):
        """The token lifetime of an application; None if it has no valid tokens."""
        if number in self.changed:
            return self.changed[number]
        at = bisect.bisect_right(self.runs, number, key=lambda run: run[0]) - 1
        return self.runs[at][2] if at >= 0 and number <= self.runs[at][1] else None

    def refuse(self, claims):
        """Why a token with these claims is not good; None where it is."""
        place, now = claims["northgate"], time.time()
        with self.lock:
            if time.monotonic() - self.heard_at > SILENCE_MAX_S:
                return "what was revoked is not known"
            lifetime_s = self.lifetime_s(place["application"])
            ends = self.revoked.get((place["application"], place["grant"]))
            leeway_s, tokens_from = self.leeway_s, self.tokens_from.get(place["application"], 0)
        if lifetime_s is None:
            return "the application is frozen or deleted"
        if now >= claims["iat"] + lifetime_s + leeway_s or now >= claims["exp"] + leeway_s:
            return "it has expired"
        # It would last longer than any token of now: the clock that issued it was ahead, and may have been for long.
        if claims["exp"] > now + lifetime_s + 300:
            return "a clock that was ahead issued it"
        if claims["iat"] < tokens_from:
            return "all tokens of its application were ended"
        # One that ends further ahead than the server ever says was written before its clock was set back.
        if ends and (ends[0] <= now * 1000 or ends[0] > (now + 35) * 1000):
            return "its grant was closed"
        return None


class Keys:
    """The server's public keys by their names."""

    def __init__(self, url, cafile):
        self.url = url
        self.context = ssl.create_default_context(cafile=cafile)
        self.lock = threading.Lock()
        self.keys = {}
        self.fetched_at = float("-inf")
        self.fetch_at = float("-inf")

    def find(self, kid):
        with self.lock:
            now = time.monotonic()
            is_due = now >= self.fetch_at or kid not in self.keys
            if is_due and now - self.fetched_at >= KEYS_AT_MOST_EVERY_S:
                self.fetched_at = now
                self.fetch(now)
            return self.keys.get(kid)

    def fetch(self, now):
        try:
            with urllib.request.urlopen(self.url, timeout=10, context=self.context) as answer:
                cache = answer.headers["Cache-Control"]
                self.fetch_at = now + int(cache.split("max-age=")[1])
                self.keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(json.load(answer)).keys}
        except (OSError, ValueError, jwt.PyJWTError) as error:
            print(f"the keys cannot be fetched: {error}", flush=True)


class Verifier:
    def __init__(self, options):
        self.options = options
        self.keys = Keys(options.jwks, options.cafile)
        self.revocations = Revocations(options.revocations)
        threading.Thread(target=self.revocations.follow, daemon=True).start()

    def refuse(self, authorization):
        """The reason why a call is rejected; None if it may pass."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return "there is no bearer token"
        try:
            header = jwt.get_unverified_header(token)
            key = self.keys.find(header.get("kid"))
            if header.get("typ") != "at+jwt" or key is None:
                return "it is not signed by a known key"
            # The algorithm is the key's; what the header says has to be the same.
            algorithm = {"OKP": "EdDSA", "EC": "ES256"}[key.key_type]
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=self.options.audience or self.options.issuer,
                issuer=self.options.issuer,
                # `iat` may be up to 2 s ahead when all tokens before were ended just now.
                options={"verify_exp": False, "verify_iat": False, "require": ["exp", "iat", "sub", "jti", "client_id"]},
            )
        except jwt.PyJWTError as error:
            return str(error)
        # A token that is bound to a key or a certificate needs more than this example looks at.
        return "it is bound to its holder" if "cnf" in claims else self.revocations.refuse(claims)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jwks", required=True)
    parser.add_argument("--cafile", help="certificate authority of the public listener")
    parser.add_argument("--issuer", required=True)
    parser.add_argument("--audience", help="the issuer, unless given")
    parser.add_argument("--revocations", required=True)
    parser.add_argument("--listen", default="127.0.0.1:8745")
    options = parser.parse_args()
    verifier = Verifier(options)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            reason = verifier.refuse(self.headers.get("Authorization", ""))
            body = (reason or "good").encode()
            self.send_response(403 if reason else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET

        def log_message(self, *_):
            pass

    host, port = options.listen.rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    print(f"listening on {server.server_address[0]}:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
