"""urllib, a connection per request, JSON as json.dumps writes it: with spaces, and members in order of their names."""

import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request

PUBLIC, PRIVATE, APP_ID, SECRET = (os.environ[name] for name in ("PUBLIC", "PRIVATE", "APP_ID", "SECRET"))
API = PUBLIC + "/iocm/app/sec/v1.1.0"
TRUST = ssl.create_default_context(cafile=os.environ["CERTIFICATE"])
# From a run long ago; clients send it along wherever they have it.
STALE = {"app_key": APP_ID, "Authorization": "Bearer 4b8a865e"}


def send(request):
    try:
        with urllib.request.urlopen(request, context=TRUST) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def login(secret):
    body = urllib.parse.urlencode({"appId": APP_ID, "secret": secret}).encode()
    return send(urllib.request.Request(API + "/login", body, STALE))


def refresh(token):
    members = {"appId": APP_ID, "secret": SECRET, "refreshToken": token}
    headers = {**STALE, "Content-Type": "application/json"}
    body = json.dumps(members, sort_keys=True).encode()
    return send(urllib.request.Request(API + "/refreshToken", body, headers))


def pair(answer):
    status, body = answer
    assert status == 200, answer
    members = json.loads(body)
    assert type(members["expiresIn"]) is int and members["scope"] == "default", members
    return members


def refused(answer, status, code):
    assert answer[0] == status and json.loads(answer[1])["error_code"] == code, answer


state = {}


def step_login():
    state["first"] = pair(login(SECRET))


def step_refresh():
    state["second"] = pair(refresh(state["first"]["refreshToken"]))
    assert state["second"]["refreshToken"] != state["first"]["refreshToken"]


def step_verify():
    headers = {"app_key": APP_ID, "Authorization": "bearer " + state["second"]["accessToken"]}
    answer = send(urllib.request.Request(PRIVATE + "/verify", headers=headers))
    assert answer[0] == 200, answer


def step_refresh_again():
    again = pair(refresh(state["first"]["refreshToken"]))
    assert again["refreshToken"] == state["second"]["refreshToken"]


def step_logout():
    body = json.dumps({"accessToken": state["second"]["accessToken"]}).encode()
    answer = send(urllib.request.Request(API + "/logout", body, {"Content-Type": "application/json"}))
    assert answer == (204, b""), answer


def step_refresh_after_logout():
    refused(refresh(state["second"]["refreshToken"]), 400, "50400")


def step_wrong_secret():
    refused(login("wrong"), 401, "100208")


for step in (step_login, step_refresh, step_verify, step_refresh_again, step_logout, step_refresh_after_logout,
             step_wrong_secret):
    name = step.__name__.removeprefix("step_").replace("_", "-")
    try:
        step()
        print("ok", name)
    except Exception as error:
        print(f"not ok {name}: {error!r}")
